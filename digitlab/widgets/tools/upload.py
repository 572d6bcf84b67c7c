"""A button with which the page sends a file, and never more of it than arrives."""

from typing import Any

import anywidget
import traitlets

from digitlab.web import bundle


class Upload(anywidget.AnyWidget):
    """A button to choose a file with.

    ``ipywidgets.FileUpload`` sends whatever was chosen, and Jupyter's connection to a page drops a
    message above 10 MiB without a word.

    Args:
        description: what the button says.
        accept: the types of files that it offers, as in HTML.
        most_bytes: of a larger file one byte more is sent, so that it can be told.

    Attributes:
        value: the chosen file as a tuple of one dictionary with ``name`` and ``content``, bytes or
            a memoryview; empty if there is none.
    """

    _esm = bundle("upload")

    description = traitlets.Unicode().tag(sync=True)
    accept = traitlets.Unicode().tag(sync=True)
    most_bytes = traitlets.Int().tag(sync=True)
    value = traitlets.Tuple()

    def __init__(self, description: str, *, accept: str, most_bytes: int) -> None:
        super().__init__(description=description, accept=accept, most_bytes=most_bytes)
        self.on_msg(self._on_message)

    def _on_message(self, _: object, content: dict[str, Any], buffers: list[Any]) -> None:
        if buffers:
            self.value = ({"name": str(content.get("name")), "content": buffers[0]},)
