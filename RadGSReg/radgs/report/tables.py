"""The report's tables: poses, geometry and where it came from, versions and hashes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from radgs.case import STAGES, LevelResult, RegistrationResult
from radgs.geometry import FloatArray, RigidTransform, XRayView, angle_between, mean_distance
from radgs.report.markup import Markup, element, joined, table

STAGE_NAMES = {"start": "start", "kabsch": "Kabsch", "regm": "RegM", "refined": "refined"}


def pose_table(level: LevelResult, surface: FloatArray) -> Markup:
    """Every stage's pose, and how far it is from the result over the vertebra's surface (N, 3), the CT's RAS."""
    rows = []
    for stage in STAGES:
        pose = level.stages.get(stage)
        if pose is None:
            rows.append((STAGE_NAMES[stage], "did not run, or failed", "", ""))
            continue
        away = "" if level.ct_to_world is None else f"{mean_distance(surface, pose, level.ct_to_world):.2f}"
        rows.append((STAGE_NAMES[stage], _numbers(pose.translation, 2), f"{_angle_deg(pose):.2f}", away))
    headings = ("Stage", "Translation (mm)", "Rotation (degrees)", "Mean distance of the surface from the result (mm)")
    return table(headings, rows)


def matrix_block(pose: RigidTransform) -> Markup:
    """The 4x4 matrix in full."""
    rows = "\n".join(" ".join(f"{value:14.8f}" for value in row) for row in pose.matrix)
    return element("pre", rows, class_="matrix")


def geometry_table(views: Sequence[XRayView], origins: Mapping[str, str]) -> Markup:
    """Where source and film of every view stand, and who says so."""
    headings = ("View", "Source (RAS, mm)", "Film's centre (RAS, mm)", "SDD (mm)", "Pixels", "Geometry", "Values")
    rows = [_geometry_row(view, origins.get(view.name, "")) for view in views]
    first, second = (view.geometry.central_direction for view in views[:2])
    angle = math.degrees(angle_between(first, second))
    between = f"{views[0].name} and {views[1].name} look along directions {angle:.1f} degrees apart."
    return joined([table(headings, rows), element("p", between, class_="faint")])


def _geometry_row(view: XRayView, origin: str) -> tuple[str, ...]:
    geometry, sigma = view.geometry, view.geometry_sigma
    across, down = geometry.pixel_spacing
    rows, columns = geometry.shape
    good_to = "" if sigma is None else f"; source good to {_numbers(sigma.source_mm, 2)} mm (standard deviations)"
    return (
        view.name,
        _numbers(geometry.source_ras, 1),
        _numbers(geometry.centre_ras, 1),
        f"{geometry.source_to_detector_mm:.1f}",
        f"{columns} x {rows} of {across:.3f} x {down:.3f} mm",
        f"{origin}{good_to}",
        view.conversion,
    )


def origin_table(result: RegistrationResult, case_name: str, case_sha256: str | None) -> Markup:
    """What the result was made from and by."""
    then = result.case_sha256
    seconds = ", ".join(f"{name} {level.seconds:.1f} s" for name, level in result.levels.items())
    rows = [
        ("Case", case_name),
        ("SHA-256 of the case when it was registered", then or "not known"),
        ("SHA-256 of the case when this page was written", case_sha256 or "not known"),
        *((f"Networks for {name}", str(model)) for name, model in result.models.items()),
        ("Time", seconds),
        ("Device", result.device),
        ("Versions", ", ".join(f"{name} {version}" for name, version in result.versions.items()) or "not known"),
    ]
    return table(("What", "Value"), rows, class_="origin")


def _numbers(values: FloatArray, digits: int) -> str:
    return ", ".join(f"{value:.{digits}f}" for value in values)


def _angle_deg(pose: RigidTransform) -> float:
    return math.degrees(math.acos(float(np.clip((np.trace(pose.rotation) - 1) / 2, -1.0, 1.0))))
