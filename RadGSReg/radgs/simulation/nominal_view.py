"""A view as a C-arm's display says where it stands: its angles and distances are off."""

from __future__ import annotations

import numpy as np

from radgs.geometry import RigidTransform, ViewGeometry, unit


def read_off(
    geometry: ViewGeometry, rng: np.random.Generator, *, angles_deg: float = 3.0, distances_mm: float = 20.0
) -> ViewGeometry:
    """The view with its three angles about the isocentre (the world's origin) and both distances off by so much.

    Args:
        geometry: Where source and detector truly stand.
        rng: Chooses the signs.
        angles_deg: Of the turns about the patient's axis, across the beam, and about the beam, each.
        distances_mm: Of source and detector along the beam, each.
    """
    beam = geometry.normal
    down = -unit(np.array([0.0, 0.0, 1.0]) - beam[2] * beam)
    moved = geometry
    for axis in (down, np.cross(down, beam), beam):
        turn = RigidTransform.from_rotation_vector(np.radians(angles_deg) * rng.choice([-1.0, 1.0]) * axis)
        moved = ViewGeometry(turn.apply(moved.source_ras), turn.matrix @ moved.detector_to_ras, moved.shape)
    source, detector = (rng.choice([-1.0, 1.0], 2) * distances_mm)[:, None] * moved.normal
    detector_to_ras = moved.detector_to_ras.copy()
    detector_to_ras[:3, 3] += detector
    return ViewGeometry(moved.source_ras + source, detector_to_ras, moved.shape)
