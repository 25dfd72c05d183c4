"""What was made of a vertebra, kept in the user's cache: the same vertebra of the same CT is not made again.

An entry is a safetensors file: arrays and a header of text, in which nothing can run. It is found by what the voxels,
their place and the code that makes it hash to, so that other voxels or other code never meet it; the cache's checksum
and the safetensors format refuse what is damaged, and it is made again.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from radgs.case import Level
from radgs.gaussians import RadiativeGaussians
from radgs.geometry import RigidTransform, Volume
from radgs.io.cache_folder import CacheFolder
from radgs.vertebra.anatomy import VertebraAnatomy

#: In the cache folder.
KIND = "vertebrae"
#: What makes an anatomy: these parts of the engine, and these libraries.
MAKERS = (".", "anatomy", "drr", "gaussians", "geometry", "kernels", "vertebra")
LIBRARIES = ("torch", "numpy", "scipy", "scikit-image", "numba")

Arrays = dict[str, NDArray]

_logger = logging.getLogger("radgs.vertebra")


def remembered_anatomy(
    ct: Volume, labels: Volume, level: Level, remembered: CacheFolder, build: Callable[[], VertebraAnatomy]
) -> VertebraAnatomy:
    """What ``build`` makes, from the cache where it was made before, bit for bit.

    Args:
        ct: All of the CT that ``build`` looks at.
        labels: All of the label map that ``build`` looks at.
        level: The vertebra.
        remembered: Where anatomies are kept.
        build: Makes the anatomy.

    Raises:
        RadgsError: As ``build`` does.
    """
    key = _key(ct, labels, level)
    kept = remembered.get(KIND, key)
    if kept is not None:
        try:
            return _unpacked(kept, level)
        except (SafetensorError, KeyError, ValueError, TypeError) as problem:
            _logger.info("What was kept of %s cannot be read (%s); it is made again.", level.name, problem)
    built = build()
    remembered.put(KIND, key, _packed(built))
    return built


def _key(ct: Volume, labels: Volume, level: Level) -> str:
    digest = hashlib.sha256(repr((level.label, _code())).encode())
    for volume in (ct, labels):
        digest.update(repr((volume.array.shape, volume.array.dtype.str)).encode())
        digest.update(np.ascontiguousarray(volume.index_to_ras).tobytes())
        for layer in volume.array:  # a box of a CT is a view of it, and of all of it there is never a copy
            digest.update(np.ascontiguousarray(layer).data)
    return digest.hexdigest()


@cache
def _code() -> str:
    """What makes an anatomy: files as they are, and versions."""
    digest = hashlib.sha256()
    for package in MAKERS:
        for file in sorted((Path(__file__).parents[1] / package).glob("*.py")):
            digest.update(file.read_bytes())
    for library in LIBRARIES:
        try:
            digest.update(f"{library} {version(library)}".encode())
        except PackageNotFoundError:  # vendored by an application, or done without
            continue
    return digest.hexdigest()


def _packed(anatomy: VertebraAnatomy) -> bytes:
    arrays: Arrays = {
        "centre": anatomy.centre,
        "surface": anatomy.surface,
        "voxel": anatomy.voxel,
        "level_spacing_mm": np.array([anatomy.level_spacing_mm]),
        "level_offsets": np.stack(anatomy.level_offsets),
    }
    if anatomy.frame_to_ct is not None:
        arrays["frame_rotation"] = anatomy.frame_to_ct.rotation
        arrays["frame_translation"] = anatomy.frame_to_ct.translation
    for number, tensor in enumerate(anatomy.gaussians.tensors()):
        arrays[f"gaussians_{number}"] = tensor.numpy()
    for name, volume in _volumes(anatomy).items():
        arrays[name], arrays[f"{name}_index_to_ras"] = volume.array, volume.index_to_ras
    return save({name: np.ascontiguousarray(array) for name, array in arrays.items()})


def _volumes(anatomy: VertebraAnatomy) -> dict[str, Volume]:
    named = {"mask": anatomy.mask, "surroundings": anatomy.surroundings, "whole": anatomy.whole}
    if anatomy.doubt is not None:
        named["doubt"] = anatomy.doubt
    return named | {f"neighbour_{number}": volume for number, volume in enumerate(anatomy.neighbours)}


def _unpacked(content: bytes, level: Level) -> VertebraAnatomy:
    arrays: Arrays = load(content)

    def volume(name: str) -> Volume:
        return Volume(arrays[name], arrays[f"{name}_index_to_ras"])

    frame = None
    if "frame_rotation" in arrays:
        frame = RigidTransform(arrays["frame_rotation"], arrays["frame_translation"])
    above, below = arrays["level_offsets"]
    neighbours = sum(name.startswith("neighbour_") and not name.endswith("_index_to_ras") for name in arrays)
    return VertebraAnatomy(
        level=level,
        centre=arrays["centre"],
        frame_to_ct=frame,
        surface=arrays["surface"],
        voxel=arrays["voxel"],
        level_spacing_mm=float(arrays["level_spacing_mm"][0]),
        level_offsets=(above, below),
        gaussians=RadiativeGaussians(*(torch.tensor(arrays[f"gaussians_{number}"]) for number in range(4))),
        mask=volume("mask"),
        neighbours=tuple(volume(f"neighbour_{number}") for number in range(neighbours)),
        surroundings=volume("surroundings"),
        whole=volume("whole"),
        doubt=volume("doubt") if "doubt" in arrays else None,
    )
