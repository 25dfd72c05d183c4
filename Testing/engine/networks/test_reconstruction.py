"""From X-rays of the phantom to a reconstruction and poses, by the bundled networks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from radgs.case import RegistrationCase
from radgs.geometry import RigidTransform, mean_distance
from radgs.networks import Networks, Reconstruction, load_generic
from radgs.networks.reconstruction import reconstruct_level, register_volume
from radgs.simulation import ArticulatedAnatomy, SimulationSettings, simulate_case
from radgs.vertebra import VertebraAnatomy

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def case(phantom_anatomy: ArticulatedAnatomy) -> RegistrationCase:
    settings = SimulationSettings(rotation_deg=8.0, click_error_mm=6.0, detector_pixels=256)
    return simulate_case(phantom_anatomy, "L3", np.random.default_rng(2), settings)


@pytest.fixture(scope="module")
def clicked(case: RegistrationCase) -> np.ndarray:
    centre = case.triangulated_centre("L3")
    assert centre is not None
    return centre


@pytest.fixture(scope="module")
def networks() -> Networks:
    return load_generic()


@pytest.fixture(scope="module")
def seen(
    networks: Networks, case: RegistrationCase, phantom_vertebra: VertebraAnatomy, clicked: np.ndarray
) -> Reconstruction:
    made = reconstruct_level(networks, case.views, phantom_vertebra, clicked)
    assert made is not None
    return made


def test_the_reconstruction_lies_on_the_vertebra(
    seen: Reconstruction, case: RegistrationCase, phantom_vertebra: VertebraAnatomy
) -> None:
    """Its centre of attenuation is nearer to the true vertebra's than the clicks were to the body's."""
    volume = seen.world_volume()
    k, j, i = np.indices(volume.array.shape)
    points = volume.to_ras(np.stack([i, j, k], axis=-1))
    found = (points * volume.array[..., None]).sum(axis=(0, 1, 2)) / volume.array.sum()
    gaussians = phantom_vertebra.gaussians
    mass = gaussians.densities * torch.exp(gaussians.log_scales.sum(dim=1))
    true = case.truth["L3"].apply((gaussians.means * mass[:, None]).sum(dim=0).numpy() / float(mass.sum()))
    assert np.linalg.norm(found - true) < 4.0


def test_its_poses_are_better_than_the_start(
    seen: Reconstruction, case: RegistrationCase, phantom_vertebra: VertebraAnatomy, clicked: np.ndarray
) -> None:
    frame = phantom_vertebra.frame_to_ct
    assert frame is not None
    truth = case.truth["L3"]

    def error(pose: RigidTransform | None) -> float:
        assert pose is not None
        return mean_distance(phantom_vertebra.surface, truth, pose)

    start = error(case.start_pose("L3", phantom_vertebra.centre))
    assert error(seen.ct_to_world(seen.kabsch, frame)) < 0.8 * start
    assert error(seen.ct_to_world(seen.regm, frame)) < 0.8 * start


def test_gaussians_and_volume_are_one_thing_in_the_world(seen: Reconstruction) -> None:
    volume, gaussians = seen.world_volume(), seen.world_gaussians()
    low = volume.to_ras(np.array([-0.5] * 3))
    high = volume.to_ras(np.array(volume.size) - 0.5)
    inside = ((gaussians.means.numpy() > low) & (gaussians.means.numpy() < high)).all(axis=1)
    assert inside.all()
    mass = float((gaussians.densities * torch.exp(gaussians.log_scales.sum(dim=1))).sum()) * (2 * np.pi) ** 1.5
    assert float(volume.array.sum()) * np.prod(volume.spacing) == pytest.approx(mass, rel=0.05)


def test_the_same_views_give_the_same_answer(
    seen: Reconstruction,
    networks: Networks,
    case: RegistrationCase,
    phantom_vertebra: VertebraAnatomy,
    clicked: np.ndarray,
) -> None:
    again = reconstruct_level(networks, case.views[::-1], phantom_vertebra, clicked)
    assert again is not None
    assert seen.kabsch is not None
    assert again.kabsch is not None
    assert mean_distance(phantom_vertebra.surface, seen.kabsch, again.kabsch) < 0.05


def test_a_vertebra_without_a_frame_is_not_reconstructed(
    networks: Networks, case: RegistrationCase, phantom_vertebra: VertebraAnatomy, clicked: np.ndarray
) -> None:
    headless = replace(phantom_vertebra, frame_to_ct=None)
    assert reconstruct_level(networks, case.views, headless, clicked) is None


def test_regm_starts_where_it_is_told(networks: Networks, seen: Reconstruction) -> None:
    """No rounds, no motion; and the CT's vertebra is asked for at every round's pose."""
    start = RigidTransform.from_rotation_vector([0.0, 0.1, 0.0], [1.0, 2.0, 3.0])
    asked: list[RigidTransform] = []

    def vertebra_at(pose: RigidTransform) -> torch.Tensor:
        asked.append(pose)
        return torch.zeros_like(seen.volume)

    with torch.no_grad():
        assert register_volume(networks, seen.volume, start, vertebra_at, rounds=0) is start
        register_volume(networks, seen.volume, start, vertebra_at, rounds=2)
    assert asked[0] is start
    assert len(asked) == 2
