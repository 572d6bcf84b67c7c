"""It was a …: ten buttons that save the pad's drawing with the digit that was meant."""

from collections.abc import Callable, Sequence
from functools import partial

from digitlab.drawings import Collection, Drawing
from digitlab.ink import Point
from digitlab.widgets.common import button
from digitlab.widgets.drawpad import DrawPad
from digitlab.widgets.tools.base import Tool, row


class Labels(Tool):
    """Ten buttons, one a digit. A second press on the same drawing corrects the first.

    Args:
        pad: the drawing pad.
        collection: where to save.
        on_change: called with all drawings when something was saved.
    """

    def __init__(
        self,
        pad: DrawPad,
        collection: Collection,
        on_change: Callable[[Sequence[Drawing]], object] = lambda drawings: None,
    ) -> None:
        super().__init__(pad, "Was it right?")
        self.collection = collection
        self._on_change = on_change
        # What was on the pad (strokes and pen width) when a drawing was saved, and that drawing.
        self._saved: tuple[tuple[list[list[Point]], float], Drawing] | None = None
        self.buttons = [
            button(
                self,
                str(digit),
                partial(Labels.save, label=digit),
                tooltip=f"It was a {digit}: save it",
            )
            for digit in range(10)
        ]
        self.children = [self._head, row("It was a …", *self.buttons), self._status]
        self._set_status(
            "Draw a digit, then say which one it was: it is saved among your drawings."
        )

    def save(self, label: int) -> None:
        """Save the drawing on the pad as a ``label``, in place of what it was saved as before.

        Raises:
            ValueError, OSError: as in :meth:`digitlab.drawings.Collection.add`.
        """
        strokes, pen_width = self.pad.strokes, self.pad.pen_width
        if not strokes:
            self._set_status(
                "There is nothing on the pad yet: draw a digit, then say which one it was."
            )
            return
        before = self._saved[1] if self._saved and self._saved[0] == (strokes, pen_width) else None
        if before and before.label == label and before in self.collection:
            self._set_status(f"This drawing is saved as a {label} already.")
            return
        predicted = self.pad.prediction.digit if self.pad.prediction else None
        drawing = self.collection.add(strokes, label, read=predicted, pen_width=pen_width)
        self._saved = (strokes, pen_width), drawing
        corrected = before is not None and self.collection.remove(before)
        drawings = self.collection.drawings()
        self._on_change(drawings)
        change = f", no longer as a {before.label}" if before and corrected else ""
        count = f"{len(drawings)} drawing{'s' if len(drawings) != 1 else ''}"
        self._set_status(f"Saved as a {label}{change}. You have {count}.")
