"""A picture of a reconstruction: X-ray, attention, the reconstruction's projection, and the CT's vertebra."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from radgs.geometry.roi import ROI_SIZE_MM
from radgs.io.atomic import write_atomically
from radgs.overlay.arrays import FloatImage, display_window, for_display, windowed
from radgs.overlay.figures import DPI, PANEL_INCHES, RESEARCH_ONLY

COLUMN_TITLES = ("X-ray", "Attention", "Reconstruction", "CT vertebra at the result")
#: Attention is 0..2; what the picture shows as bright counts twice.
ATTENTION_RANGE = (0.0, 2.0)


@dataclass(frozen=True, eq=False)
class ViewOfReconstruction:
    """One view, all images over the ROI.

    Attributes:
        name: The view's.
        xray: (P, P) line integrals as the networks were given them.
        valid: (P, P) where it was measured.
        attention: (h, w) how much each place counted, 0..2; None without attention.
        reconstruction: (P, P) line integrals of the reconstructed Gaussians.
        vertebra: (P, P) line integrals of the CT's vertebra at the result.
    """

    name: str
    xray: FloatImage
    valid: NDArray[np.bool_]
    attention: FloatImage | None
    reconstruction: FloatImage
    vertebra: FloatImage


def reconstruction_figure(title: str, views: Sequence[ViewOfReconstruction]) -> Figure:
    """A row per view; reconstruction and CT vertebra share one grey scale."""
    rows = len(views)
    figure = Figure(figsize=(4 * PANEL_INCHES + 0.4, rows * PANEL_INCHES + 1.1), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    height = figure.get_figheight()
    axes = figure.subplots(rows, 4, squeeze=False)
    figure.subplots_adjust(left=0.03, right=0.995, top=1 - 0.8 / height, bottom=0.3 / height, wspace=0.03, hspace=0.03)
    for view, row in zip(views, axes, strict=True):
        _draw_row(row, view)
    for axis, heading in zip(axes[0], COLUMN_TITLES, strict=True):
        axis.set_title(heading, fontsize=11)
    figure.text(0.03, 1 - 0.3 / height, title, fontsize=13, weight="bold")
    note = f"Each picture is {ROI_SIZE_MM:.0f} mm wide at the vertebra. {RESEARCH_ONLY}"
    figure.text(0.03, 0.1 / height, note, fontsize=8.5, color="0.35")
    return figure


def save_reconstruction_figure(path: Path, title: str, views: Sequence[ViewOfReconstruction]) -> Path:
    """Writes the picture as PNG."""
    with write_atomically(path) as aside:
        reconstruction_figure(title, views).savefig(aside)
    return path


def _draw_row(row: Sequence[Axes], view: ViewOfReconstruction) -> None:
    grey = for_display(view.xray, ROI_SIZE_MM / view.xray.shape[0], view.valid)
    window = display_window(np.stack([view.reconstruction, view.vertebra]))
    for axis, picture in zip(
        row, (grey, grey, windowed(view.reconstruction, window), windowed(view.vertebra, window)), strict=True
    ):
        axis.imshow(picture, cmap="gray", vmin=0.0, vmax=1.0, extent=(0, 1, 0, 1), interpolation="bilinear")
        axis.set_xticks([])
        axis.set_yticks([])
    if view.attention is not None:
        low, high = ATTENTION_RANGE
        row[1].imshow(
            view.attention,
            cmap="inferno",
            vmin=low,
            vmax=high,
            alpha=0.55,
            extent=(0, 1, 0, 1),
            interpolation="bilinear",
        )
    row[0].set_ylabel(view.name, fontsize=12)
