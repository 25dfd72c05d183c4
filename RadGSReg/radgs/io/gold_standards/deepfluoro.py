"""DeepFluoro's full-resolution HDF5 file: pelvis CTs of six cadavers, fluoroscopy, and the poses of pelvis and femurs.

Written from the description of its layout (rg2/DeepFluoroLabeling-IPCAI2020, hdf5_layouts; Grupp et al., IJCARS 2020,
doi:10.1007/s11548-020-02162-7). A *camera frame* has its origin at the source, x along columns, y along rows, z from
the film to the source. ``extrinsic`` leads from the file's world to it, ``intrinsic`` from it to pixels, and
``cam-to-pelvis-vol`` from the world to the pelvis in the CT's LPS. The world is another one in every projection, the
patient is the same: here the pelvis stays where the CT shows it, and the C-arm moves about it.

The file states its landmarks in the CT and on every projection. They are projected by what was read, and a projection
on which they come out elsewhere is refused: nothing of this convention is taken on trust.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from radgs.errors import GeometryError, InputFileError
from radgs.geometry import FloatArray, RigidTransform, ViewGeometry, Volume
from radgs.io.gold_standards.hdf5 import Group, opened
from radgs.io.raster import LPS_TO_RAS

FEMURS = ("left-femur", "right-femur")
#: Landmarks on a projection lie this near to where they project to, pixels, median: they were made by projecting.
LANDMARK_PIXELS = 2.0
#: Distances of the film by columns and by rows agree to this share.
SAME_DISTANCE = 1e-3


@dataclass(frozen=True, eq=False)
class DeepFluoroProjection:
    """One X-ray.

    Attributes:
        name: Its index in the file, such as "005".
        values: (H, W) pixel values as stored.
        geometry: Source and film about the pelvis, in the CT's RAS.
        femurs: By name, where its pose is known here: the femur's ``ct_to_world``, the world being the pelvis's CT.
        landmark_pixels: Median distance between landmarks as stored and as projected, pixels; NaN without landmarks.
    """

    name: str
    values: NDArray
    geometry: ViewGeometry
    femurs: dict[str, RigidTransform]
    landmark_pixels: float


@dataclass(frozen=True, eq=False)
class DeepFluoroSpecimen:
    """One cadaver.

    Attributes:
        name: Such as "17-1882".
        ct: Hounsfield units.
        labels: The segmentation.
        names: What each label is.
        projections: Its X-rays.
    """

    name: str
    ct: Volume
    labels: Volume
    names: dict[int, str]
    projections: tuple[DeepFluoroProjection, ...]


def read_deepfluoro(path: Path, specimen: str, projections: Sequence[str] | None = None) -> DeepFluoroSpecimen:
    """Reads a specimen.

    Args:
        path: The full-resolution file; needs h5py.
        specimen: Which.
        projections: Indices of its X-rays; all of them, if None.

    Raises:
        InputFileError: h5py is missing, the file cannot be read, has no such specimen or X-ray, or contradicts itself.
    """
    with opened(path) as file:
        if specimen not in file or specimen == "proj-params":
            listed = ", ".join(name for name in file.names() if name != "proj-params") or "none"
            raise InputFileError(f"{path} has no specimen {specimen}.", f"It has {listed}.")
        group = file.group(specimen)
        camera = _Camera.read(file.group("proj-params"))
        landmarks = {name: group.group("vol-landmarks").numbers(name, 3) for name in _names(group, "vol-landmarks")}
        ct = _volume(group.group("vol"))
        _check_inside(path, ct, landmarks)
        segmentation = group.group("vol-seg")
        definitions = segmentation.group("labels-def")
        return DeepFluoroSpecimen(
            name=specimen,
            ct=ct,
            labels=_volume(segmentation.group("image"), whole=True),
            names={int(number): definitions.text(number) for number in definitions.names() if number.isdigit()},
            projections=tuple(
                _projection(group.group("projections").group(name), name, camera, landmarks)
                for name in projections or group.group("projections").names()
            ),
        )


@dataclass(frozen=True, eq=False)
class _Camera:
    """What all projections share.

    Attributes:
        intrinsic: (3, 3) camera frame to pixels.
        world_to_camera: The extrinsics.
        source_to_film_mm: How far the film lies on the negative z axis.
        shape: Rows and columns.
    """

    intrinsic: FloatArray
    world_to_camera: RigidTransform
    source_to_film_mm: float
    shape: tuple[int, int]

    @classmethod
    def read(cls, group: Group) -> _Camera:
        intrinsic = group.numbers("intrinsic", 3, 3)
        spacing = group.number("pixel-col-spacing"), group.number("pixel-row-spacing")
        distances = -intrinsic[0, 0] * spacing[0], -intrinsic[1, 1] * spacing[1]
        below = np.abs(intrinsic[[1, 2, 2], [0, 0, 1]])
        if min(distances) <= 0 or abs(distances[0] / distances[1] - 1) > SAME_DISTANCE or below.max() > 1e-9:
            raise InputFileError(
                f"{group.path}: the intrinsics do not fit a camera frame whose z axis points to the source.",
                "Give the file as it was published, unchanged.",
            )
        shape = int(group.number("num-rows")), int(group.number("num-cols"))
        return cls(intrinsic / intrinsic[2, 2], _rigid(group, "extrinsic"), float(np.mean(distances)), shape)

    def film(self) -> FloatArray:
        """(4, 4) from (column, row, 0, 1) to the camera frame, mm."""
        film = np.eye(4)
        film[:3, :] = 0.0
        # K^-1 (column, row, 1) lies on the pixel's ray at z = 1; the film is at z = -SDD.
        film[:3, [0, 1, 3]] = -self.source_to_film_mm * np.linalg.inv(self.intrinsic)
        film[2, 2] = -1.0
        return film


def _projection(group: Group, name: str, camera: _Camera, landmarks: dict[str, FloatArray]) -> DeepFluoroProjection:
    values = group.group("image").array("pixels")
    if values.shape != camera.shape:
        raise InputFileError(
            f"{group.path}: projection {name} has {values.shape} rows and columns, and the camera {camera.shape}.",
            "Give the file as it was published, unchanged.",
        )
    poses = group.group("gt-poses")
    world_to_pelvis = _rigid(poses, "cam-to-pelvis-vol")
    camera_to_pelvis = world_to_pelvis @ camera.world_to_camera.inverse()
    camera_to_ras = LPS_TO_RAS @ camera_to_pelvis.matrix
    geometry = ViewGeometry(camera_to_ras[:3, 3].copy(), camera_to_ras @ camera.film(), camera.shape)
    femurs = {}
    for femur in FEMURS:
        if poses.number(f"{femur}-good-fov") == 1:
            femur_to_pelvis = world_to_pelvis @ _rigid(poses, f"cam-to-{femur}-vol").inverse()
            femurs[femur] = RigidTransform.from_matrix(LPS_TO_RAS @ femur_to_pelvis.matrix @ LPS_TO_RAS)
    off = _landmarks_off(group, geometry, landmarks)
    if off > LANDMARK_PIXELS:
        raise InputFileError(
            f"{group.path}: projection {name} shows its landmarks {off:.0f} pixels from where they are projected to.",
            "Give the file as it was published; if it is, its convention is another than the one that is read.",
        )
    return DeepFluoroProjection(name, values, geometry, femurs, off)


def _landmarks_off(group: Group, geometry: ViewGeometry, landmarks: dict[str, FloatArray]) -> float:
    """Median distance of the landmarks as stored from those of the CT as projected, pixels."""
    shown = set(_names(group, "gt-landmarks")) & set(landmarks)
    if not shown:
        return float("nan")
    stored = [group.group("gt-landmarks").numbers(name, 2) for name in sorted(shown)]
    ras = np.stack([landmarks[name] for name in sorted(shown)]) @ LPS_TO_RAS[:3, :3]
    apart = np.linalg.norm(geometry.project(ras) - np.stack(stored), axis=1)
    return float(np.median(np.nan_to_num(apart, nan=np.inf)))


def _volume(group: Group, *, whole: bool = False) -> Volume:
    """A group with pixels (slices, rows, columns), spacing, origin and directions, in LPS."""
    values = group.array("pixels")
    if values.ndim != 3 or min(values.shape) < 2 or (whole and (values != np.round(values)).any()):
        raise InputFileError(
            f"{group.path}: {group.place}/pixels is not a volume.", "Give the file as it was published, unchanged."
        )
    index_to_lps = np.eye(4)
    index_to_lps[:3, :3] = group.numbers("dir-mat", 3, 3) * group.numbers("spacing", 3)
    index_to_lps[:3, 3] = group.numbers("origin", 3)
    if whole:
        values = values.astype(np.min_scalar_type(int(values.max())))
    elif values.dtype.kind == "f":
        values = values.astype(np.float32)
    return Volume(values, LPS_TO_RAS @ index_to_lps)


def _check_inside(path: Path, ct: Volume, landmarks: dict[str, FloatArray]) -> None:
    """The landmarks lie in the CT: its axes are in the order that they are read in."""
    for name, point in landmarks.items():
        index = ct.to_index(LPS_TO_RAS[:3, :3] @ point)
        if (index < -0.5).any() or (index > np.array(ct.size) - 0.5).any():
            raise InputFileError(
                f"{path}: the landmark {name} lies outside the CT.", "Give the file as it was published, unchanged."
            )


def _names(group: Group, name: str) -> list[str]:
    return group.group(name).names() if name in group else []


def _rigid(group: Group, name: str) -> RigidTransform:
    try:
        return RigidTransform.from_matrix(group.numbers(name, 4, 4))
    except GeometryError as error:
        raise InputFileError(f"{group.path}: {group.place}/{name}: {error.problem}", error.remedy) from error
