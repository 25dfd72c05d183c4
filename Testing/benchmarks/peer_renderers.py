"""Public renderers as ``speed.py`` times them: nanodrr, DiffDRR's trilinear one and FlashDRR, where they are installed.

    pip install --no-deps diffdrr flashdrr

Both are MIT, and the tests ask for neither; their renderers need PyTorch alone, FlashDRR's Triton too.

All draw a volume's line integrals through the pixels of a view, from a camera's pose (1, 4, 4) whose gradient their
backward pass gives; samples lie about a voxel apart, and rays go on behind the detector, which a crop has within the
patient.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
import peer_nanodrr
import torch
from torch import Tensor

from radgs.geometry import FloatArray, ViewGeometry, Volume

#: Draws a view (H, W) from a pose (1, 4, 4), camera to world: x along columns, y along rows, z away from the source.
Draw = Callable[[Tensor], Tensor]


def installed() -> dict[str, Callable[[Volume, ViewGeometry, str], tuple[Draw, Tensor]]]:
    """Peers by name: each makes, of a volume (1/mm), a view and a device, a renderer and the view's pose."""
    peers = {"nanodrr": nanodrr, "diffdrr": diffdrr, "flashdrr": flashdrr}
    return {name: peer for name, peer in peers.items() if find_spec(name) is not None}


def samples_through(volume: Volume) -> int:
    """Samples of the longest ray, a voxel apart."""
    return int(np.ceil(np.linalg.norm(np.array(volume.size) * volume.spacing) / volume.spacing.min()))


def nanodrr(volume: Volume, geometry: ViewGeometry, device: str) -> tuple[Draw, Tensor]:
    """The ``render`` of nanodrr."""
    from nanodrr.drr import render

    subject = peer_nanodrr.subject_of(volume).to(device)
    inverse_intrinsic, camera, away = peer_nanodrr.camera_matrices(geometry)
    intrinsic = torch.from_numpy(inverse_intrinsic)[None].float().to(device)
    distance, samples = torch.tensor([away]).float().to(device), samples_through(volume)

    def draw(pose: Tensor) -> Tensor:
        drawn: Tensor = render(subject, intrinsic, pose, distance, *geometry.shape, n_samples=samples)
        return drawn[0, 0]

    return draw, torch.from_numpy(camera)[None].float().to(device)


def diffdrr(volume: Volume, geometry: ViewGeometry, device: str) -> tuple[Draw, Tensor]:
    """DiffDRR's ``Trilinear``, given what its ``DRR`` gives it: sources and targets as indices, lengths in mm."""
    from diffdrr.renderers import Trilinear

    renderer, density = Trilinear(), _on_its_side(volume, device)
    points, camera = _pixels_in_camera(geometry)
    targets = torch.from_numpy(points).float().to(device)
    to_index = torch.from_numpy(np.linalg.inv(volume.index_to_ras)).float().to(device)
    samples = samples_through(volume)

    def draw(pose: Tensor) -> Tensor:
        rotation, source = pose[:, :3, :3], pose[:, None, :3, 3]
        target = targets @ rotation.mT + source
        length = (target - source).norm(dim=-1)[:, None]
        indices = (at @ to_index[:3, :3].T + to_index[:3, 3] for at in (source, target))
        drawn: Tensor = renderer(density, *indices, length, n_points=samples)
        return drawn.view(geometry.shape)

    return draw, torch.from_numpy(camera)[None].float().to(device)


def flashdrr(volume: Volume, geometry: ViewGeometry, device: str) -> tuple[Draw, Tensor]:
    """FlashDRR's ``VolumeRaycaster``, with its Triton kernel on a GPU; its attenuation is in 1/cm, its y points up.

    Of n voxels it samples the i-th at i n / (n - 1) - 1/2, and of n samples it weighs each as a n-th of a ray that they
    cut into n - 1 (0.6.0): indices and densities are given so that this comes out right, for an image to compare.
    """
    from flashdrr.rendering import VolumeRaycaster

    points, camera = _pixels_in_camera(geometry)
    highest = np.abs(points[:, 1] / points[:, 2]).max()
    height, width = geometry.shape
    samples, size = samples_through(volume), np.array(volume.size)
    caster = VolumeRaycaster(
        ray_samples=samples,
        resolution=(width, height),
        fov=2.0 * np.degrees(np.arctan(highest)),
        return_tau=True,
    ).to(device)
    density = 10.0 * samples / (samples - 1) * _on_its_side(volume, device)[None, None]
    to_index = np.linalg.inv(volume.index_to_ras)
    to_index[:3, 3] += 0.5
    to_index[:3] *= ((size - 1) / size)[:, None]
    indices = torch.from_numpy(to_index).float().to(device)

    def draw(pose: Tensor) -> Tensor:
        drawn: Tensor = caster(density, pose, indices, triton=device == "cuda")
        return drawn[0, 0]

    camera[:3, 1] *= -1.0
    return draw, torch.from_numpy(camera)[None].float().to(device)


def _on_its_side(volume: Volume, device: str) -> Tensor:
    """The volume's values by (i, j, k)."""
    return torch.from_numpy(np.ascontiguousarray(volume.array.transpose(2, 1, 0), dtype=np.float32)).to(device)


def _pixels_in_camera(geometry: ViewGeometry) -> tuple[FloatArray, FloatArray]:
    """Ends (H * W, 3) of the rays through all pixels' centres, mm, in a camera of this pose (4, 4)."""
    _, camera, away = peer_nanodrr.camera_matrices(geometry)
    rays = geometry.pixel_directions @ camera[:3, :3]
    return rays / rays[:, 2:] * away, camera
