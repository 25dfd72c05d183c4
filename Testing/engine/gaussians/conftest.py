"""Gaussians, views, and the line integral as the design writes it: the oracle of the splatting tests."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from radgs.gaussians import RadiativeGaussians
from radgs.geometry import ViewGeometry

MakeGaussians = Callable[..., RadiativeGaussians]
MakeView = Callable[..., ViewGeometry]
MassesOf = Callable[[RadiativeGaussians], Tensor]


@pytest.fixture(scope="session")
def make_gaussians() -> MakeGaussians:
    """Random Gaussians of any orientation in a cube around the origin, a third of them with negative density."""

    def make(
        count: int = 20, sigma: float = 2.0, extent: float = 15.0, seed: int = 0, dtype: torch.dtype = torch.float64
    ) -> RadiativeGaussians:
        generator = torch.Generator().manual_seed(seed)

        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator, dtype=torch.float64)

        means = (torch.rand(count, 3, generator=generator, dtype=torch.float64) * 2 - 1) * extent
        log_scales = math.log(sigma) + 0.3 * normal(count, 3)
        densities = 0.01 * (normal(count) + 0.5)
        return RadiativeGaussians(means, log_scales, normal(count, 4), densities).to(dtype=dtype)

    return make


@pytest.fixture(scope="session")
def masses_of() -> MassesOf:
    """(N,) integrals of each Gaussian over space, mm^2 (1/mm times mm^3)."""
    return lambda gaussians: gaussians.densities * torch.exp(gaussians.log_scales.sum(dim=1)) * (2 * math.pi) ** 1.5


@pytest.fixture(scope="session")
def make_view() -> MakeView:
    """A view of the origin whose detector is tilted, sheared and has oblong pixels, unless ``oblique`` is False."""

    def make(
        pixels: tuple[int, int] = (40, 36), size_mm: float = 50.0, distance: float = 620.0, oblique: bool = True
    ) -> ViewGeometry:
        source = distance * np.array([0.36, -0.8, 0.48])
        square = ViewGeometry(source, np.eye(4), (2, 2)).crop_geometry(np.zeros(3), size_mm, max(pixels))
        detector_to_ras = square.detector_to_ras.copy()
        if oblique:
            across, down, normal = detector_to_ras[:3, :3].T
            detector_to_ras[:3, 0] = across + 0.15 * down + 0.3 * np.linalg.norm(across) * normal
            detector_to_ras[:3, 1] = 1.2 * down - 0.2 * across
        middle = (np.array(pixels[::-1]) - 1) / 2
        detector_to_ras[:3, 3] = 0.2 * distance * square.normal - detector_to_ras[:3, :2] @ middle
        return ViewGeometry(source, detector_to_ras, pixels)

    return make


@pytest.fixture(scope="session")
def literal_splat() -> Callable[[RadiativeGaussians, ViewGeometry], Tensor]:
    """Density sqrt(2 pi / a) exp(-(c - b^2/a)/2) with a = d'Pd, b = d'Pq, c = q'Pq and q at the ray's closest point."""

    def splat(gaussians: RadiativeGaussians, geometry: ViewGeometry) -> Tensor:
        direction = torch.from_numpy(geometry.pixel_directions)[:, None]
        offset = torch.from_numpy(geometry.source_ras) - gaussians.means
        offset = offset - (offset * direction).sum(-1, keepdim=True) * direction
        precisions = gaussians.precisions()
        weighted = torch.einsum("nij,pnj->pni", precisions, direction.expand_as(offset))
        a, b = (weighted * direction).sum(-1), (weighted * offset).sum(-1)
        c = torch.einsum("pni,nij,pnj->pn", offset, precisions, offset)
        values = gaussians.densities * torch.sqrt(2 * math.pi / a) * torch.exp(-(c - b**2 / a) / 2)
        return values.sum(dim=1).view(geometry.shape)

    return splat


@pytest.fixture(scope="session")
def difference() -> Callable[[Tensor, Tensor], float]:
    """Largest deviation from a reference, relative to the reference's largest magnitude."""

    def measure(values: Tensor, reference: Tensor) -> float:
        return float((values.double() - reference.double()).abs().max() / reference.double().abs().max())

    return measure
