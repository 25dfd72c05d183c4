"""DICOM X-rays as nodes: their pixels, the geometry that their attributes give, and the study that makes two a pair."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import slicer
from numpy.typing import NDArray

from radgs.case.importing.dicom_case import NAMES
from radgs.errors import InputFileError
from radgs.geometry import FloatArray, ViewGeometry
from radgs.geometry.c_arm import CArm
from radgs.io.dicom_files import read_dataset
from radgs.io.dicom_geometry import DicomView, read_dicom_view
from radgs.io.dicom_xrays import read_dicom_xray
from radgs.io.line_integrals import to_line_integrals
from RadGSRegLib.scene import xray_nodes
from RadGSRegLib.scene.measured_field import set_field
from RadGSRegLib.scene.node_contract import (
    DICOM_FILE_ATTRIBUTE,
    MISSING_ATTRIBUTE,
    STUDY_ATTRIBUTE,
    TABLE_ATTRIBUTE,
)
from RadGSRegLib.scene.view_geometry import check_size, put_geometry

#: Within this of an ideal angle a view is called by its name, degrees.
NAMED_WITHIN_DEG = 45.0


@dataclass(frozen=True, eq=False)
class DicomFrame:
    """One frame of a DICOM X-ray as the scene holds it.

    Attributes:
        pixels: (H, W), line integrals where the file and the image tell what the values are.
        pixel_type: "attenuation", or "auto" where the user has to say what they are.
        conversion: How line integrals came about; None for other values.
    """

    pixels: NDArray
    pixel_type: str
    conversion: str | None


def read_frame(path: Path, frame: int = 0) -> DicomFrame:
    """The pixels of one frame.

    Raises:
        InputFileError: The file cannot be read, or has no such frame.
    """
    run = read_dicom_xray(path)
    many = run.values.ndim == 3 and run.values.shape[-1] not in (3, 4)
    if not 0 <= frame < (run.values.shape[0] if many else 1):
        raise InputFileError(f"{path} has no frame {frame}.", "Choose one, counted from 0.")
    chosen = replace(run, values=run.values[frame] if many else run.values)
    try:
        values, kind, because = chosen.interpret()
    except InputFileError:  # the user can tell; until then the values stay what they are
        return DicomFrame(np.asarray(chosen.displayed), "auto", None)
    integrals = to_line_integrals(values, kind, f"{because}, frame {frame}" if many else because)
    return DicomFrame(integrals.image, "attenuation", integrals.conversion)


def add_dicom_xray(path: Path, frame: int | None = None) -> Any:
    """Adds a DICOM X-ray to the scene, with the geometry that its attributes give; without a source where they do not.

    A second X-ray of a study stands where the table had moved to since the first of the same study in the scene.

    Args:
        path: XA, RF, DX, CR, or enhanced XA or XRF.
        frame: From 0; not needed where there is one.

    Returns:
        The volume.

    Raises:
        InputFileError: The file cannot be read, or its geometry is none of a cone beam.
    """
    view = read_dicom_view(path, frame)
    read = read_frame(path, view.frame)
    name = _new_name(view)
    volume = slicer.util.addVolumeFromArray(read.pixels[None], ijkToRAS=_lying(view), name=name)
    xray_nodes.describe(volume, name, read.pixel_type, read.conversion)
    _describe_file(volume, view)
    if view.c_arm is not None:
        put_dicom_geometry(volume, view)
    xray_nodes.show_the_middle(volume, read.pixels)
    return volume


def put_dicom_geometry(volume: Any, view: DicomView) -> None:
    """Gives an X-ray the geometry of a DICOM view, its table's motion since the study's first X-ray included.

    Args:
        volume: The X-ray.
        view: What its file says, complete.

    Raises:
        RadgsError: The view is not complete, or is of an image of another size.
    """
    calibrated = view.calibrated(xray_nodes.view_name(volume), _first_of_the_study(volume, view))
    put_geometry(volume, calibrated.geometry, view.origin, calibrated.assumed)


def connect_to_file(volume: Any, path: Path, frame: int) -> DicomView:
    """Says of an X-ray that it is a frame of a DICOM file, and returns what that says of its geometry.

    Raises:
        RadgsError: The file cannot be read, or is of an image of another size.
    """
    view = read_dicom_view(path, frame)
    size = read_dataset(path, pixels=False)
    check_size(volume, (int(size.Rows), int(size.Columns)))
    _describe_file(volume, view)
    return view


def _describe_file(volume: Any, view: DicomView) -> None:
    volume.SetAttribute(DICOM_FILE_ATTRIBUTE, f"{view.path}#{view.frame}")
    known = volume.GetAttribute(STUDY_ATTRIBUTE) == view.study_uid and _table(volume) is not None
    volume.SetAttribute(STUDY_ATTRIBUTE, view.study_uid)
    if not known:
        others = _others_of_the_study(volume, view.study_uid)
        table = _table(others[0]) if others else view.table_lps
        volume.RemoveAttribute(TABLE_ATTRIBUTE)
        if table is not None:
            volume.SetAttribute(TABLE_ATTRIBUTE, " ".join(f"{number:g}" for number in table))
    if view.field is not None:
        set_field(volume, view.field)
    if view.missing:
        volume.SetAttribute(MISSING_ATTRIBUTE, ", ".join(view.missing))


def dicom_view_of(volume: Any) -> DicomView | None:
    """What the DICOM file says that an X-ray came from; None where it came from none, or the file has gone.

    Raises:
        InputFileError: The file is still there, and cannot be used any more.
    """
    place = volume.GetAttribute(DICOM_FILE_ATTRIBUTE)
    if not place:
        return None
    name, _, frame = place.rpartition("#")
    path = Path(name)
    return read_dicom_view(path, int(frame)) if path.is_file() and frame.isdigit() else None


def exposure_of(volume: Any, view: DicomView) -> tuple[CArm, FloatArray]:
    """A complete view's exposure, and its isocentre (3,) after the table's motion since the study's first X-ray.

    Raises:
        InputFileError: The view is not complete.
    """
    geometry = view.calibrated("", _first_of_the_study(volume, view)).geometry
    assert view.c_arm is not None
    return view.c_arm, geometry.source_ras - view.c_arm.view().source_ras


def other_study(xray: Any, other: Any) -> bool:
    """Whether two DICOM X-rays are of different studies, between which nothing says how the patient moved."""
    studies = [each.GetAttribute(STUDY_ATTRIBUTE) for each in (xray, other)]
    return all(studies) and studies[0] != studies[1]


def make_inputs(parameters: Any, xray: Any) -> None:
    """Makes an X-ray, and the one that makes a pair with it, the module's inputs; what the user chose stays.

    Args:
        parameters: The module's parameters.
        xray: An X-ray that came from DICOM.
    """
    study = xray.GetAttribute(STUDY_ATTRIBUTE)
    of_the_study = [node for node in _dicom_xrays() if node.GetAttribute(STUDY_ATTRIBUTE) == study]
    for node in [each for each in of_the_study if each is not xray] + [xray]:
        first, second = parameters.xray1, parameters.xray2
        if node is first or node is second:
            continue
        if first is None and (second is None or not other_study(node, second)):
            parameters.xray1 = node
        elif second is None and first is not None and not other_study(node, first):
            parameters.xray2 = node


def _dicom_xrays() -> list[Any]:
    volumes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    return [volume for volume in volumes if volume.GetAttribute(STUDY_ATTRIBUTE)]


def _others_of_the_study(volume: Any, study: str) -> list[Any]:
    """The other X-rays of a study in the scene that stand somewhere."""
    same = [each for each in _dicom_xrays() if each is not volume and each.GetAttribute(STUDY_ATTRIBUTE) == study]
    return [each for each in same if xray_nodes.has_source(each)]


def _first_of_the_study(volume: Any, view: DicomView) -> DicomView | None:
    """A view with its isocentre at the world's origin, as far as ``DicomView`` asks; None where it is this one."""
    table = _table(volume)
    if table is None and not _others_of_the_study(volume, view.study_uid):
        return None
    return replace(view, table_lps=table)


def _table(volume: Any) -> FloatArray | None:
    numbers = (volume.GetAttribute(TABLE_ATTRIBUTE) or "").split()
    return np.array([float(number) for number in numbers]) if len(numbers) == 3 else None


def _new_name(view: DicomView) -> str:
    """AP or LAT by its angle, else X-ray; with a number where an X-ray of the scene has that name."""
    name = "X-ray"
    if view.c_arm is not None:
        angle = view.c_arm.primary_deg
        near = (each for each, ideal in NAMES.items() if min(abs(angle - one) for one in ideal) < NAMED_WITHIN_DEG)
        name = next(near, name)
    volumes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    taken = {xray_nodes.view_name(volume) for volume in volumes}
    numbered = (f"{name} {number}" for number in range(2, len(taken) + 3))
    return name if name not in taken else next(each for each in numbered if each not in taken)


def _lying(view: DicomView) -> FloatArray:
    """(4, 4) where a film lies until its geometry is known: coronal, head up."""
    geometry: ViewGeometry | None = None if view.c_arm is None else view.c_arm.view()
    if geometry is not None:
        return geometry.detector_to_ras
    film = np.eye(4)
    film[:3, :3] = np.array([[-1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
    return film
