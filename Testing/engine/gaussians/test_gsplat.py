"""Footprints and runs of pixels against gsplat's plain PyTorch reference, an implementation that is not ours.

gsplat's projection is the affine approximation of our line integral around the Gaussian's centre: there both agree. Its
compositing cannot serve: it blends surfaces by alpha, front to back, where attenuation adds up.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from radgs.gaussians import RadiativeGaussians
from radgs.gaussians.footprint import Detectors, Footprints, footprints
from radgs.gaussians.splat_windowed import PixelRuns
from radgs.geometry import ViewGeometry, unit

reference = pytest.importorskip("gsplat.cuda._torch_impl", reason="gsplat is not installed")

PIXELS = (96, 80)
TILE = 16
#: gsplat's radius: so many standard deviations, rounded up to whole pixels.
REACH_SIGMA = 3.33


@pytest.fixture(scope="module")
def gaussians(make_gaussians) -> RadiativeGaussians:
    return make_gaussians(count=40, sigma=1.2, extent=14.0, seed=5)


@pytest.fixture(scope="module")
def view(make_view) -> ViewGeometry:
    return make_view(pixels=PIXELS, size_mm=50.0, oblique=False)


@pytest.fixture(scope="module")
def ours(gaussians: RadiativeGaussians, view: ViewGeometry) -> Footprints:
    detectors = Detectors.of(view, torch.eye(3, dtype=torch.float64)[None], torch.zeros(1, 3, dtype=torch.float64))
    return footprints(gaussians, detectors, REACH_SIGMA)


@pytest.fixture(scope="module")
def theirs(gaussians: RadiativeGaussians, view: ViewGeometry) -> tuple[Tensor, ...]:
    """Radii (N, 2), centres (N, 2), depths (N) and conics (N, 3), lengths in pixels."""
    across, down = (unit(view.detector_to_ras[:3, axis]) for axis in (0, 1))
    forward = np.cross(across, down)
    camera = np.stack([across, down, forward])
    corner = camera @ (view.detector_to_ras[:3, 3] - view.source_ras)
    assert corner[2] > 0, "the camera looks at the detector"
    step = np.linalg.norm(view.detector_to_ras[:3, :2], axis=0)
    intrinsics = np.array([[corner[2] / step[0], 0, -corner[0] / step[0]], [0, corner[2] / step[1], 0], [0, 0, 1.0]])
    intrinsics[1, 2] = -corner[1] / step[1]
    world_to_camera = np.eye(4)
    world_to_camera[:3, :3], world_to_camera[:3, 3] = camera, -camera @ view.source_ras
    quaternions = torch.nn.functional.normalize(gaussians.quaternions, dim=1)
    covariances, _ = reference._quat_scale_to_covar_preci(quaternions, gaussians.log_scales.exp(), True, False)
    radii, centres, depths, conics, _ = reference._fully_fused_projection(
        gaussians.means,
        covariances,
        torch.from_numpy(world_to_camera)[None],
        torch.from_numpy(intrinsics)[None],
        PIXELS[1],
        PIXELS[0],
        eps2d=0.0,
    )
    return radii[0], centres[0], depths[0], conics[0]


def test_centres_lie_where_gsplat_projects_them(ours: Footprints, theirs: tuple[Tensor, ...]) -> None:
    centres = torch.stack([ours.column + ours.column_offset, ours.row + ours.row_offset], dim=1)
    torch.testing.assert_close(centres, theirs[1], rtol=0, atol=1e-6)


def test_the_exponent_at_the_centre_curves_as_gsplats_conic(ours: Footprints, theirs: tuple[Tensor, ...]) -> None:
    curvature = torch.stack([ours.n11, ours.n12, ours.n22], dim=1) / ours.a0[:, None]
    torch.testing.assert_close(curvature, theirs[3], rtol=1e-6, atol=1e-9)


def test_every_run_of_pixels_lies_in_a_tile_that_gsplat_lists(ours: Footprints, theirs: tuple[Tensor, ...]) -> None:
    radii, centres, depths, _ = theirs
    tiles = tuple(math.ceil(n / TILE) for n in PIXELS)
    listed = set()
    # Its pixels are squares from one whole number to the next; ours have their centres at whole numbers.
    _, keys, numbers = reference._isect_tiles(centres + 0.5, radii, depths, TILE, tiles[1], tiles[0])
    for key, number in zip((keys >> 32).tolist(), numbers.tolist(), strict=True):
        listed.add((number, key // tiles[1], key % tiles[1]))
    runs = PixelRuns.of(ours, PIXELS, REACH_SIGMA)
    row, first = runs.start // runs.stride, runs.start % runs.stride
    touched = set()
    for number, at_row, left, length in zip(*map(Tensor.tolist, (runs.gaussian, row, first, runs.length)), strict=True):
        right = min(left + length, PIXELS[1]) - 1
        touched |= {(number, at_row // TILE, column) for column in range(left // TILE, right // TILE + 1)}
    assert touched <= listed
    assert {number for number, *_ in touched} == set(range(len(ours))), "every Gaussian of the scene is in the picture"
    # Its tiles fill a box around the ellipse, so it lists more; but not much more.
    assert len(touched) > 0.6 * len(listed)
