"""It was a …: ten buttons that save the pad's drawing with the digit that was meant."""

from collections.abc import Callable

from digitlab.drawings import Collection, Drawing
from digitlab.ink import Strokes
from digitlab.widgets.drawpad import DrawPad
from digitlab.widgets.tools.base import Tool, digit_buttons, row


class Labels(Tool):
    """Ten buttons, one a digit. A second press on the same drawing corrects the first.

    Args:
        pad: the drawing pad.
        collection: where to save.
        on_change: called when something was saved.
    """

    def __init__(
        self, pad: DrawPad, collection: Collection, on_change: Callable[[], object] = lambda: None
    ) -> None:
        super().__init__(pad, "Was it right?")
        self.collection = collection
        self._on_change = on_change
        # What was on the pad (strokes and pen width) when a drawing was saved, and that drawing.
        self._saved: tuple[tuple[Strokes, float], Drawing] | None = None
        self.buttons = digit_buttons(self, Labels.save, tooltip="It was a {}: save it")
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
        self._on_change()
        count = len(self.collection)
        change = f", no longer as a {before.label}" if before and corrected else ""
        drawings = f"{count} drawing{'s' if count != 1 else ''}"
        self._set_status(f"Saved as a {label}{change}. You have {drawings}.")
