"""The phantom at a known pose before two views."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise

import numpy as np
import pytest

from radgs.geometry import RigidTransform, ViewGeometry, XRayView, unit
from radgs.simulation import ArticulatedAnatomy, XRayPhysics
from radgs.simulation.xray_physics import expose, line_integrals_from_intensity
from radgs.vertebra import VertebraAnatomy

TakeXRays = Callable[..., tuple[XRayView, ...]]


def detector(direction: tuple[float, float, float], pixels: int = 192, pixel_mm: float = 1.56) -> ViewGeometry:
    """A view along ``direction``, the world's origin 620 mm from the source and 380 mm before the detector."""
    forward = unit(direction)
    right = unit(np.cross(forward, [0.0, 0.0, 1.0]))
    detector_to_ras = np.eye(4)
    detector_to_ras[:3, 0], detector_to_ras[:3, 1] = right * pixel_mm, np.cross(forward, right) * pixel_mm
    detector_to_ras[:3, 2] = forward
    detector_to_ras[:3, 3] = 380.0 * forward - detector_to_ras[:3, :2] @ np.full(2, (pixels - 1) / 2)
    return ViewGeometry(-620.0 * forward, detector_to_ras, (pixels, pixels))


@pytest.fixture(scope="session")
def geometries() -> dict[str, ViewGeometry]:
    """Two views, not quite orthogonal."""
    return {"AP": detector((0.05, -1.0, 0.1)), "LAT": detector((1.0, 0.1, -0.05))}


@pytest.fixture(scope="session")
def truth(phantom_vertebra: VertebraAnatomy) -> RigidTransform:
    """The CT's pose: turned by 12 degrees, L3 near the isocentre."""
    at_isocentre = RigidTransform(np.eye(3), -phantom_vertebra.centre)
    return at_isocentre.rotated_about(np.zeros(3), [0.10, -0.15, 0.12], [8.0, -5.0, 3.0])


@pytest.fixture(scope="session")
def rigid_poses(truth: RigidTransform, phantom_anatomy: ArticulatedAnatomy) -> dict[str, RigidTransform]:
    """Everything moves as it was scanned."""
    return dict.fromkeys([*phantom_anatomy.levels, ""], truth)


@pytest.fixture(scope="session")
def moved_apart(truth: RigidTransform, phantom_anatomy: ArticulatedAnatomy) -> dict[str, RigidTransform]:
    """Each neighbour bent by 3 degrees at its joint, the soft tissue shifted by 1.5 mm and turned by 2 degrees."""
    poses, centres = {"L3": truth}, phantom_anatomy.centres
    for chain, bend in ((("L3", "L2", "L1"), [0.04, 0.02, -0.03]), (("L3", "L4", "L5"), [-0.03, 0.03, 0.03])):
        for nearer, further in pairwise(chain):
            joint = poses[nearer].apply((centres[nearer] + centres[further]) / 2)
            poses[further] = poses[nearer].rotated_about(joint, bend, [0.5, -0.6, 0.4])
    poses[""] = truth.rotated_about(truth.apply(centres["L3"]), [0.0, 0.02, 0.03], [1.0, 0.8, -0.8])
    return poses


@pytest.fixture(scope="session")
def take_xrays(phantom_anatomy: ArticulatedAnatomy, geometries: dict[str, ViewGeometry]) -> TakeXRays:
    """X-rays of the posed anatomy: clean line integrals, or with the physics given."""

    def take(poses: Mapping[str, RigidTransform], physics: XRayPhysics | None = None) -> tuple[XRayView, ...]:
        views, rng = [], np.random.default_rng(0)
        for name, geometry in geometries.items():
            image = phantom_anatomy.line_integrals(dict(poses), geometry)
            if physics:
                intensity = expose(image, physics, geometry.pixel_spacing[0], rng)
                image = line_integrals_from_intensity(intensity, physics.photons)
            views.append(XRayView(name, image, geometry))
        return tuple(views)

    return take


@pytest.fixture(scope="session")
def off_by(truth: RigidTransform, phantom_vertebra: VertebraAnatomy) -> Callable[[float, float], RigidTransform]:
    """The true pose turned by so many degrees about the vertebra and shifted by so many mm."""

    def start(degrees: float, shift_mm: float) -> RigidTransform:
        turn = unit([0.6, -0.5, 0.62]) * np.radians(degrees)
        return truth.rotated_about(truth.apply(phantom_vertebra.centre), turn, unit([0.5, 0.7, -0.5]) * shift_mm)

    return start
