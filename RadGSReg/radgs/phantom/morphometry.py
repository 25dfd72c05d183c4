"""Sizes of the thoracic and lumbar vertebrae, and how they vary from person to person.

The tables round published adult means: endplates, canal, transverse and spinous processes after Panjabi et al.
(Spine 1992;17:299, lumbar; 1991;16:888, thoracic), pedicles after Zindrick et al. (Spine 1987;12:160), body heights
after Zhou et al. (Eur Spine J 2000;9:242), facet angles after Masharawi et al. (Spine 2004;29:1755). They are a
population to draw from, not a person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

#: VerSe numbering of the levels that a lumbar spine labels; its T11 is drawn only as the cut-off neighbour above.
LABELS = {"T12": 19, "L1": 20, "L2": 21, "L3": 22, "L4": 23, "L5": 24}
LUMBAR = ("L1", "L2", "L3", "L4", "L5")
ORDER = ("T11", "T12", *LUMBAR)


@dataclass(frozen=True)
class VertebraShape:
    """One vertebra's measures, mm and degrees, in its frame (origin: body centre; right, anterior, superior).

    Attributes:
        width_top, width_bottom: Endplate widths, right to left.
        depth_top, depth_bottom: Endplate depths, front to back.
        height_front, height_back: Heights of the body's walls.
        canal_width, canal_depth: The spinal canal between the pedicles, and from body to lamina.
        pedicle_width, pedicle_height: The isthmus of a pedicle.
        transverse_span: Tip to tip across the transverse processes.
        spinous_length: From the body's back wall to the tip of the spinous process.
        spinous_height: Height of the spinous process at its tip.
        spinous_drop: How far the tip's middle lies below the body's centre.
        facet_angle: Angle of the upper facet joints to the sagittal plane, degrees.
        facet_spacing: Distance between the centres of the upper facet joints.
        disc_below: Height of the disc under the vertebra at its middle.
        waist: Narrowing of the body at mid-height, as a fraction of its radius.
        dip_top, dip_bottom: Depth of the endplates' hollow.
        rim: Flare of the endplates' rims, as a fraction of the body's radius.
        spurs: Expected number of osteophytes.
        stoutness: Thickness of arch and processes against a lumbar vertebra's.
        lumbosacral: The lowest lumbar vertebra, with the stout transverse processes of one.
    """

    name: str
    width_top: float
    width_bottom: float
    depth_top: float
    depth_bottom: float
    height_front: float
    height_back: float
    canal_width: float
    canal_depth: float
    pedicle_width: float
    pedicle_height: float
    transverse_span: float
    spinous_length: float
    spinous_height: float
    spinous_drop: float
    facet_angle: float
    facet_spacing: float
    disc_below: float
    waist: float = 0.10
    dip_top: float = 1.6
    dip_bottom: float = 2.2
    rim: float = 0.02
    spurs: float = 0.0
    stoutness: float = 1.0
    lumbosacral: bool = False

    @property
    def height(self) -> float:
        """Height of the body at its middle, mm."""
        return (self.height_front + self.height_back) / 2

    @property
    def depth(self) -> float:
        """Mean depth of the endplates, mm."""
        return (self.depth_top + self.depth_bottom) / 2

    @property
    def width(self) -> float:
        """Mean width of the endplates, mm."""
        return (self.width_top + self.width_bottom) / 2

    @property
    def back_wall(self) -> float:
        """Anterior coordinate of the body's back wall in the frame, mm (negative)."""
        return -self.depth / 2


