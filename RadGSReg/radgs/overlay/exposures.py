"""Small pictures of X-rays beside the DRR that their geometry would give: for a person to see which geometry fits.

No level is needed and nothing is registered: the CT stands where it is said to stand, and is drawn whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.image import imsave
from numpy.typing import NDArray
from skimage.transform import resize

from radgs.drr import VolumeRenderer, attenuation_from_hu
from radgs.errors import GeometryError, InputFileError
from radgs.geometry import FloatArray, RigidTransform, ViewGeometry, Volume
from radgs.geometry.field_of_measurement import find_field
from radgs.io.atomic import cannot_write, write_atomically
from radgs.io.xray_images import read_xray
from radgs.overlay.arrays import FloatImage, for_display
from radgs.vertebra.separation import resampled_isotropic

#: Pixels along an X-ray's longer side; two views with their DRRs fit into a dialog.
PICTURE_PIXELS = 112
#: Pixels between an X-ray and its DRR, and between views.
GAP, BETWEEN_VIEWS = 2, 8
#: What is smaller cannot be seen in such pictures, mm.
VOXEL_MM, SAMPLED_EVERY_MM = 2.0, 3.0
#: Grey of what is between the pictures: a dialog's on light and on dark alike.
BACKGROUND = 0.5


@dataclass(frozen=True, eq=False)
class Exposure:
    """An X-ray, and where its source and film may have stood.

    Attributes:
        image: Its file.
        pixel_type: What its values are, as in case.json.
        source_ras: (3,) the source, RAS mm.
        detector_to_ras: (4, 4) the film.
        ct_to_world: Where the CT stands in that world.
    """

    image: Path
    pixel_type: str
    source_ras: FloatArray
    detector_to_ras: FloatArray
    ct_to_world: RigidTransform


@dataclass(frozen=True, eq=False)
class _SmallXRay:
    """A picture's X-ray: line integrals, where they were measured, and the size that it had."""

    image: FloatImage
    measured: NDArray[np.bool_]
    shape: tuple[int, int]


class ExposurePictures:
    """Draws exposures of one CT; X-rays that were read once are remembered.

    Args:
        ct: The CT, HU.
    """

    def __init__(self, ct: Volume) -> None:
        attenuation = resampled_isotropic(ct, VOXEL_MM, values=attenuation_from_hu)
        self._renderer = VolumeRenderer(attenuation).sampled_every(SAMPLED_EVERY_MM)
        self._middle = attenuation.to_ras((np.array(attenuation.size) - 1) / 2)
        self._xrays: dict[tuple[Path, int, str], _SmallXRay] = {}

    def save(self, folder: Path, pictures: Sequence[Sequence[Exposure]]) -> list[Path]:
        """Writes ``1.png``, ``2.png`` and so on: in each, one exposure after another, its X-ray and then its DRR.

        Args:
            folder: Where to write; made where it is missing.
            pictures: The exposures of each picture.

        Returns:
            The files, in the order of the pictures.

        Raises:
            GeometryError: A source or a film is impossible.
            InputFileError: An X-ray cannot be read.
            OutputError: A file cannot be written.
        """
        files = []
        for number, exposures in enumerate(pictures, 1):
            drawn = [part for exposure in exposures for part in (self._drawn(exposure), BETWEEN_VIEWS)]
            picture = _in_a_row(drawn[:-1])
            files.append(folder / f"{number}.png")
            try:
                folder.mkdir(parents=True, exist_ok=True)
                with write_atomically(files[-1], durable=False) as aside:
                    imsave(aside, picture, cmap="gray", vmin=0.0, vmax=1.0, pil_kwargs={"compress_level": 1})
            except OSError as problem:
                raise cannot_write(folder, problem) from problem
        return files

    def drawn(self, exposure: Exposure) -> tuple[FloatImage, FloatImage]:
        """(h, w) X-ray and DRR as grey levels 0..1, black where the X-ray was not measured and where no CT is.

        Raises:
            GeometryError: Source or film are impossible.
            InputFileError: The X-ray cannot be read.
        """
        xray = self._xray(exposure.image, exposure.pixel_type)
        full = ViewGeometry(exposure.source_ras, exposure.detector_to_ras, xray.shape)
        geometry = _with_pixels(full, xray.image.shape)
        towards = exposure.ct_to_world.apply(self._middle) - geometry.source_ras
        if not np.isfinite(geometry.detector_to_ras).all() or geometry.source_to_detector_mm < 1.0:
            raise GeometryError("The focal spot lies in the film.", "Give the place where the X-rays came from.")
        nearer = np.clip(float(geometry.normal @ towards) / geometry.source_to_detector_mm, 0.1, 1.0)
        pixel_mm = float(np.mean(geometry.pixel_spacing)) * nearer
        drr = self._renderer.render(exposure.ct_to_world, geometry).cpu().numpy()
        return for_display(xray.image, pixel_mm, xray.measured), for_display(drr, pixel_mm, drr > 0)

    def _drawn(self, exposure: Exposure) -> FloatImage:
        xray, drr = self.drawn(exposure)
        return _in_a_row([xray, GAP, drr])

    def _xray(self, path: Path, pixel_type: str) -> _SmallXRay:
        key = (path, path.stat().st_mtime_ns if path.is_file() else 0, pixel_type)
        if key not in self._xrays:
            image = _line_integrals(path, pixel_type)
            rows, columns = image.shape
            shrunk = min(1.0, PICTURE_PIXELS / max(rows, columns))
            small = (max(round(rows * shrunk), 1), max(round(columns * shrunk), 1))
            field = find_field(image).astype(np.float32)
            # What was not measured is nobody's value: it must not bleed into its neighbours.
            share = np.asarray(resize(field, small, order=1, anti_aliasing=True), dtype=np.float32)
            values = np.asarray(resize(image * field, small, order=1, anti_aliasing=True), dtype=np.float32)
            mean = np.asarray(values / np.maximum(share, 1e-3), dtype=np.float32)
            self._xrays[key] = _SmallXRay(mean, share > 0.5, (rows, columns))
        return self._xrays[key]


def _line_integrals(path: Path, pixel_type: str) -> FloatImage:
    """(H, W) of an X-ray; its values as they are, while nobody knows whether bone is bright or dark in them."""
    try:
        return read_xray(path, pixel_type).image
    except InputFileError:
        if pixel_type != "auto":
            raise
        return read_xray(path, "attenuation").image


def _with_pixels(geometry: ViewGeometry, shape: tuple[int, ...]) -> ViewGeometry:
    """The same film with another number of pixels (rows, columns)."""
    rows, columns = shape
    along, down = geometry.shape[1] / columns, geometry.shape[0] / rows
    larger = np.diag([along, down, 1.0, 1.0])
    larger[:2, 3] = (along - 1.0) / 2, (down - 1.0) / 2
    return ViewGeometry(geometry.source_ras, geometry.detector_to_ras @ larger, (rows, columns))


def _in_a_row(parts: Sequence[FloatImage | int]) -> FloatImage:
    """Pictures beside each other, their tops at one height; a number leaves so many pixels free."""
    height = max(part.shape[0] for part in parts if not isinstance(part, int))
    columns = []
    for part in parts:
        width = part if isinstance(part, int) else part.shape[1]
        column = np.full((height, width), BACKGROUND, dtype=np.float32)
        if not isinstance(part, int):
            column[: part.shape[0]] = part
        columns.append(column)
    return np.concatenate(columns, axis=1)
