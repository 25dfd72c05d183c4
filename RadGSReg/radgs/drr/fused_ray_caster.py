"""The ray caster's fused form on a GPU: any number of volumes, poses and views, values and derivatives, at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from radgs.drr import torch_ray_caster
from radgs.drr.compiled_ray_caster import FARTHEST_VOXELS
from radgs.geometry import FloatArray, RigidTransform, ViewGeometry
from radgs.kernels.fused import FusedForm, assert_near

if TYPE_CHECKING:
    from jaxtyping import Float

#: Rays of one program.
BLOCK = 128
#: How far an image, and a derivative, may be from PyTorch's, relative to its norm: ``compare_with_pytorch`` says why.
VALUE_TOLERANCE, DERIVATIVE_TOLERANCE = 5e-4, 2e-3


@dataclass(frozen=True, eq=False)
class RayCast:
    """One image that is asked for.

    Attributes:
        bordered: (D, H, W) the volume with a border of zeros, contiguous, in single precision, below 2^31 voxels.
        world_to_index: (4, 4) from world mm to the indices of the volume without its border.
        step_mm: Longest distance between samples.
        geometry: The view, in world.
        centre: (3,) the twist's fixed point, world mm.
    """

    bordered: Float[Tensor, "D H W"]
    world_to_index: FloatArray
    step_mm: float
    geometry: ViewGeometry
    centre: FloatArray

    def table(self) -> FloatArray:
        """(31,) source, column step, row step, and source to pixel (0, 0); world to index; last index; step; centre."""
        source, detector = self.geometry.source_ras, self.geometry.detector_to_ras
        to_index = self.world_to_index[:3].astype(np.float64)
        to_index[:, 3] += 1.0  # the border
        upper = np.array(self.bordered.shape[::-1]) - 1.0
        if not np.abs(to_index[:, :3] @ source + to_index[:, 3]).max() < FARTHEST_VOXELS:
            to_index[:], upper[:] = 0.0, -1.0  # every ray is beside such a volume
        view = [source, detector[:3, 0], detector[:3, 1], detector[:3, 3] - source]
        return np.concatenate([*view, to_index.ravel(), upper, [self.step_mm], self.centre])


def cast_rays(
    casts: Sequence[RayCast], *, derivatives: bool
) -> list[Float[Tensor, "7 H W"]] | list[Float[Tensor, "1 H W"]]:
    """Line integrals, and their derivatives as ``VolumeRenderer.render_with_jacobian`` says, of all casts at once.

    Args:
        casts: What is asked for, all on one device.
        derivatives: Whether six derivatives follow each image.

    Returns:
        (7, H, W) or (1, H, W) of each cast.

    Raises:
        ImportError: Triton is not installed.
    """
    from radgs.drr import fused_ray_kernels as kernels

    device = casts[0].bordered.device
    pixels = [rows * columns for rows, columns in (cast.geometry.shape for cast in casts)]
    starts = np.cumsum([0, *pixels])
    total = int(starts[-1])
    tables = np.stack([cast.table() for cast in casts])
    sizes = np.array(
        [
            [cast.bordered.data_ptr(), *cast.bordered.shape, *cast.geometry.shape, start]
            for cast, start in zip(casts, starts[:-1], strict=True)
        ],
        dtype=np.int64,
    )
    geometries, shapes = torch.from_numpy(tables).to(device), torch.from_numpy(sizes).to(device)
    spans = torch.empty(2, total, dtype=torch.float64, device=device)
    samples = torch.zeros(len(casts), dtype=torch.int32, device=device)
    images = torch.empty(7 if derivatives else 1, total, device=device)
    grid = -(-max(pixels) // BLOCK), len(casts)
    kernels.cut_rays[grid](geometries, shapes, spans, samples, total, BLOCK=BLOCK)
    kernels.integrate[grid](
        geometries, shapes, spans, samples, images, total, DERIVATIVES=derivatives, BLOCK=BLOCK, num_warps=4
    )
    return [
        images[:, first : first + count].view(-1, *cast.geometry.shape)
        for cast, first, count in zip(casts, starts, pixels, strict=False)
    ]


def compare_with_pytorch(device: torch.device) -> None:
    """A small case of noise in both forms: what the device is probed with.

    Both take the same samples, at positions that single precision rounds to about a hundred-thousandth of a voxel: of
    noise, which changes wholly from voxel to voxel, that is some 1e-5 of an image. A sample that it puts on another
    side of a voxel's face has another slope: one in thirty thousand, some 1e-3 of a derivative where few rays are.

    Raises:
        ArithmeticError: They differ by more than that explains.
    """
    noise = np.random.default_rng(0).normal(size=(14, 12, 10)).astype(np.float32)
    bordered = torch.from_numpy(np.pad(noise, 1)).to(device)
    turned = RigidTransform.from_rotation_vector([0.3, -0.2, 0.4], [5.0, 6.0, 7.0]).matrix
    geometry = ViewGeometry(np.array([20.0, -300.0, 10.0]), np.eye(4), (1, 1)).crop_geometry(np.zeros(3), 18.0, 12)
    cast = RayCast(bordered, turned, 0.7, geometry, np.array([3.0, -2.0, 5.0]))
    (found,) = cast_rays([cast], derivatives=True)
    image, derivatives = torch_ray_caster.render_with_jacobian(bordered, turned, 0.7, geometry, cast.centre)
    assert_near(found[0], image, VALUE_TOLERANCE, "line integrals")
    for number, derivative in enumerate(derivatives, start=1):
        assert_near(found[number], derivative, DERIVATIVE_TOLERANCE, "their derivatives")


#: Whether and where ``cast_rays`` may be used.
FUSED = FusedForm("ray caster", compare_with_pytorch)
