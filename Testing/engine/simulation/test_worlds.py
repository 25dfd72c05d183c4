"""Worlds differ from clean images in what they name, and the truth stays the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from radgs.errors import InputFileError
from radgs.geometry import RigidTransform
from radgs.simulation import ArticulatedAnatomy, SimulationSettings, simulate_case
from radgs.simulation.worlds import WORLDS, draw_field, world_named

SETTINGS = SimulationSettings(detector_pixels=48)


@pytest.mark.parametrize("name", [name for name in WORLDS if name != "clean"])
def test_a_world_changes_the_xrays_or_the_ct_and_not_the_truth(name: str, phantom_anatomy: ArticulatedAnatomy) -> None:
    clean, other = (
        simulate_case(phantom_anatomy, "L3", np.random.default_rng(1), replace(SETTINGS, world=world))
        for world in (WORLDS["clean"], WORLDS[name])
    )
    poses: list[RigidTransform] = [case.truth["L3"] for case in (clean, other)]
    np.testing.assert_array_equal(poses[0].matrix, poses[1].matrix)
    images = [np.stack([view.image for view in case.views]) for case in (clean, other)]
    assert np.isfinite(images[1]).all()
    same_geometry = all(
        np.allclose(one.geometry.detector_to_ras, two.geometry.detector_to_ras)
        for one, two in zip(clean.views, other.views, strict=True)
    )
    same_ct = clean.ct.array.shape == other.ct.array.shape and np.array_equal(clean.ct.array, other.ct.array)
    assert not (np.array_equal(*images) and same_geometry and same_ct)
    assert same_ct == (WORLDS[name].extent is None)


@pytest.mark.parametrize("kind", ["blades", "rotated blades", "round"])
def test_a_drawn_field_leaves_the_middle_open_and_covers_some_of_the_rest(kind: str) -> None:
    for seed in range(10):
        field = draw_field((100, 100), (kind,), np.random.default_rng(seed))  # type: ignore[arg-type]
        assert field[40:60, 40:60].all()
        assert 0.3 < field.mean() < 0.95


def test_an_unknown_world_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputFileError, match="blades"):
        world_named("mars")
