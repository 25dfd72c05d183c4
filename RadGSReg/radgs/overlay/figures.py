"""A registration as a picture per level and per view, drawn by matplotlib on the Agg canvas, without global state."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.text import Annotation, Text

from radgs.case import VERDICT_SIGNS, LevelResult
from radgs.colours import NEIGHBOUR, RESULT, START, VERDICT_COLOURS
from radgs.geometry import RigidTransform, XRayView
from radgs.io.atomic import write_atomically
from radgs.overlay.arrays import FloatImage, ViewCrop, crop_view, drr, for_display, in_the_middle, in_view
from radgs.overlay.contours import Contours, ProjectedLine, projected_lines
from radgs.overlay.marks import edge_labels
from radgs.overlay.picture_names import overlay_name, view_names
from radgs.vertebra import VertebraAnatomy

DASHES = (0, (4.0, 2.5))
#: Of lines by their kind, points.
WIDTHS = {"silhouette": 1.6, "crest": 0.8, "neighbour": 0.7}

COLUMN_TITLES = ("X-ray", "DRR at the start", "DRR at the result", "X-ray with the contour")
PANEL_INCHES = 3.3
DPI = 110
#: PNG's usual 6 takes two and a half times as long, for files a tenth smaller.
PNG = {"compress_level": 3}
SCALE_BAR_MM = 20.0
RESEARCH_ONLY = "Research use only, not a medical device."


@dataclass(frozen=True, eq=False)
class ViewPicture:
    """Everything drawn of one view; images are windowed to 0..1, lines are in the crop's pixels."""

    name: str
    crop: ViewCrop
    xray: FloatImage
    start_drr: FloatImage | None
    result_drr: FloatImage | None
    start_lines: tuple[ProjectedLine, ...]
    result_lines: tuple[ProjectedLine, ...]
    similarity: dict[str, float]
    conversion: str
    out_of_view: frozenset[str]


