"""Your drawings, to be looked through, put on the pad again, and deleted."""

from collections.abc import Sequence

import ipywidgets

from digitlab.drawings import Collection, Drawing
from digitlab.widgets.common import button, guarded, image_html
from digitlab.widgets.drawpad import DrawPad
from digitlab.widgets.tools.base import Tool, row

SHOWN = 24  # drawings at once: two rows on a wide page


class Album(Tool):
    """The saved drawings, one of them chosen.

    Args:
        pad: the drawing pad.
        collection: where the drawings are.
        title: what stands above them.
    """

    def __init__(self, pad: DrawPad, collection: Collection, title: str = "Your drawings") -> None:
        super().__init__(pad, title)
        self.collection = collection
        self._chosen: str | None = None  # its id, since other programs may add and delete drawings
        self._pictures = ipywidgets.HTML()
        self._previous = button(self, "Previous", lambda album: album.move(-1))
        self._next = button(self, "Next", lambda album: album.move(1))
        self._put = button(self, "Put on the pad", Album.put)
        self._delete = button(self, "Delete", Album.delete, tooltip="Delete this drawing for good")
        buttons = row(self._previous, self._next, self._put, self._delete)
        self.children = [self._head, self._pictures, self._status, buttons]
        # Guarded: a file that can't be read must not keep the tool off the page.
        guarded(Album.refresh)(self)

    def refresh(self) -> None:
        """Show what is saved now, the newest drawing chosen."""
        drawings = self.collection.drawings()
        self._show(drawings, len(drawings) - 1)

    def move(self, by: int) -> None:
        """Choose another drawing; after the last comes the first."""
        drawings = self.collection.drawings()
        self._show(drawings, (self._place(drawings) + by) % max(len(drawings), 1))

    def put(self) -> None:
        """Draw the chosen drawing on the pad."""
        drawings = self.collection.drawings()
        if drawings:
            chosen = drawings[self._place(drawings)]
            self.pad.set_strokes(chosen.strokes, pen_width=chosen.pen_width)

    def delete(self) -> None:
        """Delete the chosen drawing for good.

        Raises:
            OSError: the folder can't be written to.
        """
        drawings = self.collection.drawings()
        place = self._place(drawings)
        if drawings:
            self.collection.remove(drawings[place])
            drawings = self.collection.drawings()
            self._show(drawings, min(place, len(drawings) - 1))

    def _place(self, drawings: Sequence[Drawing]) -> int:
        """Where the chosen drawing is; the last one if it is gone."""
        places = [place for place, drawing in enumerate(drawings) if drawing.id == self._chosen]
        return places[0] if places else max(len(drawings) - 1, 0)

    def _show(self, drawings: Sequence[Drawing], place: int) -> None:
        for part in (self._previous, self._next, self._put, self._delete):
            part.disabled = not drawings
        if not drawings:
            self._pictures.value = ""
            self._set_status("None yet.")
            return
        chosen = drawings[place]
        self._chosen = chosen.id
        first = max(0, min(place - SHOWN // 2, len(drawings) - SHOWN))
        self._pictures.value = pictures_html(drawings[first : first + SHOWN], chosen)
        predicted = "" if chosen.read is None else f", predicted as {chosen.read}"
        self._set_status(f"Drawing {place + 1} of {len(drawings)}: a {chosen.label}{predicted}.")


def pictures_html(drawings: Sequence[Drawing], chosen: Drawing) -> str:
    """The drawings side by side, as the network sees them, the chosen one outlined."""
    pictures = (_picture(drawing, is_chosen=drawing.id == chosen.id) for drawing in drawings)
    return f'<div class="digitlab-album">{"".join(pictures)}</div>'


def _picture(drawing: Drawing, *, is_chosen: bool) -> str:
    alt = f"Your {drawing.label}"
    if is_chosen:
        return image_html(drawing.image(), f"{alt}, chosen", css_class="chosen")
    return image_html(drawing.image(), alt)
