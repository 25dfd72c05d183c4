"""What the documentation's pictures of contours share: X-ray and contour in one frame, and a small file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from radgs.colours import NEIGHBOUR, RESULT
from radgs.geometry import FloatArray
from radgs.overlay import ViewCrop, for_display
from radgs.overlay.contours import ProjectedLine

WIDTHS = {"silhouette": 1.3, "crest": 0.7, "neighbour": 0.5}


def draw_xray(axis: Axes, crop: ViewCrop, middle: FloatArray, shown_mm: float) -> None:
    """The X-ray, as much of it as is shown around a point (3,) of the world."""
    axis.imshow(for_display(crop.image, crop.pixel_mm, crop.valid > 0.5), cmap="gray", vmin=0, vmax=1)
    column, row = crop.geometry.project(middle)
    half = shown_mm / 2 / crop.pixel_mm
    axis.set(xlim=(column - half, column + half), ylim=(row + half, row - half), xticks=[], yticks=[])


def draw_contour(axis: Axes, lines: Sequence[ProjectedLine]) -> None:
    """The vertebra's contour in the result's colour, its neighbours' faintly."""
    for line in lines:
        colour = NEIGHBOUR if line.kind == "neighbour" else RESULT
        axis.plot(*line.points.T, color=colour, linewidth=WIDTHS[line.kind])


def save_small(figure: Figure, path: Path) -> None:
    """Writes a figure as a PNG of 256 colours, a third of the bytes."""
    figure.tight_layout(pad=0.4)
    path.parent.mkdir(parents=True, exist_ok=True)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    picture.quantize(256, method=Image.Quantize.FASTOCTREE).save(path, optimize=True)