def level_overlay(name: str, level: LevelResult, pictures: Sequence[ViewPicture]) -> Figure:
    """One picture of a level's registration, a row per view.

    Columns: the X-ray; the DRR at the start; the DRR at the result; the X-ray with the vertebra's silhouette at the
    start (dashed) and its contour at the result: silhouette, inner crests, and faintly its neighbours'. Each view is
    cropped around the vertebra where it was found.

    Args:
        name: The level, e.g. "L3".
        level: Its result.
        pictures: Of every view.
    """
    rows = len(pictures)
    figure = Figure(figsize=(4 * PANEL_INCHES + 0.4, rows * PANEL_INCHES + 1.35), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    height = figure.get_figheight()
    axes = figure.subplots(rows, 4, squeeze=False)
    figure.subplots_adjust(left=0.03, right=0.995, top=1 - 1.0 / height, bottom=0.33 / height, wspace=0.03, hspace=0.03)
    for picture, row in zip(pictures, axes, strict=True):
        _draw_row(row, picture)
    for axis, title in zip(axes[0], COLUMN_TITLES, strict=True):
        axis.set_title(title, fontsize=11)
    _draw_heading(figure, name, level)
    _draw_legend(figure, level)
    figure.text(0.03, 0.1 / height, _footnote(pictures), fontsize=8.5, color="0.35")
    return figure


def view_overlay(name: str, level: LevelResult, picture: ViewPicture) -> Figure:
    """One view of a level, large: the X-ray with the silhouette at the start, dashed, and the contour at the result."""
    figure = Figure(figsize=(6.4, 7.5), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    axis = figure.add_axes((0.02, 0.05, 0.96, 0.82))
    _draw_outlined(axis, picture)
    _draw_heading(figure, f"{name} {picture.name}", level)
    _draw_legend(figure, level)
    figure.text(0.02, 0.015, RESEARCH_ONLY, fontsize=8.5, color="0.35")
    return figure


def save_overlays(
    folder: str | Path,
    name: str,
    level: LevelResult,
    vertebra: VertebraAnatomy,
    contours: Contours,
    views: Sequence[XRayView],
    files: Sequence[str] | None = None,
) -> list[Path]:
    """Writes ``<level>_overlay.png`` and a picture per view; returns their paths.

    Args:
        folder: Where to.
        name: The level, e.g. "L3".
        level: Its result.
        vertebra: Its anatomy.
        contours: Its surface and its neighbours'.
        views: The X-rays.
        files: What the views' pictures are called; by default as ``radgs.overlay.picture_names`` does for one level.

    Raises:
        OutputError: A file cannot be written.
    """
    pictures = [picture_of(view, level, vertebra, contours) for view in views]
    names = files or view_names([name], [view.name for view in views])[name]
    written = []
    figures = [level_overlay(name, level, pictures), *(view_overlay(name, level, picture) for picture in pictures)]
    for file, figure in zip((overlay_name(name), *names), figures, strict=True):
        written.append(Path(folder) / file)
        with write_atomically(written[-1]) as aside:
            figure.savefig(aside, pil_kwargs=PNG)
    return written


def picture_of(view: XRayView, level: LevelResult, vertebra: VertebraAnatomy, contours: Contours) -> ViewPicture:
    """What the pictures show of one view: cropped around the vertebra where it was found."""
    poses = {"start": level.stages.get("start"), "result": level.ct_to_world}
    seen = {when: pose for when, pose in poses.items() if pose is not None and in_view(view.geometry, vertebra, pose)}
    start, result = seen.get("start"), seen.get("result")
    crop = crop_view(view, vertebra, result or start or in_the_middle(view.geometry, vertebra))

    def shown_drr(pose: RigidTransform | None) -> FloatImage | None:
        if pose is None:
            return None
        image = drr(vertebra, pose, crop.geometry)
        return for_display(image, crop.pixel_mm, image > 0)

    return ViewPicture(
        name=view.name,
        crop=crop,
        xray=for_display(crop.image, crop.pixel_mm, crop.valid > 0.5),
        start_drr=shown_drr(start),
        result_drr=shown_drr(result),
        start_lines=() if start is None else projected_lines(contours, start, crop.geometry),
        result_lines=() if result is None else projected_lines(contours, result, crop.geometry),
        similarity=dict(level.similarity.get(view.name, {})),
        conversion=view.conversion,
        out_of_view=frozenset(when for when, pose in poses.items() if pose is not None and when not in seen),
    )


def _draw_row(row: Sequence[Axes], picture: ViewPicture) -> None:
    plain, start, result, outlined = row
    _draw_image(plain, picture.xray)
    _draw_marks(plain, picture.crop)
    plain.set_ylabel(picture.name, fontsize=14, fontweight="bold")
    for axis, image, when in ((start, picture.start_drr, "start"), (result, picture.result_drr, "result")):
        if image is None:
            _draw_nothing(axis, "out of this view" if when in picture.out_of_view else "no pose")
            continue
        _draw_image(axis, image)
        _draw_marks(axis, picture.crop, scale_bar=False)
        if when in picture.similarity:
            _write(axis, 0.98, 0.02, f"similarity {picture.similarity[when]:.2f}", ha="right", va="bottom")
    _draw_outlined(outlined, picture)


def _draw_outlined(axis: Axes, picture: ViewPicture) -> None:
    _draw_image(axis, picture.xray)
    for line in picture.start_lines:
        if line.kind == "silhouette":
            axis.plot(*line.points.T, color=START, linestyle=DASHES, linewidth=WIDTHS[line.kind])
    for line in picture.result_lines:
        colour = NEIGHBOUR if line.kind == "neighbour" else RESULT
        axis.plot(*line.points.T, color=colour, linewidth=WIDTHS[line.kind])
    _draw_marks(axis, picture.crop)


def _draw_image(axis: Axes, image: FloatImage) -> None:
    rows, columns = image.shape
    axis.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="bilinear")
    axis.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5), xticks=[], yticks=[])


def _draw_nothing(axis: Axes, message: str) -> None:
    axis.set(xticks=[], yticks=[], facecolor="0.9")
    axis.set_box_aspect(1)
    axis.text(0.5, 0.5, message, transform=axis.transAxes, ha="center", va="center", color="0.3")


