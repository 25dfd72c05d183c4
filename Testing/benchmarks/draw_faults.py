"""Draws where registration ends when something is wrong with a case, and what the verdict is: the demo's patient, L3.

.venv/bin/python Testing/benchmarks/draw_faults.py
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import make_demo_case
import matplotlib as mpl
import numpy as np
from contour_pictures import draw_contour, draw_xray, save_small
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from radgs.case import Level, LevelResult, RegistrationCase
from radgs.colours import VERDICT_COLOURS
from radgs.evaluation.metrics import mtre
from radgs.geometry import RigidTransform, XRayView
from radgs.overlay import Contours, crop_view, projected_lines
from radgs.phantom import make_spine
from radgs.pipeline import register
from radgs.simulation import ArticulatedAnatomy, SimulationSettings
from radgs.simulation.faults import fault_named, simulate_faulty_case
from radgs.vertebra import VertebraAnatomy, build_vertebra_anatomy

PICTURE = Path(__file__).resolve().parents[2] / "docs" / "pictures" / "judging" / "faults.png"
LEVEL, SEED = "L3", 11
#: What is wrong, and what it is called in the picture; the last one shows in no image.
FAULTS = {
    "none": "nothing wrong",
    "mirrored-ap": "AP mirrored",
    "moved-6deg": "patient turned by 6 degrees",
    "detector-10mm": "LAT detector 10 mm off",
    "moved-along-beam-5mm": "patient moved 5 mm along\nthe AP beam, between shots",
}
#: Seen as large as this, mm, around the vertebral body.
SHOWN_MM = 96.0


def draw() -> None:
    """A column per fault, the AP view above the lateral one."""
    spine = make_spine(
        make_demo_case.PATIENT_SEED, spacing_mm=make_demo_case.VOXEL_MM, noise_hu=make_demo_case.NOISE_HU
    )
    anatomy = ArticulatedAnatomy(spine.ct, spine.labels, spine.levels)
    level = Level(LEVEL, spine.levels[LEVEL])
    vertebra = build_vertebra_anatomy(spine.ct, spine.labels, level)
    contours = Contours.of(spine.labels, level.label, vertebra.frame_to_ct)
    figure, axes = plt.subplots(2, len(FAULTS), figsize=(2.55 * len(FAULTS), 6.0), dpi=80, facecolor="white")
    for column, (name, title) in zip(axes.T, FAULTS.items(), strict=True):
        settings = SimulationSettings(detector_pixels=384)
        faulty = simulate_faulty_case(anatomy, LEVEL, fault_named(name), np.random.default_rng(SEED), settings)
        found = register(faulty.case, vertebrae={LEVEL: vertebra}).result.levels[LEVEL]
        draw_column(column, faulty.case, found, vertebra, contours)
        column[0].set_title(title, fontsize=10)
        print(name, found.verdict, [reason.code for reason in found.reasons])
    for axis, view in zip(axes[:, 0], ("AP", "LAT"), strict=True):
        axis.set_ylabel(view)
    save_small(figure, PICTURE)


def draw_column(
    column: Sequence[Axes], case: RegistrationCase, found: LevelResult, vertebra: VertebraAnatomy, contours: Contours
) -> None:
    """Both views with the contour where registration put it; below, the verdict and how far that is from the truth."""
    pose = found.ct_to_world
    assert pose is not None
    for axis, view in zip(column, case.views, strict=True):
        draw_view(axis, view, vertebra, contours, pose)
    off_mm = mtre(vertebra.surface, case.truth[LEVEL], pose)
    codes = ", ".join(reason.code for reason in found.reasons) or "no reason against it"
    column[1].set_xlabel(
        f"{found.verdict}, {off_mm:.1f} mm off\n{codes}",
        color=VERDICT_COLOURS[found.verdict],
        weight="bold",
        fontsize=9,
    )


def draw_view(axis: Axes, view: XRayView, vertebra: VertebraAnatomy, contours: Contours, pose: RigidTransform) -> None:
    """One X-ray around the vertebra, with its contour and its neighbours'."""
    crop = crop_view(view, vertebra, pose, 384)
    draw_xray(axis, crop, pose.apply(vertebra.surface.mean(axis=0)), SHOWN_MM)
    draw_contour(axis, projected_lines(contours, pose, crop.geometry))


if __name__ == "__main__":
    mpl.use("agg")
    draw()
    print(f"Drawn: {PICTURE}")