#                     width      depth      height     canal      pedicle    across spinous          facets   disc
_MEAN = {
    "T3": VertebraShape(
        "T3", 26.5, 26.5, 21.5, 22.5, 16.8, 17.5, 15.5, 15.0, 6.0, 10.2, 61, 37, 12, 20, 75, 24.5, 3.8, stoutness=0.66
    ),
    "T4": VertebraShape(
        "T4", 26, 27, 23.0, 24.2, 17.3, 18.1, 15.2, 15.0, 5.4, 10.6, 60, 36, 12, 24, 75, 24, 3.9, stoutness=0.66
    ),
    "T5": VertebraShape(
        "T5", 26.5, 28, 24.5, 25.5, 17.9, 18.7, 15.0, 15.0, 5.2, 11.2, 60, 34, 12, 27, 75, 24, 4.0, stoutness=0.66
    ),
    "T6": VertebraShape(
        "T6", 27.5, 29, 26, 27, 18.6, 19.4, 15.0, 15.0, 5.4, 11.8, 60.5, 33, 12, 29, 75, 24, 4.2, stoutness=0.66
    ),
    "T7": VertebraShape(
        "T7", 29, 30.5, 27.5, 28.5, 19.3, 20.2, 15.0, 15.0, 5.6, 12.2, 61, 33, 12, 30, 75, 24, 4.5, stoutness=0.66
    ),
    "T8": VertebraShape(
        "T8", 30.5, 32, 28.5, 29.5, 20.0, 21.0, 15.2, 15.0, 6.0, 12.8, 60.5, 33, 12, 29, 74, 24.5, 4.8, stoutness=0.68
    ),
    "T9": VertebraShape(
        "T9", 32, 34, 29.5, 30.5, 20.8, 21.9, 15.5, 15.0, 6.3, 14.0, 58.5, 34, 13, 25, 74, 25, 5.0, stoutness=0.72
    ),
    "T10": VertebraShape(
        "T10", 33.5, 36, 30, 31, 21.8, 23.0, 16.2, 15.2, 6.8, 15.0, 55, 35, 15, 22, 73, 26, 5.5, stoutness=0.78
    ),
    "T11": VertebraShape("T11", 37, 39, 31, 32, 23.0, 24.5, 20.0, 16.0, 8.0, 16.0, 50, 47, 17, 19, 72, 27, 6.0),
    "T12": VertebraShape("T12", 40, 42, 32, 33, 24.5, 26.0, 21.5, 16.5, 7.8, 16.0, 48, 46, 20, 17, 68, 28, 7.0),
    "L1": VertebraShape("L1", 42, 44, 33, 34, 25.8, 27.2, 22.5, 16.5, 8.2, 15.6, 74, 49, 25, 14, 24, 28, 8.0),
    "L2": VertebraShape("L2", 43, 46, 34, 35, 26.8, 27.6, 23.0, 16.2, 8.8, 15.2, 82, 52, 27, 14, 27, 29, 9.5),
    "L3": VertebraShape("L3", 45, 48, 35, 35, 27.4, 27.4, 23.8, 16.0, 10.2, 15.0, 92, 53, 27, 13, 33, 31, 10.5),
    "L4": VertebraShape("L4", 48, 50, 35, 35, 27.6, 26.6, 25.0, 16.6, 12.6, 15.0, 88, 49, 24, 12, 41, 35, 11.5),
    "L5": VertebraShape(
        "L5", 50, 51, 35, 34, 28.2, 24.0, 27.5, 17.5, 15.5, 14.4, 94, 41, 18, 10, 47, 40, 10.5, lumbosacral=True
    ),
}
#: What T11 and T12 are where the thorax is drawn: processes as short, and arches as slim, as two persons measured have
#: them (docs/training.md). The lumbar spine's, of which little is seen, stay as trials know them.
_IN_THORAX = {
    "T11": replace(_MEAN["T11"], spinous_length=37.0, canal_width=17.5, stoutness=0.86),
    "T12": replace(_MEAN["T12"], spinous_length=40.0, canal_width=19.5, stoutness=0.92),
}
#: Measures that scale with the person; the others are drawn outright.
_SIZES = (
    "width_top",
    "width_bottom",
    "depth_top",
    "depth_bottom",
    "height_front",
    "height_back",
    "canal_width",
    "canal_depth",
    "pedicle_width",
    "pedicle_height",
    "transverse_span",
    "spinous_length",
    "spinous_height",
    "spinous_drop",
    "facet_spacing",
    "disc_below",
)


def mean_shapes(column: Sequence[str]) -> dict[str, VertebraShape]:
    """The mean measures of a column's vertebrae; of six lumbar ones, the last two share those of L4 and L5."""
    if column[0] == ORDER[0]:
        return {level: _MEAN[level] for level in column}
    means = {**_MEAN, **_IN_THORAX}
    if "L6" not in column:
        return {level: means[level] for level in column}
    l4, l5 = _MEAN["L4"], _MEAN["L5"]
    between = {name: (getattr(l4, name) + getattr(l5, name)) / 2 for name in (*_SIZES, "facet_angle")}
    six = {**means, "L5": replace(l5, **between, lumbosacral=False), "L6": replace(l5, name="L6")}
    return {level: six[level] for level in column}


def draw_shapes(
    rng: np.random.Generator, osteoporosis: float = 0.0, column: Sequence[str] = ORDER
) -> dict[str, VertebraShape]:
    """One person's vertebrae: a common size, a proportion of one's own, and small differences from level to level.

    Args:
        rng: Source of the variation.
        osteoporosis: 0 (none) to 1 (severe); deepens the endplates and may wedge a body by a few mm.
        column: The levels, from the head down.
    """
    size = 1.0 + 0.055 * np.clip(rng.standard_normal(), -2, 2)
    own = {name: 1.0 + 0.03 * np.clip(rng.standard_normal(), -2, 2) for name in _SIZES}
    own["disc_below"] *= 1.0 - 0.12 * abs(rng.standard_normal())
    shapes = {}
    for level, mean in mean_shapes(column).items():
        jitter = {name: 1.0 + 0.022 * np.clip(rng.standard_normal(), -2, 2) for name in _SIZES}
        sizes = {name: getattr(mean, name) * size * own[name] * jitter[name] for name in _SIZES}
        spurs = 0.0 if level == column[0] else float(rng.uniform(0.0, 2.5))
        collapse = osteoporosis * rng.exponential(1.2)
        sizes["height_front"] = max(sizes["height_front"] - collapse, 0.72 * sizes["height_back"])
        shapes[level] = replace(
            mean,
            **sizes,
            facet_angle=mean.facet_angle + 4.0 * float(np.clip(rng.standard_normal(), -2, 2)),
            rim=float(rng.uniform(0.0, 0.045)),
            spurs=spurs,
            waist=float(rng.uniform(0.075, 0.13)),
            dip_top=float(rng.uniform(1.1, 2.0) * (1 + 0.8 * osteoporosis)),
            dip_bottom=float(rng.uniform(1.6, 2.6) * (1 + 0.8 * osteoporosis)),
        )
    return shapes