def _draw_marks(axis: Axes, crop: ViewCrop, scale_bar: bool = True) -> None:
    """The patient's directions at the borders, and a bar that measures millimetres at the vertebra."""
    labels = edge_labels(crop.geometry)
    _write(axis, 0.015, 0.5, labels["left"], ha="left", va="center", size=11)
    _write(axis, 0.985, 0.5, labels["right"], ha="right", va="center", size=11)
    _write(axis, 0.5, 0.985, labels["top"], ha="center", va="top", size=11)
    _write(axis, 0.5, 0.015, labels["bottom"], ha="center", va="bottom", size=11)
    if scale_bar:
        pixels = crop.image.shape[0]
        length = SCALE_BAR_MM / crop.pixel_mm / pixels
        ends, halo = [0.03, 0.03 + length], _halo(2)
        axis.plot(ends, [0.035] * 2, transform=axis.transAxes, color="white", linewidth=3, path_effects=halo)
        _write(axis, 0.03 + length / 2, 0.05, f"{SCALE_BAR_MM:.0f} mm", ha="center", va="bottom")


def _write(axis: Axes, x: float, y: float, text: str, ha: str, va: str, size: float = 8.5) -> None:
    axis.text(x, y, text, transform=axis.transAxes, ha=ha, va=va, fontsize=size, color="white", path_effects=_halo(2.5))


def _halo(width: float) -> list[withStroke]:
    return [withStroke(linewidth=width, foreground="black")]


def _draw_heading(figure: Figure, name: str, level: LevelResult) -> None:
    """The level, its verdict on a badge, the predicted error, and the first ground for the verdict."""
    width, height = figure.get_size_inches()
    line = 1 - 0.3 / height
    left = 0.2 / width
    title = figure.text(left, line, name, fontsize=17, fontweight="bold", va="center")
    colour = VERDICT_COLOURS[level.verdict]
    badge = _after(figure, title, f"{VERDICT_SIGNS[level.verdict]} {level.verdict}", 18)
    badge.set(color="white", fontsize=13, fontweight="bold")
    badge.set_bbox({"boxstyle": "round,pad=0.3", "facecolor": colour, "edgecolor": "none"})
    _after(figure, badge, predicted_error_text(level), 14)
    if level.verdict != "accept" and level.reasons:
        message = shorten(level.reasons[0].message, round(12 * width), placeholder=" ...")
        figure.text(left, 1 - 0.63 / height, message, fontsize=9.5, color="0.2", va="center")


def _after(figure: Figure, previous: Text, text: str, gap_points: float) -> Annotation:
    """Text to the right of another text, on its line."""
    annotation = Annotation(text, (1, 0.5), (gap_points, 0), previous, "offset points", va="center", fontsize=11)
    figure.add_artist(annotation)
    return annotation


def predicted_error_text(level: LevelResult) -> str:
    """The predicted error in words, or why there is none."""
    if level.ct_to_world is None:
        return "no pose was found"
    error = level.predicted_error_mm.get("surface_p95", math.nan)
    return f"predicted error {error:.1f} mm (95 % of the surface)" if math.isfinite(error) else "no predicted error"


def _footnote(pictures: Sequence[ViewPicture]) -> str:
    """What the picture is not, and where its X-rays come from."""
    conversions = sorted({picture.conversion for picture in pictures})
    return shorten(f"{RESEARCH_ONLY} X-rays: " + "; ".join(conversions), 200, placeholder=" ...")


def _draw_legend(figure: Figure, level: LevelResult) -> None:
    """What the two contours are, at the top right; one that is not there is not named."""
    width, height = figure.get_size_inches()
    lines = []
    if level.stages.get("start") is not None:
        lines.append(Line2D([], [], color=START, linestyle=DASHES, linewidth=2.2, label="silhouette at the start"))
    if level.ct_to_world is not None:
        lines.append(Line2D([], [], color=RESULT, linewidth=2.2, label="contour at the result"))
    if lines:
        # Beside the heading where there is room, otherwise under the picture.
        wide = width > 10
        anchor = (1 - 0.05 / width, 1 - 0.3 / height if wide else 0.19 / height)
        size = 10 if wide else 9
        figure.legend(handles=lines, loc="center right", bbox_to_anchor=anchor, ncols=2, frameon=False, fontsize=size)
