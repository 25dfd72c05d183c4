"""One X-ray of the report: X-ray, DRRs and contours on one another, with what moves between them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from radgs.case import LevelResult
from radgs.geometry import RigidTransform, XRayView
from radgs.overlay.agreement import local_agreement
from radgs.overlay.arrays import Pictured, ViewCrop, crop_view, drr, for_display, in_the_middle, in_view
from radgs.overlay.contours import Contours, ProjectedLine, projected_lines
from radgs.overlay.marks import edge_labels
from radgs.report.markup import Markup, element, image_address, joined

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
    grey = for_display(crop.image, crop.pixel_mm, crop.valid > 0.5)
    xray = element("img", class_="xray", src=image_address(grey), alt=f"X-ray {view.name} around the vertebra")
    shown = [_at_pose(name, pose, crop, anatomy, contours) for name, pose in poses.items()]
    vectors = element(
        "svg",
        *(at.contour for at in shown),
        _scale_bar(crop.pixel_mm),
        class_="lines",
        viewBox=f"-0.5 -0.5 {FILM_PIXELS} {FILM_PIXELS}",
        aria_hidden="true",
    )
    edges = [element("span", text, class_=f"edge {side}") for side, text in edge_labels(crop.geometry).items()]
    seam = element("span", class_="seam")
    stack = element("div", xray, *(at.images for at in shown), vectors, seam, *edges, class_="stack")
    values = [_agreement(shown), _similarity(level.similarity.get(view.name, {}))]
    caption = element("figcaption", element("strong", view.name), *values)
    gone = [name for name, pose in wanted.items() if pose and name not in poses]
    said = f"The {' and the '.join(gone)} put the vertebra out of this view."
    note = [element("p", said, class_="note")] if gone else []
    controls = _controls(identifier, list(poses))
    return element("figure", caption, stack, *note, controls, class_="film", id=identifier, data_mode="split")


@dataclass(frozen=True)
class _AtPose:
    """What lies over the X-ray at one pose: DRR and agreement, the contour, and how far the edges agree."""

    name: str
    images: Markup
    contour: Markup
    agreement: float


def _at_pose(name: str, pose: RigidTransform, crop: ViewCrop, anatomy: Pictured, contours: Contours) -> _AtPose:
    image = drr(anatomy, pose, crop.geometry)
    lines = projected_lines(contours, pose, crop.geometry)
    agreement = local_agreement(crop, image, lines)
    pictures = {
        "drr": (for_display(image, crop.pixel_mm, image > 0), f"DRR of the CT, {name}"),
        "agreement": (agreement.picture(), f"Where X-ray and DRR agree, {name}"),
    }
    images = (
        element("img", class_=kind, data_pose=name, src=image_address(picture), alt=said)
        for kind, (picture, said) in pictures.items()
    )
    contour = element("g", *map(_path, lines), class_="contour", data_pose=name)
    return _AtPose(name, joined(images), contour, agreement.mean)


def _agreement(shown: Sequence[_AtPose]) -> Markup:
    means = " → ".join(f"{at.agreement:.2f}" for at in shown if math.isfinite(at.agreement))
    said = "Mean local agreement on the vertebra's edges, before and after; not an accuracy"
    return element("span", f"edges agree {means}" if means else "", class_="faint", title=said)


def _similarity(values: Mapping[str, float]) -> Markup:
    known = {"start", "result"} <= set(values)
    text = f"similarity {values['start']:.2f} → {values['result']:.2f}" if known else ""
    said = "Gradient correlation on the vertebra, before and after; not an accuracy"
    return element("span", text, class_="faint", title=said)


def _path(line: ProjectedLine) -> Markup:
    """A line that stays as thin at any zoom, and says what it is of when it is pointed at."""
    points = " L".join(f"{column:.2f} {row:.2f}" for column, row in line.points)
    said = "a neighbour, as the CT has it" if line.kind == "neighbour" else line.part
    return element("path", element("title", said), d=f"M{points}", class_=line.kind, data_part=line.part)


def _scale_bar(pixel_mm: float) -> Markup:
    left, below, length = 0.03 * FILM_PIXELS, 0.965 * FILM_PIXELS, SCALE_BAR_MM / pixel_mm
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
    agreement = element("label", element("input", type="checkbox", class_="show-agreement"), " Agreement")
    return element(
        "div", slider, element("div", *modes, *when, contour, agreement, class_="choices"), class_="controls"
    )


def _choice(group: str, value: str, text: str, chosen: bool) -> Markup:
    return element("label", element("input", type="radio", name=group, value=value, checked=chosen), f" {text}")
