"""What came of registering the forearm: distances, spread, consistency, outlines against edges, and pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from biplane_forearm_data import BONES, CAMERAS, UPRIGHT, Forearm
from biplane_outlines import outline_distances, silhouette
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from radgs import colours
from radgs.evaluation.tables import table
from radgs.geometry import FloatArray, RigidTransform, mean_distance
from radgs.io.atomic import write_text
from radgs.overlay.arrays import crop_view, for_display

#: How far a result may lie from the reference, mm.
NEAR_ENOUGH_MM = 1.5
#: Outlines are also drawn from edges at poses this far off, to show that the measure tells, mm.
DISPLACED_MM = 2.0

Place = tuple[str, str]


def write_report(forearm: Forearm, records: Sequence[dict[str, Any]], out: Path) -> Path:
    """report.md, and a picture per bone and frame."""
    places: list[Place] = sorted({(record["bone"], record["frame"]) for record in records})
    middles = {place: middle_pose(forearm, place, _of(records, place, "near")) for place in places}
    for place, pose in middles.items():
        save_picture(forearm, place, pose, out / f"{BONES[place[0]]}_{place[1]}.png")
    parts = [
        "# Real biplane X-rays of a forearm",
        f"{len(records)} registrations. The reference is good to about 1 mm and no independent truth.",
        "## Ends",
        _ends(forearm, records, places, middles),
        "## Ulna against radius",
        _consistency(forearm, records, middles),
        "## Outlines against edges",
        _outlines(forearm, middles),
        "## Ends beyond 1.5 mm",
        _beyond(records),
    ]
    path = out / "report.md"
    write_text(path, "\n\n".join(parts) + "\n", private=False)
    return path


def poses_of(records: Sequence[dict[str, Any]]) -> list[RigidTransform]:
    """Their ends, ct_to_world."""
    return [UPRIGHT @ RigidTransform.from_matrix(np.array(record["ct_to_world"])) for record in records]


def middle_pose(forearm: Forearm, place: Place, records: Sequence[dict[str, Any]]) -> RigidTransform:
    """Of several ends, the one that lies nearest to all others."""
    poses, surface = poses_of(records), forearm.bone(place[0])[2].surface
    return min(poses, key=lambda pose: float(np.median([mean_distance(surface, pose, other) for other in poses])))


def _of(records: Sequence[dict[str, Any]], place: Place, kind: str) -> list[dict[str, Any]]:
    return [r for r in records if (r["bone"], r["frame"], r["kind"]) == (*place, kind)]


def _ends(
    forearm: Forearm, records: Sequence[dict[str, Any]], places: Sequence[Place], middles: dict[Place, RigidTransform]
) -> str:
    rows = []
    for place in places:
        surface = forearm.bone(place[0])[2].surface
        for kind in ("near", "far"):
            ended = _of(records, place, kind)
            if not ended:
                continue
            errors = np.array([record["error_mm"] for record in ended])
            away = [mean_distance(surface, pose, middles[place]) for pose in poses_of(ended)]
            verdicts = ", ".join(f"{sum(r['verdict'] == v for r in ended)} {v}" for v in ("accept", "check", "reject"))
            near = f"{int((errors <= NEAR_ENOUGH_MM).sum())} of {len(ended)}"
            spread = f"{np.percentile(away, 95, method='higher'):.2f}"
            error = f"{np.median(errors):.2f}, {errors.max():.2f}"
            rows.append([f"{BONES[place[0]]}, {place[1]}", kind, near, error, spread, verdicts])
    headings = ["bone, frame", "starts", "within 1.5 mm", "median, worst", "spread, 95th percentile", "verdicts"]
    note = (
        "Distance from the reference, mean over the surface, mm. Spread: distance of the ends from their middle one, "
        "the one of the near starts that lies nearest to all others."
    )
    return table(headings, rows) + "\n\n" + note


def _consistency(forearm: Forearm, records: Sequence[dict[str, Any]], middles: dict[Place, RigidTransform]) -> str:
    frames = sorted({frame for _, frame in middles})
    if len(frames) < 2 or len(middles) < 2 * len(BONES):
        return "Needs both bones in both frames."
    vertebra = forearm.bone("uln")[2]

    def difference(pose: Callable[[Place], RigidTransform]) -> tuple[float, float]:
        first, second = (pose(("rad", frame)).inverse() @ pose(("uln", frame)) for frame in frames[:2])
        angle = float(np.degrees((first.inverse() @ second).angle))
        return mean_distance(vertebra.surface, first, second), angle

    rows = [
        [name, *(f"{value:.2f}" for value in difference(pose))]
        for name, pose in (
            ("reference", lambda place: forearm.reference(*place)),
            ("middle of the near ends", lambda place: middles[place]),
        )
    ]
    by_number: dict[int, dict[Place, RigidTransform]] = {}
    near = [record for record in records if record["kind"] == "near"]
    for record, pose in zip(near, poses_of(near), strict=True):
        by_number.setdefault(record["index"], {})[record["bone"], record["frame"]] = pose
    each = [difference(ends.__getitem__)[0] for ends in by_number.values() if len(ends) == len(middles)]
    if each:
        rows.append([f"each of {len(each)} near starts: median, worst", f"{np.median(each):.2f}, {max(each):.2f}", ""])
    return table(["poses", "between frames, mm", "degrees"], rows)


def _outlines(forearm: Forearm, middles: dict[Place, RigidTransform]) -> str:
    rows = []
    for place, pose in middles.items():
        name, frame = place
        vertebra, bone, cut_face = forearm.bone(name)[2], forearm.renderer(name), forearm.cut_face(name)
        for number, view in zip(CAMERAS, forearm.views(frame), strict=True):
            centre = pose.apply(vertebra.centre)
            axes = view.geometry.crop_geometry(centre, 1.0, 1).detector_to_ras[:3, :2].T
            shifts = [sign * DISPLACED_MM * axis for axis in axes for sign in (-1.0, 1.0)]
            displaced = [pose.rotated_about(centre, np.zeros(3), shift) for shift in shifts]
            cells = [
                _cell([outline_distances(view, vertebra, forearm.surface(name), bone, cut_face, one) for one in poses])
                for poses in ([forearm.reference(*place)], [pose], displaced)
            ]
            rows.append([f"{BONES[name]}, {frame}, camera {number}", *cells])
    headings = ["bone, frame, camera", "reference", "result", f"result displaced by {DISPLACED_MM:.0f} mm"]
    note = (
        "The outline of the bone's DRR against Canny's edges of the film: median distance along the outline, mm, and "
        "share of it with an edge of its direction within 1 mm; displaced: mean of four directions in the film."
    )
    return table(headings, rows) + "\n\n" + note


def _cell(found: Sequence[FloatArray]) -> str:
    median = np.mean([np.median(distances) for distances in found])
    return f"{median:.2f}, {np.mean([np.mean(distances < 1.0) for distances in found]):.0%}"


def _beyond(records: Sequence[dict[str, Any]]) -> str:
    rows = [
        [
            f"{BONES[r['bone']]}, {r['frame']}",
            r["kind"],
            str(r["index"]),
            f"{r['start_mm']:.1f}",
            f"{r['error_mm']:.1f}",
            r["verdict"],
            ", ".join(r["reasons"]),
        ]
        for r in records
        if r["error_mm"] > NEAR_ENOUGH_MM
    ]
    headings = ["bone, frame", "start", "number", "start, mm", "end, mm", "verdict", "reasons"]
    return table(headings, rows) if rows else "None."


def save_picture(forearm: Forearm, place: Place, pose: RigidTransform, path: Path) -> None:
    """Both films around the bone, each beside itself with the outlines at the reference and at the result."""
    vertebra = forearm.bone(place[0])[2]
    figure = Figure(figsize=(10, 10), dpi=60, layout="constrained")
    FigureCanvasAgg(figure)
    for row, (number, view) in enumerate(zip(CAMERAS, forearm.views(place[1]), strict=True)):
        crop = crop_view(view, vertebra, pose, 512)
        shown = for_display(crop.image, crop.pixel_mm, crop.valid > 0.5)
        for column in range(2):
            axis = figure.add_subplot(2, 2, 2 * row + column + 1)
            axis.imshow(shown, cmap="gray", vmin=0, vmax=1)
            axis.set_axis_off()
            axis.set_title(f"{BONES[place[0]]}, frame {place[1]}, camera {number}")
        for at, colour, style in (
            (forearm.reference(*place), colours.START, (0, (4, 3))),
            (pose, colours.RESULT, "solid"),
        ):
            for outline in silhouette(forearm.surface(place[0]), at, crop.geometry):
                axis.plot(*outline.T, color=colour, linewidth=1.3, linestyle=style)
        axis.set_title("reference (purple, dashed) and result (blue)")
        axis.set_xlim(0, shown.shape[1])
        axis.set_ylim(shown.shape[0], 0)
    figure.savefig(path)
