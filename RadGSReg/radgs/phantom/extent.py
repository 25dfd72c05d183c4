"""Which part of the spine a phantom shows: what is measured, what is drawn, what is labelled, and what lies whole."""

from __future__ import annotations

from dataclasses import dataclass

from radgs.anatomy import LABEL_NUMBERINGS
from radgs.errors import CaseError
from radgs.phantom.morphometry import LUMBAR, ORDER

#: VerSe's numbers, with that of a sixth lumbar vertebra.
VERSE = {**LABEL_NUMBERINGS["VerSe"], "L6": 25}
#: The whole column of a person, from the highest level that can be drawn.
COLUMN = (*(f"T{n}" for n in range(3, 13)), *LUMBAR)


@dataclass(frozen=True)
class Extent:
    """A part of the spine, from the head down.

    Attributes:
        column: The levels that are measured and stacked on the sacrum, drawn or not.
        drawn: Those in the image; the outermost are cut off by its border, but for the lowest above a sacrum.
        whole: Those that lie whole in the image and are meant to be registered.
        ribs: Whether ribs and lungs are drawn for the thorax's levels, or the lowest two pairs of ribs alone.
    """

    column: tuple[str, ...]
    drawn: tuple[str, ...]
    whole: tuple[str, ...]
    ribs: bool

    @property
    def labels(self) -> dict[str, int]:
        """Levels with a label: those that lie whole, and the first beyond on either side."""
        first, last = self.drawn.index(self.whole[0]), self.drawn.index(self.whole[-1])
        return {level: VERSE[level] for level in self.drawn[first - 1 : last + 2]}

    @property
    def sacrum(self) -> bool:
        """Whether the sacrum is drawn."""
        return self.drawn[-1] == self.column[-1]

    @classmethod
    def between(cls, top: str, bottom: str, *, six_lumbar: bool = False) -> Extent:
        """The levels from ``top`` to ``bottom`` whole, and two more on either side drawn.

        Args:
            top: T5 or lower.
            bottom: At or below ``top``.
            six_lumbar: The column has an L6.

        Raises:
            CaseError: There are no such levels.
        """
        column: tuple[str, ...] = (*COLUMN, "L6") if six_lumbar else COLUMN
        if top not in column[2:] or bottom not in column[column.index(top) :]:
            raise CaseError(
                f"A phantom cannot show {top} to {bottom}.", f"Choose levels from {column[2]} to {column[-1]}."
            )
        first, last = column.index(top), column.index(bottom)
        return cls(column, column[first - 2 : last + 3], column[first : last + 1], ribs=True)


#: The lumbar spine of tests, trials and demo.
LUMBAR_SPINE = Extent(column=ORDER, drawn=ORDER, whole=LUMBAR, ribs=False)
