"""Your drawings, to be looked through, put on the pad again, and deleted."""

from collections.abc import Sequence

import ipywidgets

from digitlab.drawings import Collection, Drawing
from digitlab.widgets.common import by_hand, png_data_uri
from digitlab.widgets.drawpad import DrawPad
from digitlab.widgets.tools.base import Tool, button, row

SHOWN = 24  # at once


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
        self._chosen: str | None = None  # the id of a drawing, for others may come and go
        self._pictures = ipywidgets.HTML()
        self._previous = button(self, "Previous", lambda album: album.move(-1))
        self._next = button(self, "Next", lambda album: album.move(1))
        self._put = button(self, "Put on the pad", lambda album: album.put())
        self._delete = button(
            self, "Delete", lambda album: album.delete(), tooltip="Delete this drawing for good"
        )
        buttons = row(self._previous, self._next, self._put, self._delete)
        self.children = [self._head, self._pictures, self._status, buttons]
        by_hand(Album.refresh)(self)  # a file that can't be read is said here, too

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
            self.pad.pen_width = chosen.pen_width
            self.pad.set_strokes(chosen.strokes)

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
            self._say("None yet.")
            return
        chosen = drawings[place]
        self._chosen = chosen.id
        first = max(0, min(place - SHOWN // 2, len(drawings) - SHOWN))
        self._pictures.value = pictures_html(drawings[first : first + SHOWN], chosen)
        read = "" if chosen.read is None else f", read as {chosen.read}"
        self._say(f"Drawing {place + 1} of {len(drawings)}: a {chosen.label}{read}.")


def pictures_html(drawings: Sequence[Drawing], chosen: Drawing) -> str:
    """The drawings side by side, as the network sees them, the chosen one outlined."""
    return (
        "<div>"
        + "".join(_picture(drawing, chosen=drawing.id == chosen.id) for drawing in drawings)
        + "</div>"
    )


def _picture(drawing: Drawing, *, chosen: bool) -> str:
    outline = "outline: 3px solid var(--digitlab-accent);" if chosen else ""
    alt = f"Your {drawing.label}" + (", chosen" if chosen else "")
    style = f"display: inline-block; width: 44px; height: 44px; margin: 3px 6px 3px 0; {outline}"
    return f'<img alt="{alt}" src="{png_data_uri(drawing.image())}" style="{style}">'
