"""A level's X-rays and DRRs as files that a panel can mix: grey pictures around the vertebra, contours, whole DRRs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.image import imsave
from numpy.typing import NDArray

from radgs.case import Level
from radgs.colours import POSES, RESULT
from radgs.drr import SOFT_TISSUE, VolumeRenderer, attenuation_from_hu
from radgs.errors import GeometryError
from radgs.geometry import FloatArray, RigidTransform, Volume, XRayView
from radgs.io.atomic import cannot_write, write_atomically, write_text
from radgs.io.json_fields import json_text, null_for_nan
from radgs.overlay.agreement import local_agreement
from radgs.overlay.arrays import FloatImage, Pictured, crop_view, drr, for_display, in_view
from radgs.overlay.comparisons import difference_picture, edge_picture, unmeasured_picture
from radgs.overlay.contours import Contours, projected_lines
from radgs.overlay.films import binned_film, film_comparisons, film_of, like_film
from radgs.overlay.marks import edge_labels
from radgs.vertebra import SeparatedCT
from radgs.vertebra.build import VERTEBRA_VOXEL_MM, WHOLE_VOXEL_MM

OVERLAY_SCHEMA = "radgs.overlay/2"
OVERLAY_FILE = "overlay.json"

#: Pixels along a picture's side: a panel shows two side by side.
PICTURE_PIXELS = 256


@dataclass(frozen=True, eq=False)
class DrawnAnatomy:
    """What pictures need of a vertebra, made in a fraction of the time that its anatomy takes.

    Attributes:
        centre: (3,) centre of the vertebral body, the CT's RAS, mm.
        frame_to_ct: The anatomical frame; None where the label has no posterior elements to orient one by.
        surface: (N, 3) surface points, the CT's RAS, mm.
        whole: The CT, 1/mm.
        mask: Membership 0..1 of the vertebra.
    """

    centre: FloatArray
    frame_to_ct: RigidTransform | None
    surface: FloatArray
    whole: Volume
    mask: Volume

    @cached_property
    def whole_part(self) -> VolumeRenderer:
        """The CT as it was scanned."""
        return VolumeRenderer(self.whole)

    @cached_property
    def mask_part(self) -> VolumeRenderer:
        """The vertebra's thickness along a ray, mm."""
        return VolumeRenderer(self.mask)


def drawn_anatomy(ct: Volume, labels: Volume, level: Level) -> DrawnAnatomy:
    """What pictures of a level need, from CT (HU) and label map.

    Raises:
        CaseError: The label map has no such vertebra, or it is too small to have a body.
    """
    separated = SeparatedCT(ct, labels, (level.label,))
    return DrawnAnatomy(
        centre=separated.frames.body_centre(level.label),
        frame_to_ct=separated.frames.frame_or_none(level.label),
        surface=separated.surface(level.label),
        whole=separated.sampled_ct(WHOLE_VOXEL_MM),
        mask=separated.sampled_mask(level.label, VERTEBRA_VOXEL_MM),
    )


def save_pictures(
    folder: Path,
    level: str,
    anatomy: Pictured,
    contours: Contours,
    views: Sequence[XRayView],
    poses: Mapping[str, RigidTransform],
    reconstruction: Volume | None = None,
) -> list[Path]:
    """Writes overlay.json and the files it names; the picture of every view lies around the last of the poses.

    ``landmarks`` are points of the vertebra, the CT's RAS, by name.

    Per view: ``xray`` (PNG), ``unmeasured`` (a PNG to lay over), ``borders`` (the patient's directions there),
    ``source_ras`` and ``detector_to_ras`` of the pictures, ``binned``, how many of the X-ray's pixels go side by side
    into one of what is whole, ``whole_unmeasured``, .npy, 1 where the X-ray shows nothing, ``reconstruction`` (PNG) and
    ``whole_reconstruction`` (.npy), the reconstruction's own projection where there is one, and per pose

    * ``drr``, a PNG of the same part, and ``difference``, one of X-ray against DRR;
    * ``edges``, the DRR's, and ``agreement``, PNGs to lay over; the latter with its ``mean`` over the vertebra's edges;
    * ``ct_to_world``, the pose itself;
    * ``contour``, lines of a ``kind`` and ``part``, their ``points`` as column and row in the PNG's pixels;
    * ``whole``, .npy, the DRR over all of the X-ray, as ``films.like_film`` has it;
    * ``whole_edges``, ``whole_difference`` and ``whole_agreement``, .npy, in the same pixels, as
      ``films.film_comparisons`` has them.

    Args:
        folder: Where to write; made where it is missing.
        level: The level's name.
        anatomy: The vertebra.
        contours: Its surface and its neighbours'.
        views: The X-rays.
        poses: ``ct_to_world`` by name, such as "start" and "result".
        reconstruction: What the networks made of the X-rays, HU in the world; it is where it is, at every pose.

    Returns:
        The files, overlay.json first.

    Raises:
        GeometryError: A pose places the vertebra where a view cannot show it.
        OutputError: A file cannot be written.
    """
    for view in views:
        for pose_name, pose in poses.items():
            if not in_view(view.geometry, anatomy, pose):
                raise GeometryError(
                    f"The {pose_name} pose places {level} where view {view.name} cannot show it.",
                    "Bring the vertebra between the source and the detector.",
                )
    reconstructed = None if reconstruction is None else _excess_of(reconstruction)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files: list[Path] = []
        described = {
            view.name: _save_view(folder, f"{level}_{number}", anatomy, contours, view, poses, reconstructed, files)
            for number, view in enumerate(views, 1)
        }
        path = folder / OVERLAY_FILE
        landmarks = {name: point.round(2).tolist() for name, point in contours.landmarks(anatomy.frame_to_ct).items()}
        text = json_text({"schema": OVERLAY_SCHEMA, "level": level, "landmarks": landmarks, "views": described})
        write_text(path, text, durable=False)
    except OSError as problem:
        raise cannot_write(folder, problem) from problem
    return [path, *files]


