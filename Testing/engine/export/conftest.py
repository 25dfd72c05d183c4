"""A result with one level of every kind, as the tests of exports find it on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from radgs.case import LevelResult, Reason, RegistrationResult
from radgs.geometry import FloatArray, RigidTransform


@pytest.fixture(scope="session")
def pose() -> RigidTransform:
    """No entry of it can be swapped, negated or transposed without being noticed."""
    return RigidTransform.from_rotation_vector([0.31, -0.17, 0.53], [12.0, -34.0, 56.0])


@pytest.fixture(scope="session")
def other_pose() -> RigidTransform:
    return RigidTransform.from_rotation_vector([-0.22, 0.41, 0.13], [-7.0, 25.0, 91.0])


@pytest.fixture(scope="session")
def screw_entry() -> FloatArray:
    """Where a pedicle screw is planned to enter, in the CT, RAS mm."""
    return np.array([-21.5, -48.25, 103.0])


@pytest.fixture(scope="session")
def result(pose: RigidTransform, other_pose: RigidTransform) -> RegistrationResult:
    """L2 and L3 accepted, L4 to be checked, L5 rejected, T12 without a pose."""
    doubt = Reason("views-disagree", "The views disagree by 3 mm.")
    wrong = Reason("level-shift", "The X-rays fit L4 better.")
    failed = Reason("refinement-failed", "The refinement diverged.")
    return RegistrationResult(
        levels={
            "L2": LevelResult(other_pose, "accept", {"surface_p95": 0.6}),
            "L3": LevelResult(pose, "accept", {"surface_p95": 0.8}),
            "L4": LevelResult(other_pose @ pose, "check", {"surface_p95": float("nan")}, (doubt,)),
            "L5": LevelResult(pose @ other_pose, "reject", {"surface_p95": 6.0}, (wrong,)),
            "T12": LevelResult(None, "reject", {}, (failed,)),
        },
        case_sha256="ab" * 32,
        versions={"radgs": "0.1.0"},
    )


@pytest.fixture
def result_folder(result: RegistrationResult, tmp_path: Path) -> Path:
    """The folder ``result`` with that result in it."""
    result.save(tmp_path / "result")
    return tmp_path / "result"
