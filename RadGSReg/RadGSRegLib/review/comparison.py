"""Ways to compare an X-ray with a DRR by eye: what the slider means in each, and how it is painted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import qt
from numpy.typing import NDArray
from slicer.i18n import tr as _

from radgs.geometry import FloatArray

#: In the order in which they are offered.
MODES = ("blend", "split", "checkerboard", "flicker", "edges", "difference", "agreement", "reconstruction")

#: What the slider says at first, 0..1.
FIRST_AMOUNTS = {
    "checkerboard": 0.4,
    "flicker": 0.4,
    "edges": 0.8,
    "difference": 1.0,
    "agreement": 1.0,
    "reconstruction": 0.7,
}
FIRST_AMOUNT = 0.5

#: Cells of the checkerboard across a picture, from the slider's left end to its right.
CELLS = (16, 3)
#: Swaps of X-ray and DRR a second, likewise: from a careful look to a flutter.
RATES_HZ = (0.5, 5.0)


@dataclass(frozen=True)
class Comparison:
    """A way to compare, as the slider stands.

    Attributes:
        mode: One of ``MODES``.
        amount: Where the slider stands, 0..1.
        second: Of a flicker, whether the DRR is shown at this moment.
    """

    mode: str = "blend"
    amount: float = FIRST_AMOUNT
    second: bool = False

    @property
    def period_ms(self) -> int | None:
        """How long a flicker shows one image; None where nothing flickers."""
        if self.mode != "flicker":
            return None
        slow, fast = RATES_HZ
        return round(1000.0 / (slow * (fast / slow) ** self.amount))

    @property
    def cells(self) -> int:
        """Cells of a checkerboard across the picture."""
        many, few = CELLS
        return round(many + (few - many) * self.amount)

    @property
    def kind(self) -> str:
        """Which picture is laid over the X-ray."""
        return self.mode if self.mode in ("edges", "difference", "agreement", "reconstruction") else "drr"

    @property
    def share(self) -> float:
        """The opacity of what lies over a film in a slice view, 0..1: the DRR, or what is compared with it."""
        if self.mode == "flicker":
            return float(self.second)
        return 1.0 if self.mode in ("split", "checkerboard") else self.amount

    def shows_drr(self, across: FloatArray, down: FloatArray) -> NDArray[np.bool_]:
        """Where a split or a checkerboard shows the DRR, everywhere in the other modes.

        Args:
            across: Places in the picture, 0 at its left border and 1 at its right, and beyond them.
            down: Likewise, 0 at its top.
        """
        if self.mode == "split":
            return across < self.amount
        if self.mode == "checkerboard":
            return (np.floor(across * self.cells) + np.floor(down * self.cells)) % 2 == 0
        return np.ones(np.shape(across), dtype=bool)

    def paint(self, painter: Any, size: int, picture: Callable[[str], Any]) -> None:
        """Paints over an X-ray that lies there already.

        Args:
            painter: A QPainter, at work on a square picture.
            size: The picture's side, pixels.
            picture: Gives the QPixmap of a ``kind``; None where there is none of a pose.
        """
        whole = qt.QRect(0, 0, size, size)
        if picture(self.kind) is None:
            return
        if self.mode in ("split", "checkerboard"):
            for area in self._areas(size):
                painter.setClipRect(area)
                painter.drawPixmap(whole, picture("drr"))
            painter.setClipping(False)
        elif self.mode == "flicker":
            if self.second:
                painter.drawPixmap(whole, picture("drr"))
        else:
            painter.setOpacity(self.amount)
            painter.drawPixmap(whole, picture(self.kind))
            painter.setOpacity(1.0)
        if self.mode == "split":
            painter.setPen(qt.QPen(qt.QColor("white")))
            column = round(self.amount * size)
            painter.drawLine(column, 0, column, size)

    def _areas(self, size: int) -> list[Any]:
        """Where a split or a checkerboard shows the DRR."""
        if self.mode == "split":
            return [qt.QRect(0, 0, round(self.amount * size), size)]
        ends = [round(number * size / self.cells) for number in range(self.cells + 1)]
        return [
            qt.QRect(ends[column], ends[row], ends[column + 1] - ends[column], ends[row + 1] - ends[row])
            for row in range(self.cells)
            for column in range(self.cells)
            if (row + column) % 2 == 0
        ]


def mode_titles() -> dict[str, str]:
    """What the modes are called."""
    return {
        "blend": _("Blend"),
        "split": _("Split"),
        "checkerboard": _("Checkerboard"),
        "flicker": _("Flicker"),
        "edges": _("Edges of the DRR"),
        "difference": _("Difference"),
        "agreement": _("Agreement of edges"),
        "reconstruction": _("Reconstruction"),
    }


def mode_tooltips() -> dict[str, str]:
    """What is to be seen in each."""
    return {
        "blend": _("X-ray and DRR mixed: bone stays where it is"),
        "split": _("DRR on the left, X-ray on the right: edges go on across the line; drag it in the picture"),
        "checkerboard": _("DRR and X-ray in turn: edges go on from cell to cell"),
        "flicker": _("DRR and X-ray one after the other: what jumps does not fit"),
        "edges": _("The DRR's edges over the X-ray"),
        "difference": _("Grey where X-ray and DRR agree; bright where the X-ray shows more, dark where the DRR does"),
        "agreement": _("The vertebra's edges: blue where X-ray and DRR agree, yellow where they do not"),
        "reconstruction": _("What the networks made of the X-rays, projected back into them, where a run left it"),
    }


def slider_ends(mode: str) -> tuple[str, str]:
    """What stands at the ends of the slider."""
    ends = {
        "blend": (_("X-ray"), _("DRR")),
        "split": (_("X-ray"), _("DRR")),
        "checkerboard": (_("finer"), _("coarser")),
        "flicker": (_("slower"), _("faster")),
    }
    return ends.get(mode, (_("X-ray"), _("all")))