def _save_view(
    folder: Path,
    stem: str,
    anatomy: Pictured,
    contours: Contours,
    view: XRayView,
    poses: Mapping[str, RigidTransform],
    reconstructed: VolumeRenderer | None,
    files: list[Path],
) -> dict[str, Any]:
    shown = list(poses.values())[-1]
    crop = crop_view(view, anatomy, shown, PICTURE_PIXELS)
    xray = for_display(crop.image, crop.pixel_mm, crop.valid > 0.5)
    binned, whole_geometry = binned_film(view.geometry)
    film = film_of(view, binned, shown.apply(anatomy.surface.mean(axis=0)))
    described: dict[str, Any] = {
        "xray": _save_picture(folder / f"{stem}_xray.png", xray, files),
        "unmeasured": _save_picture(folder / f"{stem}_unmeasured.png", unmeasured_picture(crop), files),
        "borders": edge_labels(crop.geometry),
        "source_ras": crop.geometry.source_ras.tolist(),
        "detector_to_ras": crop.geometry.detector_to_ras.tolist(),
        "binned": binned,
        "whole_unmeasured": _save_array(
            folder / f"{stem}_whole_unmeasured.npy", (film.valid <= 0.5).astype(np.uint8), files
        ),
        "poses": {},
    }
    if reconstructed is not None:
        near, whole = (
            reconstructed.render(RigidTransform.identity(), geometry).numpy()
            for geometry in (crop.geometry, whole_geometry)
        )
        grey = for_display(near, crop.pixel_mm, near > 0)
        described["reconstruction"] = _save_picture(folder / f"{stem}_reconstruction.png", grey, files)
        described["whole_reconstruction"] = _save_array(folder / f"{stem}_whole_reconstruction.npy", whole, files)
    for name, pose in poses.items():
        whole = drr(anatomy, pose, whole_geometry)
        on_film = film_comparisons(film, whole, anatomy, pose, projected_lines(contours, pose, whole_geometry))
        over_film = {"whole": like_film(film, whole)} | {f"whole_{kind}": image for kind, image in on_film.items()}
        image, lines = drr(anatomy, pose, crop.geometry), projected_lines(contours, pose, crop.geometry)
        agreement = local_agreement(crop, image, lines)
        grey = for_display(image, crop.pixel_mm, image > 0)
        described["poses"][name] = {
            "ct_to_world": pose.matrix.tolist(),
            "drr": _save_picture(folder / f"{stem}_drr_{name}.png", grey, files),
            "contour": [
                {"kind": line.kind, "part": line.part, "points": line.points.round(2).tolist()} for line in lines
            ],
            "edges": _save_picture(
                folder / f"{stem}_edges_{name}.png", edge_picture(crop, image, POSES.get(name, RESULT)), files
            ),
            "difference": _save_picture(
                folder / f"{stem}_difference_{name}.png", difference_picture(crop, image), files
            ),
            "agreement": {
                "picture": _save_picture(folder / f"{stem}_agreement_{name}.png", agreement.picture(), files),
                "mean": null_for_nan(round(agreement.mean, 3)),
            },
            **{key: _save_array(folder / f"{stem}_{key}_{name}.npy", array, files) for key, array in over_film.items()},
        }
    return described


def _excess_of(reconstruction: Volume) -> VolumeRenderer:
    """What a reconstruction, HU, adds to the soft tissue around it."""
    return VolumeRenderer(Volume(attenuation_from_hu(reconstruction.array) - SOFT_TISSUE, reconstruction.index_to_ras))


def _save_picture(path: Path, image: FloatImage, files: list[Path]) -> str:
    with write_atomically(path, durable=False) as aside:
        imsave(aside, image, cmap="gray", vmin=0.0, vmax=1.0)
    files.append(path)
    return path.name


def _save_array(path: Path, array: NDArray, files: list[Path]) -> str:
    with write_atomically(path, durable=False) as aside:
        np.save(aside, array)
    files.append(path)
    return path.name
