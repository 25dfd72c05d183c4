"""Real biplane X-rays of a forearm, with the CT of its radius and ulna, as Autoscoper's sample data has them.

The data is looked for in ``$RADGS_FOREARM`` or ../shared/data/biplane_wrist (see the README there) and never committed.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import SimpleITK
from scipy import ndimage

sys.path.append(str(Path(__file__).resolve().parents[2] / "RadGSReg"))

from radgs.case import Level
from radgs.drr import SOFT_TISSUE, VolumeRenderer, attenuation_from_hu
from radgs.geometry import FloatArray, RigidTransform, ViewGeometry, Volume, XRayView
from radgs.io.line_integrals import to_line_integrals
from radgs.overlay.contours import ContourSurface
from radgs.vertebra import VertebraAnatomy, build_vertebra_anatomy

#: Voxels of the cut-out bones, mm; the TIFF's own tags say otherwise.
SPACING_MM = (0.39625, 0.39625, 0.625)
#: Stored values are Hounsfield units above this; 0 is unknown.
OFFSET = 1024
BONES = {"rad": "radius", "uln": "ulna"}
FRAMES = ("0099", "0158")
CAMERAS = ("01", "02")
#: The forearm lies along the calibration's y axis: this turn makes it the world's superior axis.
UPRIGHT = RigidTransform(np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]), np.zeros(3))
#: Any distance serves: rays run from the source through the pixels.
DETECTOR_MM = 1100.0
#: Voxels of nothing around a cut-out bone.
MARGIN = 3


def data_folder() -> Path | None:
    """Where the data is, or None."""
    default = Path(__file__).resolve().parents[3] / "shared" / "data" / "biplane_wrist"
    folder = Path(os.environ.get("RADGS_FOREARM") or default)
    return folder if (folder / "reference_poses.json").is_file() else None


def camera(path: Path) -> ViewGeometry:
    """A MayaCam 2.0 calibration: image size, K, R, t with x_cam = R x_world + t."""
    blocks: dict[str, list[str]] = {}
    for block in path.read_text().strip().replace("\r", "").split("\n\n"):
        title, *lines = block.strip().split("\n")
        blocks[title] = lines

    def numbers(title: str) -> FloatArray:
        return np.array([[float(x) for x in line.split(",")] for line in blocks[title]])

    columns, rows = numbers("image size")[0].astype(int)
    rotation, translation = numbers("rotation"), numbers("translation").ravel()
    to_world = UPRIGHT @ RigidTransform(rotation, translation).inverse()
    pixel_to_camera = np.linalg.inv(numbers("camera matrix")) * DETECTOR_MM
    detector_to_ras = np.eye(4)
    detector_to_ras[:3, :2] = to_world.rotation @ pixel_to_camera[:, :2]
    detector_to_ras[:3, 2] = to_world.rotation[:, 2]
    detector_to_ras[:3, 3] = to_world.apply(pixel_to_camera[:, 2])
    return ViewGeometry(to_world.translation, detector_to_ras, (int(rows), int(columns)))


def film(folder: Path, number: str, frame: str) -> XRayView:
    """One X-ray: intensities, bone dark."""
    path = folder / f"xr_rad_uln_cam{number}_UND.{frame}.tif"
    values = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))
    taken = to_line_integrals(values, "intensity", "as stated")
    geometry = camera(folder / f"xr_calib_wrist_cam{number}.txt")
    return XRayView(f"camera {number}", taken.image, geometry, taken.conversion)


def bone(folder: Path, name: str) -> tuple[Volume, Volume]:
    """A bone cut out of its CT, HU, and its label."""
    stored = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(folder / f"{name}_dcm_cropped.tif")))
    height = stored.shape[1]
    dx, dy, dz = SPACING_MM
    index_to_ras = np.array(
        [[dx, 0, 0, 0.5 * dx], [0, -dy, 0, dy * (height - 0.5)], [0, 0, -dz, -0.5 * dz], [0, 0, 0, 1.0]]
    )
    index_to_ras[:3, 3] -= index_to_ras[:3, :3] @ np.full(3, MARGIN)
    stored = np.pad(stored, MARGIN).astype(np.float32)
    inside = ndimage.binary_fill_holes(stored > 0)
    return Volume(stored - OFFSET, index_to_ras), Volume(inside.astype(np.uint8), index_to_ras)


class Forearm:
    """The data, each bone prepared once for all of its starts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._reference = json.loads((folder / "reference_poses.json").read_text())["poses"]
        self._bones: dict[str, tuple[Volume, Volume, VertebraAnatomy]] = {}
        self._surfaces: dict[str, ContourSurface] = {}

    def bone(self, name: str) -> tuple[Volume, Volume, VertebraAnatomy]:
        """CT, labels and prepared anatomy."""
        if name not in self._bones:
            ct, labels = bone(self.folder, name)
            self._bones[name] = ct, labels, build_vertebra_anatomy(ct, labels, Level(BONES[name], 1))
        return self._bones[name]

    def views(self, frame: str) -> tuple[XRayView, ...]:
        """Both films."""
        return tuple(film(self.folder, number, frame) for number in CAMERAS)

    def reference(self, name: str, frame: str) -> RigidTransform:
        """Where the bone lies, as far as is known; ct_to_world."""
        return UPRIGHT @ RigidTransform.from_matrix(np.array(self._reference[name][frame]))

    def surface(self, name: str) -> ContourSurface:
        """Its surface, of which contours are drawn."""
        if name not in self._surfaces:
            self._surfaces[name] = ContourSurface.of(self.bone(name)[1], 1)
        return self._surfaces[name]

    def cut_face(self, name: str) -> FloatArray:
        """(K, 3) middles of the voxels at which the bone was cut off from the rest of it, CT's RAS."""
        labels = self.bone(name)[1]
        slices = np.flatnonzero(labels.array.any(axis=(1, 2)))
        end = max((slices[0], slices[-1]), key=lambda k: int(labels.array[k].sum()))
        rows_columns = np.argwhere(labels.array[end])
        return labels.to_ras(np.column_stack([rows_columns[:, ::-1], np.full(len(rows_columns), end)]))

    def renderer(self, name: str) -> VolumeRenderer:
        """The bone's attenuation above soft tissue, in the CT's own voxels."""
        ct, labels, _ = self.bone(name)
        excess = np.where(labels.array > 0, attenuation_from_hu(ct.array) - SOFT_TISSUE, 0.0)
        return VolumeRenderer(Volume(excess.astype(np.float32), ct.index_to_ras))
