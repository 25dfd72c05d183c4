"""Draws what a misregistration of a millimetre looks like in the contour and in the agreement map, on the demo case.

.venv/bin/python Testing/benchmarks/draw_misregistration.py
"""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
from contour_pictures import draw_contour, draw_xray, save_small
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

import radgs
from radgs.case import RegistrationCase
from radgs.colours import AGREEING, DOUBTFUL
from radgs.geometry import RigidTransform
from radgs.overlay import Contours, ViewCrop, crop_view, drr, local_agreement, projected_lines
from radgs.overlay.pictures import DrawnAnatomy, drawn_anatomy

PICTURE = Path(__file__).resolve().parents[2] / "docs" / "pictures" / "judging" / "one_millimetre.png"
DEMO = Path(radgs.__file__).resolve().parent / "data" / "demo"
#: Seen as large as this, mm, around the vertebral body.
SHOWN_MM = 78.0


def draw() -> None:
    """A column per distance from the truth, the contour above and the map below; the AP view."""
    case = RegistrationCase.load(DEMO)
    level, truth, view = case.levels[0], case.truth["L3"], case.views[0]
    anatomy = drawn_anatomy(case.ct, case.labels, level)
    contours = Contours.of(case.labels, level.label, anatomy.frame_to_ct)
    crop = crop_view(view, anatomy, truth, 384)
    across, down = crop.geometry.column_step, crop.geometry.row_step
    away = (0.6 * across + 0.8 * down) / np.linalg.norm(across)
    figure, axes = plt.subplots(2, 3, figsize=(9.0, 6.3), dpi=80, facecolor="white")
    for column, distance_mm in zip(axes.T, (0.0, 1.0, 2.0), strict=True):
        pose = RigidTransform(truth.rotation, truth.translation + distance_mm * away)
        draw_column(column, crop, pose, anatomy, contours)
        column[0].set_title("at the truth" if not distance_mm else f"{distance_mm:.0f} mm beside it", fontsize=11)
    axes[0, 0].set_ylabel("contour")
    axes[1, 0].set_ylabel("agreement of the edges")
    save_small(figure, PICTURE)


def draw_column(
    column: tuple[Axes, Axes], crop: ViewCrop, pose: RigidTransform, anatomy: DrawnAnatomy, contours: Contours
) -> None:
    """Contour and map at one pose."""
    lines = projected_lines(contours, pose, crop.geometry)
    agreement = local_agreement(crop, drr(anatomy, pose, crop.geometry), lines)
    for axis in column:
        draw_xray(axis, crop, pose.apply(anatomy.centre), SHOWN_MM)
    draw_contour(column[0], lines)
    column[1].imshow(agreement.picture())
    column[1].set_xlabel(f"mean {agreement.mean:.2f}")


if __name__ == "__main__":
    mpl.use("agg")
    draw()
    print(f"Drawn: {PICTURE}; {DOUBTFUL} is where edges do not agree, {AGREEING} where they do.")
