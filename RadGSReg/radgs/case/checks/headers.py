"""Does each X-ray's own header say the same of its geometry as the case does?

case.json decides; what an image file says of itself is a second witness. Where the two disagree one of them is wrong,
and a pose computed from it may be wrong by any amount.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from radgs.case.result import Reason
from radgs.errors import RadgsError
from radgs.geometry import FloatArray, ViewGeometry, angle_between
from radgs.io.dicom_files import is_dicom
from radgs.io.dicom_geometry import DicomView, read_dicom_view
from radgs.io.image_files import read_raster
from radgs.io.raster import Raster

#: A calibrated distance or pixel may differ from the nominal one of a header by this share.
NOMINAL_SHARE = 0.03
#: Angle between two views, as calibrated and by positioner angles, degrees; and of one view against a world that is
#: the patient's to within 30 degrees.
BETWEEN_VIEWS_DEG, AGAINST_PATIENT_DEG = 5.0, 40.0
#: An image that stands elsewhere than case.json says, by this much at a corner, mm.
SAME_PLACE_MM = 2.0


@dataclass(frozen=True, eq=False)
class StatedView:
    """A view as the case has it, and the file that its image is read from."""

    name: str
    geometry: ViewGeometry
    image: Path


def compare_headers(views: Sequence[StatedView]) -> tuple[Reason, ...]:
    """What headers and case disagree on; such a disagreement keeps a pose from being accepted.

    Args:
        views: The case's views.
    """
    cautions: list[Reason] = []
    dicom: list[tuple[StatedView, DicomView]] = []
    for view in views:
        if is_dicom(view.image):
            header = _dicom_view(view.image)
            if header is not None:
                dicom.append((view, header))
                cautions += _compare_dicom(view, header)
        else:
            cautions += _compare_place(view, read_raster(view.image))
    for (first, one), (second, other) in combinations(dicom, 2):
        cautions += _compare_angle(first, one, second, other)
    return tuple(cautions)


def _dicom_view(path: Path) -> DicomView | None:
    """What the header says; None where it says something that is not read, such as a tilted table."""
    try:
        return read_dicom_view(path, frame=0)
    except RadgsError:
        return None


def _compare_dicom(view: StatedView, header: DicomView) -> list[Reason]:
    differing: list[str] = []
    case = view.geometry
    stated = header.stated

    def compare(what: str, in_case: float, in_header: float | None) -> None:
        if in_header and abs(in_case / in_header - 1.0) > NOMINAL_SHARE:
            differing.append(f"{what} is {in_case:.4g} mm by case.json and {in_header:.4g} mm by the DICOM header")

    compare("the source-detector distance", case.source_to_detector_mm, stated.source_to_detector_mm)
    if stated.spacing_mm is not None:
        for what, mine, theirs in zip(("width", "height"), case.pixel_spacing, stated.spacing_mm, strict=True):
            compare(f"a pixel's {what}", mine, theirs)
    if header.c_arm is not None:
        taken = header.c_arm.view()
        off = float(np.degrees(angle_between(case.normal, taken.normal)))
        if off > AGAINST_PATIENT_DEG:
            differing.append(f"the beam's direction by case.json is {off:.0f} degrees from that of the header's angles")
        elif header.says_how_it_is_turned:
            differing += _compare_turn(case, taken)
    return [Reason("header", f"View {view.name}: {one}. One of them is wrong.") for one in differing]


def _compare_turn(case: ViewGeometry, header: ViewGeometry) -> list[str]:
    """How the two place columns and rows on a detector that faces the same way."""
    across = [_cosine(case.column_step, header.column_step), _cosine(case.row_step, header.row_step)]
    if min(across) > 0.5:
        return []
    handed = np.sign([np.cross(one.column_step, one.row_step) @ one.normal for one in (case, header)])
    how = "mirrored" if handed[0] != handed[1] else "turned"
    return [f"the image is {how} by case.json against what the header's Patient Orientation or field of view says"]


def _compare_angle(first: StatedView, one: DicomView, second: StatedView, other: DicomView) -> list[Reason]:
    if one.c_arm is None or other.c_arm is None:
        return []
    by_case = np.degrees(angle_between(first.geometry.normal, second.geometry.normal))
    by_header = np.degrees(angle_between(one.c_arm.view().normal, other.c_arm.view().normal))
    if abs(by_case - by_header) <= BETWEEN_VIEWS_DEG:
        return []
    return [
        Reason(
            "header",
            f"Views {first.name} and {second.name} are {by_case:.0f} degrees apart by case.json and {by_header:.0f} by "
            "their positioner angles. One of them is wrong.",
        )
    ]


def _compare_place(view: StatedView, raster: Raster) -> list[Reason]:
    """An image of one slice that says where it stands: a spacing of its own, or all of a place."""
    own = raster.index_to_ras
    if own is None or raster.components > 1 or len(raster.size) != 3 or raster.size[2] != 1:
        return []
    size = raster.size[:2]
    if np.allclose(np.abs(own[:3, :3]), np.eye(3)):
        return []  # pixels of 1 mm along the axes: what a writer puts down that knows no place
    lengths = np.linalg.norm(own[:3, :2], axis=0)
    for what, mine, theirs in zip(("width", "height"), view.geometry.pixel_spacing, lengths, strict=True):
        if abs(mine / theirs - 1.0) > NOMINAL_SHARE:
            return [
                Reason(
                    "header",
                    f"View {view.name}: a pixel's {what} is {mine:.4g} mm by case.json and {theirs:.4g} mm by the "
                    "image's own header. One of them is wrong.",
                )
            ]
    if np.allclose(np.abs(own[:3, :3] / np.linalg.norm(own[:3, :3], axis=0)), np.eye(3)):
        return []  # a spacing, and no direction
    corners = np.array([[c, r] for c in (0, size[0] - 1) for r in (0, size[1] - 1)], dtype=np.float64)
    placed = corners @ own[:3, :2].T + own[:3, 3]
    apart = float(np.linalg.norm(placed - view.geometry.pixel_to_ras(corners), axis=1).max())
    if apart <= SAME_PLACE_MM:
        return []
    return [
        Reason(
            "header",
            f"View {view.name} stands {apart:.0f} mm from where its own header puts it. One of the two, case.json or "
            "the image's header, is wrong.",
        )
    ]


def _cosine(one: FloatArray, other: FloatArray) -> float:
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))
