"""One X-ray of the report: X-ray, DRRs and contours on one another, with what moves between them."""

from __future__ import annotations

from collections.abc import Sequence

from radgs.case import LevelResult
from radgs.geometry import XRayView
from radgs.overlay.arrays import Pictured, crop_view, drr, for_display, in_the_middle, in_view
from radgs.overlay.contours import Contours, ProjectedLine, projected_lines
from radgs.overlay.marks import edge_labels
from radgs.report.markup import Markup, element, grey_picture

#: Pixels along a picture's side: sharp where two stand side by side on a page.
FILM_PIXELS = 384
#: Length of the bar that measures at the vertebra, mm.
SCALE_BAR_MM = 20.0

#: In the order in which they are offered; what is shown first is the last one there.
POSES = (("start", "Before"), ("result", "After"))


def film(identifier: str, level: LevelResult, anatomy: Pictured, contours: Contours, view: XRayView) -> Markup:
    """The figure of one view of a level.

    Args:
        identifier: Unique on the page.
        level: The level's result.
        anatomy: The vertebra.
        contours: Its surface and its neighbours'.
        view: The X-ray.
    """
    wanted = {"start": level.stages.get("start"), "result": level.ct_to_world}
    poses = {name: pose for name, pose in wanted.items() if pose and in_view(view.geometry, anatomy, pose)}
    around = poses.get("result") or poses.get("start") or in_the_middle(view.geometry, anatomy)
    crop = crop_view(view, anatomy, around, FILM_PIXELS)
    xray = grey_picture(for_display(crop.image, crop.pixel_mm, crop.valid > 0.5))
    layers = [element("img", class_="xray", src=xray, alt=f"X-ray {view.name} around the vertebra")]
    drawings = []
    for name, pose in poses.items():
        image = drr(anatomy, pose, crop.geometry)
        shown = grey_picture(for_display(image, crop.pixel_mm, image > 0))
        layers.append(element("img", class_="drr", data_pose=name, src=shown, alt=f"DRR of the CT, {name}"))
        lines = projected_lines(contours, pose, crop.geometry)
        drawings.append(element("g", *map(_path, lines), class_="contour", data_pose=name))
    pixels = FILM_PIXELS
    drawings.append(_scale_bar(crop.pixel_mm, pixels))
    over = element("svg", *drawings, class_="lines", viewBox=f"-0.5 -0.5 {pixels} {pixels}", aria_hidden="true")
    edges = [element("span", text, class_=f"edge {side}") for side, text in edge_labels(crop.geometry).items()]
    stack = element("div", *layers, over, element("span", class_="seam"), *edges, class_="stack")
    gone = [said for name, said in (("start", "start"), ("result", "result")) if wanted[name] and name not in poses]
    note = (
        [element("p", f"The {' and the '.join(gone)} put the vertebra out of this view.", class_="note")]
        if gone
        else []
    )
    similarity = level.similarity.get(view.name)
    caption = element("figcaption", element("strong", view.name), *_similarity(similarity or {}))
    return element(
        "figure",
        caption,
        stack,
        *note,
        _controls(identifier, list(poses)),
        class_="film",
        id=identifier,
        data_mode="split",
    )


def _similarity(values: object) -> list[Markup]:
    found = values if isinstance(values, dict) else {}
    if not {"start", "result"} <= set(found):
        return []
    text = f"similarity {found['start']:.2f} before, {found['result']:.2f} after"
    return [element("span", text, class_="faint", title="Gradient correlation on the vertebra; not an accuracy")]


def _path(line: ProjectedLine) -> Markup:
    """A line that stays as thin at any zoom, and says what it is of when it is pointed at."""
    points = " L".join(f"{column:.2f} {row:.2f}" for column, row in line.points)
    said = "a neighbour, as the CT has it" if line.kind == "neighbour" else line.part
    return element("path", element("title", said), d=f"M{points}", class_=line.kind, data_part=line.part)


def _scale_bar(pixel_mm: float, pixels: int) -> Markup:
    left, below, length = 0.03 * pixels, 0.965 * pixels, SCALE_BAR_MM / pixel_mm
    bar = element("path", d=f"M{left:.1f} {below:.1f} h{length:.2f}", class_="scale-bar")
    text = element("text", f"{SCALE_BAR_MM:.0f} mm", x=f"{left:.1f}", y=f"{below - 6:.1f}")
    return element("g", bar, text, class_="scale")


def _controls(identifier: str, poses: Sequence[str]) -> Markup:
    if not poses:
        return element("div")
    slider = element(
        "label",
        element("span", "X-ray"),
        element("input", type="range", min="0", max="100", value="50", class_="mix", aria_label="From X-ray to DRR"),
        element("span", "DRR"),
        class_="slider",
    )
    modes = [
        _choice(f"{identifier}-mode", mode, text, mode == "split")
        for mode, text in (("split", "Split"), ("blend", "Blend"))
    ]
    when = [_choice(f"{identifier}-pose", name, text, name == poses[-1]) for name, text in POSES if name in poses]
    contour = element("label", element("input", type="checkbox", class_="show-contour", checked=True), " Contour")
    return element("div", slider, element("div", *modes, *when, contour, class_="choices"), class_="controls")


def _choice(group: str, value: str, text: str, chosen: bool) -> Markup:
    return element("label", element("input", type="radio", name=group, value=value, checked=chosen), f" {text}")
