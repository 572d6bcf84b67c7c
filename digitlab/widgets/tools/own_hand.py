"""Your own hand: keep what you draw, with the digit that it was, and teach it to the network."""

import ipywidgets

from digitlab.data import Mnist
from digitlab.drawings import Collection
from digitlab.widgets.drawpad import DrawPad
from digitlab.widgets.tools.album import Album
from digitlab.widgets.tools.labels import Labels
from digitlab.widgets.tools.teacher import Teacher


class OwnHand(ipywidgets.VBox):
    """Say what the pad's drawing was, look through what is kept, teach it to the network.

    Args:
        pad: the drawing pad.
        collection: where the drawings are kept; ``my_digits`` in the learner's work folder if None.
        mnist: what is rehearsed while teaching; loaded when it is needed if None.

    Attributes:
        labels: saves the drawing on the pad.
        album: shows and deletes those that are saved.
        teacher: teaches them.
    """

    def __init__(
        self, pad: DrawPad, collection: Collection | None = None, mnist: Mnist | None = None
    ) -> None:
        collection = Collection() if collection is None else collection  # an empty one is false
        self.album = Album(pad, collection)
        self.labels = Labels(pad, collection, on_change=self.album.refresh)
        self.teacher = Teacher(pad, collection, mnist)
        super().__init__([self.labels, self.album, self.teacher])

    def __repr__(self) -> str:
        return f"OwnHand({self.album.collection.folder.name})"

    def close(self) -> None:
        """Take it off the page; what is being taught is given up."""
        if hasattr(self, "teacher"):  # ipywidgets closes what was never finished, too
            self.teacher.stop()
        super().close()
