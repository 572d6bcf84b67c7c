"""Your handwriting: keep what you draw with its label, and fine-tune the network on it."""

from digitlab.data import Mnist
from digitlab.drawings import Collection
from digitlab.widgets.drawpad import DrawPad
from digitlab.widgets.tools.album import Album
from digitlab.widgets.tools.base import Workbench
from digitlab.widgets.tools.fine_tuner import FineTuner
from digitlab.widgets.tools.labels import Labels


class OwnHand(Workbench):
    """Say what the pad's drawing was, look through what is kept, fine-tune the network on it.

    Args:
        pad: the drawing pad.
        collection: where the drawings are kept; ``my_digits`` in the learner's work folder if None.
        mnist: what is rehearsed while fine-tuning; loaded when it is needed if None.

    Attributes:
        labels: saves the drawing on the pad.
        album: shows and deletes those that are saved.
        fine_tuner: fine-tunes the pad's network on them.
    """

    def __init__(
        self, pad: DrawPad, collection: Collection | None = None, mnist: Mnist | None = None
    ) -> None:
        collection = Collection() if collection is None else collection  # an empty one is false
        self.album = Album(pad, collection)
        self.labels = Labels(pad, collection, on_change=self.album.refresh)
        self.fine_tuner = FineTuner(pad, collection, mnist)
        super().__init__([self.labels, self.album, self.fine_tuner])

    def __repr__(self) -> str:
        return f"OwnHand({self.album.collection.folder.name})"

    def close(self) -> None:
        """Take it off the page, and stop fine-tuning."""
        # ipywidgets also closes a widget whose __init__ has failed.
        if hasattr(self, "fine_tuner"):
            self.fine_tuner.stop()
        super().close()
