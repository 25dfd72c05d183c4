"""Draws the pictures of the geometry's documentation, from the very functions that it documents.

.venv/bin/python Testing/benchmarks/draw_conventions.py
"""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.patches import Circle, Rectangle

from radgs.geometry.c_arm import beam_direction

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "pictures" / "geometry"
BLUE, GREY, RED = "#1f5fa8", "#777777", "#b3362b"


def draw_angles(path: Path) -> None:
    """Primary angles seen from the feet, secondary angles seen from the left: where the detector is."""
    figure, axes = plt.subplots(1, 2, figsize=(7.2, 3.5), dpi=110)
    for axis, title, across, up, angles, marks in (
        (
            axes[0],
            "Primary angle, seen from the feet",
            np.array([-1.0, 0, 0]),
            np.array([0, 1.0, 0]),
            [(0, 0), (45, 0), (90, 0), (-45, 0), (-90, 0), (180, 0)],
            ("left (L)", "right (R)", "front (A)", "back (P)"),
        ),
        (
            axes[1],
            "Secondary angle, seen from the left",
            np.array([0, 1.0, 0]),
            np.array([0, 0, 1.0]),
            [(0, 0), (0, 30), (0, -30), (0, 60)],
            ("front (A)", "back (P)", "head (H)", "feet (F)"),
        ),
    ):
        axis.add_patch(Circle((0, 0), 0.28, color="#e8d9c5"))
        axis.text(0, 0, "patient", ha="center", va="center", fontsize=8)
        for primary, secondary in angles:
            beam = beam_direction(primary, secondary)
            x, y = float(beam @ across), float(beam @ up)
            axis.plot([-x, x], [-y, y], color=GREY, lw=0.7, ls=":")
            side = np.array([-y, x]) * 0.16
            axis.plot([x - side[0], x + side[0]], [y - side[1], y + side[1]], color=BLUE, lw=4, solid_capstyle="butt")
            axis.text(
                1.32 * x,
                1.25 * y,
                f"{primary or secondary:+d}°".replace("+0°", "0°").replace("+180", "180"),
                ha="center",
                va="center",
                color=BLUE,
            )
        for (x, y), text in zip(((2.2, 0), (-2.2, 0), (0, 1.62), (0, -1.62)), marks, strict=True):
            axis.text(x, y, text, ha="center", va="center", fontsize=8, color=GREY)
        axis.set_title(title, fontsize=9)
        axis.set_xlim(-2.7, 2.7)
        axis.set_ylim(-1.75, 1.75)
        axis.set_aspect("equal")
        axis.axis("off")
    figure.text(
        0.5,
        0.02,
        "blue: the detector; the source stands opposite, at the dotted line's other end",
        ha="center",
        fontsize=8,
    )
    figure.savefig(path, bbox_inches="tight")


def draw_pixels(path: Path) -> None:
    """Where the first pixel's centre is, and which way rows are counted, in each choice."""
    figure, axes = plt.subplots(1, 4, figsize=(7.6, 2.5), dpi=110)
    for axis, (rows, pixels, origin) in zip(
        axes,
        (("down", "centre", 0.0), ("down", "corner", 0.5), ("down", "one", 1.0), ("up", "centre", 0.0)),
        strict=True,
    ):
        for column in range(3):
            for row in range(3):
                axis.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, ec="#bbbbbb"))
                v = (2 - row if rows == "up" else row) + origin
                axis.text(column, row, f"{column + origin:g}, {v:g}", ha="center", va="center", fontsize=6.5)
        corner = 2 if rows == "up" else 0
        axis.plot(0, corner, "o", ms=24, mfc="none", mec=RED)
        axis.set_title(f"--rows {rows}\n--pixels {pixels}", fontsize=8)
        axis.set_xlim(-0.7, 2.7)
        axis.set_ylim(2.7, -0.7)
        axis.set_aspect("equal")
        axis.axis("off")
    figure.text(
        0.5,
        0.0,
        "(u, v) of the pixels' centres; the image's top left pixel is at the top left",
        ha="center",
        fontsize=8,
    )
    figure.savefig(path, bbox_inches="tight")


def draw_model_frame(path: Path) -> None:
    """Autoscoper's model frame: a slice of three rows and four columns, and a stack of three slices from the side."""
    figure, (face, side) = plt.subplots(1, 2, figsize=(6.6, 2.9), dpi=110)
    for column in range(4):
        for row in range(3):
            face.add_patch(Rectangle((column, 2 - row), 1, 1, fill=False, ec="#bbbbbb"))
            face.text(column + 0.5, 2.5 - row, f"{column}, {row}", ha="center", va="center", fontsize=7)
    for number in range(3):
        side.add_patch(Rectangle((0, -number - 1), 4, 1, fill=False, ec="#bbbbbb"))
        side.text(2, -number - 0.5, f"slice {number}", ha="center", va="center", fontsize=7)
    for axis, up, title, low, high in (
        (face, "y", "a slice, as displayed: column, row", -0.4, 4.4),
        (side, "z", "the stack, from the side", -3.4, 1.4),
    ):
        for step, name in (((5.0, 0), "x"), ((0, 4.0 if up == "y" else 1.0), up)):
            axis.annotate("", step, (0, 0), arrowprops={"arrowstyle": "->", "color": BLUE, "lw": 1.6})
            axis.text(step[0] + 0.15, step[1] + 0.1, name, color=BLUE)
        axis.plot(0, 0, "o", color=RED, ms=5)
        axis.set_title(title, fontsize=8)
        axis.set_xlim(-0.6, 5.6)
        axis.set_ylim(low, high)
        axis.set_aspect("equal")
        axis.axis("off")
    figure.text(0.5, 0.02, "red: the origin, at a corner of the last row's first voxel", ha="center", fontsize=8)
    figure.savefig(path, bbox_inches="tight")


if __name__ == "__main__":
    mpl.use("Agg")
    FOLDER.mkdir(parents=True, exist_ok=True)
    draw_angles(FOLDER / "c-arm-angles.png")
    draw_pixels(FOLDER / "pixels.png")
    draw_model_frame(FOLDER / "model-frame.png")
