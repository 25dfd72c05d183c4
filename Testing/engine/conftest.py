"""A small, complete case whose every part the tests can spoil; helpers beside this file can be imported everywhere."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from grids import isotropic_grid

from radgs.case import InitialPose, Level, RegistrationCase
from radgs.geometry import FloatArray, RigidTransform, ViewGeometry, Volume, XRayView, unit
from radgs.phantom import PhantomSpine, make_spine

if TYPE_CHECKING:  # these need torch, and many tests do not
    from radgs.simulation import ArticulatedAnatomy, Exposure
    from radgs.vertebra import VertebraAnatomy

sys.path.append(str(Path(__file__).resolve().parent))

#: Where the block that plays the vertebra stands in its CT, RAS mm.
BLOCK_CENTRE = np.array([10.0, 20.0, 30.0])

TRUTH = RigidTransform.from_rotation_vector([0.1, -0.2, 0.15], [4.0, -7.0, 12.0])


def c_arm(direction: Sequence[float], isocentre: FloatArray, pixels: int = 128, pixel_mm: float = 2.0) -> ViewGeometry:
    """A view along ``direction``: source 600 mm before the isocentre, detector 400 mm behind, rows towards the feet."""
    forward = unit(np.asarray(direction, dtype=float))
    right = unit(np.cross(forward, [0.0, 0.0, 1.0]))
    detector_to_ras = np.eye(4)
    detector_to_ras[:3, 0] = right * pixel_mm
    detector_to_ras[:3, 1] = np.cross(forward, right) * pixel_mm
    detector_to_ras[:3, 2] = forward
    middle = isocentre + 400.0 * forward
    detector_to_ras[:3, 3] = middle - detector_to_ras[:3, :2] @ np.full(2, (pixels - 1) / 2)
    return ViewGeometry(isocentre - 600.0 * forward, detector_to_ras, (pixels, pixels))


@pytest.fixture(scope="session")
def small_case() -> RegistrationCase:
    """A block of bone in soft tissue in air, seen from the front and from the side, clicked where it truly stands."""
    grid = isotropic_grid(BLOCK_CENTRE + [2.0, 0.0, 1.0], [90.0, 100.0, 80.0], 2.0)
    k, j, i = np.indices(grid.array.shape)
    away = np.abs(grid.to_ras(np.stack([i, j, k], axis=-1)) - BLOCK_CENTRE)
    block = (away < [18.0, 16.0, 14.0]).all(axis=-1)
    hu = np.where(block, 250.0, np.where(away.max(axis=-1) < 38.0, 40.0, -1000.0)).astype(np.float32)
    hu += np.random.default_rng(0).normal(0, 10, hu.shape).round().astype(np.float32)

    centre = TRUTH.apply(BLOCK_CENTRE)
    geometries = {"AP": c_arm([0.1, -1.0, 0.05], centre + 5.0), "LAT": c_arm([-1.0, 0.1, -0.1], centre - 5.0)}
    rng = np.random.default_rng(1)
    return RegistrationCase(
        ct=Volume(hu, grid.index_to_ras),
        labels=Volume(block.astype(np.uint8) * np.uint8(29), grid.index_to_ras),
        levels=(Level("L3", 29),),
        views=tuple(
            XRayView(name, rng.gamma(4.0, 0.7, geometry.shape).astype(np.float32), geometry)
            for name, geometry in geometries.items()
        ),
        initial={"L3": InitialPose({name: _pixel(g, centre) for name, g in geometries.items()})},
        truth={"L3": TRUTH},
    )


def _pixel(geometry: ViewGeometry, point: FloatArray) -> tuple[float, float]:
    column, row = geometry.project(point)
    return float(column), float(row)


@pytest.fixture(scope="session")
def phantom_spine() -> PhantomSpine:
    """A coarse scan of a phantom, quick to make and to render."""
    return make_spine(5, spacing_mm=2.0)


@pytest.fixture(scope="session")
def phantom_anatomy(phantom_spine: PhantomSpine) -> ArticulatedAnatomy:
    """The phantom taken apart into L1 to L5 and the rest."""
    from radgs.simulation import ArticulatedAnatomy

    return ArticulatedAnatomy(phantom_spine.ct, phantom_spine.labels, phantom_spine.levels)


@pytest.fixture(scope="session")
def preparation_progress() -> list[float]:
    """What building ``phantom_vertebra`` reported."""
    return []


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    """What needs ``phantom_vertebra`` is slow: 2,000 Gaussians are fitted for it."""
    for item in items:
        if "phantom_vertebra" in getattr(item, "fixturenames", ()):
            item.add_marker("slow")


@pytest.fixture(scope="session")
def phantom_vertebra(phantom_spine: PhantomSpine, preparation_progress: list[float]) -> VertebraAnatomy:
    """What the engine knows of the phantom's L3; takes 16 s of a CPU."""
    from radgs.vertebra import build_vertebra_anatomy

    level = Level("L3", phantom_spine.levels["L3"])
    return build_vertebra_anatomy(phantom_spine.ct, phantom_spine.labels, level, preparation_progress.append)


@pytest.fixture(scope="session")
def clean() -> Exposure:
    """No noise, no scatter, nothing covered."""
    from radgs.simulation import Exposure
    from radgs.simulation.worlds import CLEAN

    return Exposure(
        photons=(1e12, 1e12),
        scatter=(0.0, 0.0),
        gain=(1.0, 1.0),
        field=0.0,
        blur=0.0,
        collimated=0.0,
        with_tools=0.0,
        worlds=(CLEAN,),
    )


@pytest.fixture
def pyigtl() -> Iterator[Any]:
    """pyigtl, whose server takes over signals, with the signals as they were afterwards."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield pytest.importorskip("pyigtl", reason="pyigtl is not installed: pip install pyigtl")
    for number, handler in before.items():
        signal.signal(number, handler)
