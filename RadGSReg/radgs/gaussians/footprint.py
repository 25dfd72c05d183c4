"""How each Gaussian appears on a detector: the coefficients of its exact line integral around its own centre.

Let m be the Gaussian's centre seen from the source and d0 the vector from the source to the detector point where that
centre projects, m = s d0. The ray through the pixel (du, dv) away from there has direction d = d0 + du B + dv C, with B
and C the detector's column and row steps. With P = V^T V, the exponent at the ray's closest point is

    q = |V d x V m|^2 / |V d|^2 = N(du, dv) / A(du, dv),

because V d x V m = du (V B x V m) + dv (V C x V m). N and A are quadratic polynomials, N without a constant or linear
term: nothing cancels, however far the source is. The line integral is density sqrt(2 pi / A) |d| exp(-q / 2).
docs/radiative-gaussians.md derives it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from radgs.gaussians.model import RadiativeGaussians
from radgs.gaussians.runs import chord
from radgs.geometry import ViewGeometry

if TYPE_CHECKING:
    from jaxtyping import Float

#: Gaussians whose centre is not at least this far in front of the source plane are not seen, mm.
NEAREST_MM = 1e-3


@dataclass(frozen=True, eq=False)
class Detectors:
    """One view, seen from the Gaussians' frame under B poses.

    Attributes:
        sources: (B, 3) focal spots, mm.
        bases: (B, 3, 3) columns: column step, row step, and the vector from the source to pixel (0, 0), mm.
        shape: Rows and columns.
    """

    sources: Tensor
    bases: Tensor
    shape: tuple[int, int]

    @classmethod
    def of(
        cls, geometry: ViewGeometry, rotations: Float[Tensor, "B 3 3"], translations: Float[Tensor, "B 3"]
    ) -> Detectors:
        """The view under object-to-world poses: what moves the object forwards moves the view backwards.

        Args:
            geometry: The view in world.
            rotations: (B, 3, 3) object-to-world rotations.
            translations: (B, 3) object-to-world translations, mm.
        """
        source = torch.as_tensor(geometry.source_ras, dtype=rotations.dtype, device=rotations.device)
        detector = torch.as_tensor(geometry.detector_to_ras, dtype=rotations.dtype, device=rotations.device)
        basis = torch.stack([detector[:3, 0], detector[:3, 1], detector[:3, 3] - source], dim=1)
        back = rotations.transpose(1, 2)
        sources = (back @ (source - translations)[:, :, None]).squeeze(-1)
        return cls(sources, back @ basis, geometry.shape)

    def ray_lengths(self) -> Tensor:
        """(H, W) distances from the source to every pixel, mm; the same under every pose."""
        rows, columns = self.shape
        across, down, corner = self.bases[0].unbind(dim=1)
        u, v = (torch.arange(n).to(self.bases) for n in (columns, rows))
        return (corner + u[:, None] * across + v[:, None, None] * down).norm(dim=-1)


@dataclass(frozen=True, eq=False)
class Footprints:
    """Coefficients of M line integrals; every attribute is (M,).

    N = n11 du^2 + 2 n12 du dv + n22 dv^2 and A = a0 + 2 a1 du + 2 a2 dv + a11 du^2 + 2 a12 du dv + a22 dv^2.

    Positions are in the precision of the setup, coefficients and offsets in that of the image.

    Attributes:
        pose: Index of the pose each belongs to.
        column, row: Pixel nearest to the centre's projection (integers).
        column_offset, row_offset: Centre's projection minus that pixel, so that du = column - column - column_offset.
        amplitude: density sqrt(2 pi).
        depth_ratio: s, the centre's depth as a fraction of the detector's.
        skew1, skew2: (V B x V m) . (V C x V B) and (V C x V m) . (V C x V B), for derivatives in the source's position.
        first_row, last_row: Rows the Gaussian reaches within the cutoff, not clipped to the image.
    """

    pose: Tensor
    column: Tensor
    row: Tensor
    column_offset: Tensor
    row_offset: Tensor
    amplitude: Tensor
    depth_ratio: Tensor
    n11: Tensor
    n12: Tensor
    n22: Tensor
    a0: Tensor
    a1: Tensor
    a2: Tensor
    a11: Tensor
    a12: Tensor
    a22: Tensor
    skew1: Tensor
    skew2: Tensor
    first_row: Tensor
    last_row: Tensor

    def __len__(self) -> int:
        return self.pose.shape[0]


def setup_dtype(device: torch.device) -> torch.dtype:
    """Floating-point type for the per-Gaussian work: double wherever the device has it."""
    return torch.float32 if device.type == "mps" else torch.float64


def footprints(gaussians: RadiativeGaussians, detectors: Detectors, cutoff_sigma: float | None) -> Footprints:
    """Projects every Gaussian under every pose; those behind the source plane are left out.

    Args:
        gaussians: N Gaussians; their dtype is the image's.
        detectors: B poses of one view, in ``setup_dtype``.
        cutoff_sigma: Where Gaussians end, in standard deviations; None: nowhere.
    """
    image_dtype = gaussians.dtype
    from_source = gaussians.means.to(detectors.bases.dtype) - detectors.sources[:, None]  # (B, N, 3)
    to_pixel = torch.linalg.inv(detectors.bases)
    projected = from_source @ to_pixel.transpose(1, 2)
    pose, index = torch.nonzero(
        projected[..., 2].detach() * source_to_plane(detectors)[:, None] > NEAREST_MM, as_tuple=True
    )

    centre = from_source[pose, index]
    across, down, depth_ratio = projected[pose, index].unbind(dim=1)
    across, down = across / depth_ratio, down / depth_ratio
    column, row = across.detach().round(), down.detach().round()

    # Vectors (3, ..., M), Gaussians along the fast axis: PyTorch is several times slower on arrays that end in 3.
    steps = detectors.bases[pose, :, :2].permute(1, 2, 0)
    whitening = _whitening(gaussians, detectors.bases.dtype).index_select(2, index)
    whitened = (whitening[:, :, None] * torch.cat([steps, centre.T[:, None]], dim=1)).sum(dim=1)
    v_column, v_row, v_centre = whitened.unbind(1)
    v_axis = v_centre / depth_ratio
    moment1 = torch.linalg.cross(v_column, v_centre, dim=0)
    moment2 = torch.linalg.cross(v_row, v_centre, dim=0)
    swirl = torch.linalg.cross(v_row, v_column, dim=0)
    vectors = torch.stack([moment1, moment2, swirl, v_axis, v_column, v_row])
    products = (vectors[:, None] * vectors).sum(dim=2)
    first_row, last_row = _row_reach(products.detach(), cutoff_sigma)
    (n11, n12, skew1, *_), (_, n22, skew2, *_), _, (*_, a0, a1, a2), (*_, a11, a12), (*_, a22) = products.to(
        image_dtype
    )
    return Footprints(
        pose=pose,
        column=column,
        row=row,
        column_offset=(across - column).to(image_dtype),
        row_offset=(down - row).to(image_dtype),
        amplitude=gaussians.densities[index] * math.sqrt(2 * math.pi),
        depth_ratio=depth_ratio,
        n11=n11,
        n12=n12,
        n22=n22,
        a0=a0,
        a1=a1,
        a2=a2,
        a11=a11,
        a12=a12,
        a22=a22,
        skew1=skew1,
        skew2=skew2,
        first_row=down.detach() + first_row,
        last_row=down.detach() + last_row,
    )


def _whitening(gaussians: RadiativeGaussians, dtype: torch.dtype) -> Float[Tensor, "3 3 N"]:
    """(3, 3, N) the maps V, kept from one pose to the next where no gradient runs through them."""
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in gaussians.tensors()):
        return gaussians.to(dtype=dtype).whitening().permute(1, 2, 0)
    return fixed_whitening(gaussians, dtype)


@lru_cache(maxsize=4)
@torch.no_grad()
def fixed_whitening(gaussians: RadiativeGaussians, dtype: torch.dtype) -> Float[Tensor, "3 3 N"]:
    """(3, 3, N) the maps V, contiguous, kept from one pose to the next; no gradient runs through them."""
    return gaussians.to(dtype=dtype).whitening().permute(1, 2, 0).contiguous()


def source_to_plane(detectors: Detectors) -> Tensor:
    """(B,) distance of the source from the detector plane, mm."""
    across, down, corner = detectors.bases.unbind(dim=2)
    normal = torch.linalg.cross(across, down)
    return (normal * corner).sum(dim=-1).abs() / normal.norm(dim=-1)


def _row_reach(products: Float[Tensor, "6 6 M"], cutoff_sigma: float | None) -> tuple[Tensor, Tensor]:
    """First and last row (M,) of each Gaussian's exact outline, the conic N = k^2 A, from its centre's projection.

    Where the ellipsoid of ``cutoff_sigma`` reaches the source plane its outline is no ellipse: it may touch every row.

    Args:
        products: Scalar products of the moments, the swirl, and V times d0, B and C.
        cutoff_sigma: k; None: no row is beyond reach.
    """
    if cutoff_sigma is None:
        everywhere = torch.full_like(products[0, 0], torch.inf)
        return -everywhere, everywhere
    variance = cutoff_sigma**2
    (q11, q12), (_, q22) = products[:2, :2] - variance * products[4:, 4:]
    q1, q2 = -variance * products[3, 4:]
    # A row is touched where the conic's quadratic in du has roots: where its discriminant, one in dv, isn't negative.
    low, high = chord(-variance * q11 * products[3, 3] - q1**2, q11 * q2 - q12 * q1, q11 * q22 - q12**2)
    bounded = (q11 > 0) & (q11 * q22 - q12**2 > 1e-9 * q11 * q22)
    return low.where(bounded, -torch.inf), high.where(bounded, torch.inf)
