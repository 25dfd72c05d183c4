"""A picture of a reconstruction: X-ray, attention, the reconstruction's projection, and the CT's vertebra."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray
from scipy import ndimage

from radgs.colours import RESULT
from radgs.geometry.roi import ROI_SIZE_MM
from radgs.io.atomic import write_atomically
from radgs.overlay.arrays import FloatImage, display_window, for_display, windowed
from radgs.overlay.contours import ProjectedLine
from radgs.overlay.figures import DPI, PANEL_INCHES, PNG, RESEARCH_ONLY

COLUMN_TITLES = ("X-ray", "Attention", "Reconstruction", "CT vertebra at the result")
#: Attention is 0..2; what the picture shows as bright counts twice.
ATTENTION_RANGE = (0.0, 2.0)
ATTENTION_COLOURS = "inferno"


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
        inside: (P, P) where the CT's vertebra falls at the result.
        contour: Its lines, (column, row) in these pixels.
    """

    name: str
    xray: FloatImage
    valid: NDArray[np.bool_]
    attention: FloatImage | None
    reconstruction: FloatImage
    vertebra: FloatImage
    inside: NDArray[np.bool_]
    contour: tuple[ProjectedLine, ...] = ()

    @property
    def attention_inside(self) -> tuple[float, float] | None:
        """The shares of the attention, and of the picture, that lie within the vertebra; None without attention.

        Both are of what was measured. Where the first is no larger than the second, attention does not favour the bone.
        """
        if self.attention is None or not self.valid.any():
            return None
        across = self.xray.shape[0] / self.attention.shape[0]
        fine = ndimage.zoom(self.attention, across, order=1, mode="nearest", grid_mode=True) * self.valid
        total = float(fine.sum())
        share = float((fine * self.inside).sum()) / total if total > 0 else 0.0
        return share, float(self.inside[self.valid].mean())


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
    if any(view.attention is not None for view in views):
        _draw_scale(figure)
    note = f"Each picture is {ROI_SIZE_MM:.0f} mm wide at the vertebra. {RESEARCH_ONLY}"
    figure.text(0.03, 0.1 / height, note, fontsize=8.5, color="0.35")
    return figure


def save_reconstruction_figure(path: Path, title: str, views: Sequence[ViewOfReconstruction]) -> Path:
    """Writes the picture as PNG."""
    with write_atomically(path) as aside:
        reconstruction_figure(title, views).savefig(aside, pil_kwargs=PNG)
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
    for axis in row[:2]:
        for line in view.contour:
            if line.kind == "silhouette":
                places = (line.points + 0.5) / view.xray.shape[0]
                axis.plot(places[:, 0], 1 - places[:, 1], color=RESULT, linewidth=1.2)
        axis.set(xlim=(0, 1), ylim=(0, 1))
    if view.attention is not None:
        low, high = ATTENTION_RANGE
        row[1].imshow(
            view.attention,
            cmap=ATTENTION_COLOURS,
            vmin=low,
            vmax=high,
            alpha=0.55,
            extent=(0, 1, 0, 1),
            interpolation="bilinear",
        )
    if (shares := view.attention_inside) is not None:
        said = f"{shares[0]:.0%} of it inside the vertebra, which takes {shares[1]:.0%}"
        halo = [withStroke(linewidth=2.5, foreground="black")]
        row[1].text(0.5, 0.02, said, ha="center", va="bottom", fontsize=9, color="white", path_effects=halo)
    row[0].set_ylabel(view.name, fontsize=12)


def _draw_scale(figure: Figure) -> None:
    """What the attention's colours stand for, at the top right."""
    width, height = figure.get_size_inches()
    axis = figure.add_axes((1 - 2.6 / width, 1 - 0.36 / height, 2.3 / width, 0.12 / height))
    low, high = ATTENTION_RANGE
    axis.imshow(np.linspace(0, 1, 256)[None], cmap=ATTENTION_COLOURS, aspect="auto", extent=(low, high, 0, 1))
    axis.set(yticks=[], xticks=[low, (low + high) / 2, high])
    axis.set_xticklabels([f"{low:.0f}", "attention 1", f"{high:.0f}"], fontsize=8)
    axis.tick_params(length=2, pad=1)
