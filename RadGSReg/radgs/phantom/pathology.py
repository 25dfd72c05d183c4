"""What illness makes of a spine: fractured bodies, and levels that have grown together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from radgs.errors import CaseError
from radgs.phantom.morphometry import VertebraShape

#: A broken body bulges by this share of its lost height.
BULGE = 0.10
#: What is left of a disc that has turned to bone, and how many more spurs its rims carry.
FUSED_DISC, FUSED_SPURS = 0.45, 3.0


@dataclass(frozen=True)
class Fracture:
    """What is left of a body's height, as shares of what it was: Genant's wedge, biconcave and crush deformities.

    Attributes:
        front, back: Of the front and of the back wall.
        middle: Of the middle, against the mean of both walls.
    """

    front: float = 1.0
    back: float = 1.0
    middle: float = 1.0


@dataclass(frozen=True)
class Pathology:
    """What is wrong with a spine.

    Attributes:
        fractures: Level -> what is left of it.
        fused: The upper level of every pair that has grown together.
    """

    fractures: Mapping[str, Fracture] = field(default_factory=dict)
    fused: tuple[str, ...] = ()

    def check(self, levels: tuple[str, ...]) -> None:
        """Refuses what is not there to be broken or fused.

        Raises:
            CaseError: A level is none of ``levels``, or nothing is left of one.
        """
        unknown = [level for level in (*self.fractures, *self.fused) if level not in levels]
        if unknown:
            raise CaseError(f"The phantom has no level {unknown[0]}.", f"Choose from {', '.join(levels)}.")
        for level, left in self.fractures.items():
            if not all(0.3 <= share <= 1.0 for share in (left.front, left.back, left.middle)):
                raise CaseError(f"Too little is left of the phantom's {level}.", "Leave shares from 0.3 to 1.")

    def applied(self, shapes: Mapping[str, VertebraShape]) -> dict[str, VertebraShape]:
        """The measures of the ill spine."""
        ill = dict(shapes)
        for level, left in self.fractures.items():
            ill[level] = _broken(ill[level], left)
        for level in self.fused:
            upper = ill[level]
            ill[level] = replace(upper, disc_below=FUSED_DISC * upper.disc_below, spurs=upper.spurs + FUSED_SPURS)
        return ill

    def wedges_deg(self, shapes: Mapping[str, VertebraShape]) -> dict[str, float]:
        """Level -> how far its fracture bends the spine forward, by the measures of the ill spine."""
        return {
            level: float(np.degrees(np.arctan2(shape.height_back - shape.height_front, shape.depth)))
            for level, shape in shapes.items()
            if level in self.fractures
        }


def _broken(shape: VertebraShape, left: Fracture) -> VertebraShape:
    """A body of the heights that are left; the hollow of each endplate takes half of what the middle lost."""
    front, back = left.front * shape.height_front, left.back * shape.height_back
    hollow = (1.0 - left.middle) * (front + back) / 4
    wider = 1.0 + BULGE * (1.0 - (left.front + left.back) / 2)
    return replace(
        shape,
        height_front=front,
        height_back=back,
        dip_top=shape.dip_top + hollow,
        dip_bottom=shape.dip_bottom + hollow,
        **{name: wider * getattr(shape, name) for name in ("width_top", "width_bottom", "depth_top", "depth_bottom")},
    )
