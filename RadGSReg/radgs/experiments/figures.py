"""Pictures of the experiments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from radgs.colours import AREA_COLOUR, SERIES_COLOURS
from radgs.evaluation.trials import Trial
from radgs.geometry.roi import ROI_SIZE_MM
from radgs.io.atomic import write_atomically
from radgs.networks.segmentation import Part, SegmentedGaussians
from radgs.overlay.arrays import for_display
from radgs.training.batches import TrainingBatch

#: Attention is 1 on average; what is more than twice that is as bright.
ATTENTION_RANGE = (0.0, 2.0)
MIN_PLOTTED_MM = 0.02

#: What a training saw at each look.
History = Sequence[Mapping[str, float]]


def save_learning_curves(
    path: Path, curves: Mapping[str, History], bar: float | None = None, empty: float | None = None
) -> None:
    """Held-out SSIM and Kabsch error against steps, a line per training."""
    figure = _figure(10.0, 4.0)
    similarity, inside, pose = figure.subplots(1, 3)
    for axis, key, title in (
        (similarity, "ssim_3d", "SSIM, ROI"),
        (inside, "ssim_inside", "SSIM, inside the mask"),
        (pose, "kabsch_median_mm", "mTRE by Kabsch, median, mm"),
    ):
        for (name, history), colour in zip(curves.items(), SERIES_COLOURS, strict=False):
            axis.plot([look["steps"] for look in history], [look[key] for look in history], color=colour, label=name)
        axis.set(xlabel="step", title=title)
        axis.grid(alpha=0.25)
    for value, what in ((bar, "bar"), (empty, "empty volume")):
        if value is not None:
            similarity.axhline(value, color="0.5", linestyle="dashed" if what == "bar" else "dotted", label=what)
    pose.set_ylim(bottom=0)
    similarity.legend(fontsize=8)
    _save(figure, path)


def save_attention_maps(path: Path, maps: Mapping[str, Sequence[tuple[Tensor, TrainingBatch]]]) -> None:
    """The same held-out X-rays under every network's attention: a column per network, a row per view."""
    names = list(maps)
    views = [(pair, view) for pair in range(len(maps[names[0]])) for view in range(2)]
    figure = _figure(2.6 * (1 + len(names)), 2.6 * len(views))
    axes = figure.subplots(len(views), 1 + len(names), squeeze=False)
    for row, (pair, view) in zip(axes, views, strict=True):
        batch = maps[names[0]][pair][1]
        xray = batch.views.images[0, view].cpu().numpy()
        grey = for_display(xray, ROI_SIZE_MM / xray.shape[0], batch.views.valid[0, view].cpu().numpy() > 0.5)
        shadow = batch.images[0, view].cpu().numpy()
        for axis in row:
            axis.imshow(grey, cmap="gray", vmin=0.0, vmax=1.0)
            axis.contour(shadow, levels=[0.1 * shadow.max()], colors=AREA_COLOUR, linewidths=0.6)
            axis.set(xticks=[], yticks=[])
        for axis, name in zip(row[1:], names, strict=True):
            _lay_over(axis, maps[name][pair][0][view].cpu().numpy(), xray.shape[0])
    for axis, title in zip(axes[0], ("X-ray and vertebra", *names), strict=True):
        axis.set_title(title, fontsize=10)
    _save(figure, path)


def save_noise_curves(path: Path, curves: Mapping[str, Mapping[float, float]]) -> None:
    """SSIM inside the mask against quanta per pixel, a line per arm."""
    figure = _figure(6.4, 4.2)
    axis = figure.add_subplot()
    for (name, own), colour in zip(curves.items(), SERIES_COLOURS, strict=False):
        axis.plot(list(own), list(own.values()), color=colour, marker="o", markersize=3, label=name)
    axis.set_xscale("log")
    axis.set(xlabel="quanta per pixel in the open beam", title="SSIM, inside the mask")
    axis.grid(alpha=0.25)
    axis.legend(fontsize=8)
    _save(figure, path)


def save_segmented(path: Path, found: SegmentedGaussians, truth: NDArray[np.int64]) -> None:
    """Gaussians of one pair from the front and from the side, coloured by their labels, and by the truth."""
    means = found.gaussians.means.detach().cpu().numpy()
    mass = found.mass().detach().cpu().numpy()
    sizes = 10.0 * np.clip(mass / max(np.percentile(mass, 95), 1e-9), 0.02, 1.0)
    figure = _figure(9.0, 8.6)
    axes = figure.subplots(2, 2)
    columns = (("labelled", found.parts.cpu().numpy()), ("truth", truth))
    for row, across, title in ((axes[0], 0, "from the front"), (axes[1], 1, "from the side")):
        for axis, (what, parts) in zip(row, columns, strict=True):
            for part, colour in zip(Part, SERIES_COLOURS, strict=False):
                chosen = parts == part
                axis.scatter(means[chosen, across], means[chosen, 2], s=sizes[chosen], color=colour, label=part.name)
            share = mass[parts == Part.vertebra].sum() / mass.sum()
            axis.set(title=f"{what}, {title}: {share:.0%} vertebra", xlim=(-64, 64), ylim=(-64, 64), aspect="equal")
            axis.set(xlabel=("right" if across == 0 else "anterior") + ", mm", ylabel="superior, mm")
            axis.grid(alpha=0.25)
    axes[0, 0].legend(fontsize=8, markerscale=2.0)
    _save(figure, path)


def save_offsets(path: Path, done: Mapping[float, Sequence[Trial]], stages: Sequence[str]) -> None:
    """Error after each stage against the clicks' offset: every trial a point, medians joined."""
    figure = _figure(6.4, 4.4)
    axis = figure.add_subplot()
    for number, (stage, colour) in enumerate(zip(stages, SERIES_COLOURS, strict=False)):
        known = [(o, [t.stages_mm[stage] for t in trials if stage in t.stages_mm]) for o, trials in done.items()]
        known = [(offset, errors) for offset, errors in known if errors]
        if known:
            axis.plot([o for o, _ in known], [float(np.median(e)) for _, e in known], color=colour, label=stage)
        for offset, errors in known:
            beside = offset + 0.5 * (number - (len(stages) - 1) / 2)
            axis.scatter([beside] * len(errors), np.maximum(errors, MIN_PLOTTED_MM), s=9, color=colour, alpha=0.6)
    axis.set_yscale("log")
    axis.axhline(2.0, color="0.5", linewidth=0.8, linestyle="dashed")
    axis.yaxis.set_major_formatter("{x:g}")
    axis.set(xlabel="offset of the clicks, mm", ylabel="mTRE, mm", title="What is left of a known offset")
    axis.legend()
    axis.grid(alpha=0.25)
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    with write_atomically(path, private=False) as aside:
        figure.savefig(aside)


def _figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), dpi=110, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _lay_over(axis: Axes, attention: np.ndarray, pixels: int) -> None:
    low, high = ATTENTION_RANGE
    extent = (-0.5, pixels - 0.5, pixels - 0.5, -0.5)
    axis.imshow(attention, cmap="inferno", vmin=low, vmax=high, alpha=0.55, extent=extent, interpolation="bilinear")
