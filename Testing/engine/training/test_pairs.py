"""A pair's parts agree: images, pose and vertebra are of one and the same scene."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from radgs.case import Level
from radgs.drr import VolumeRenderer
from radgs.errors import InputFileError
from radgs.geometry import RigidTransform, Volume, mean_distance
from radgs.geometry.roi import crop_geometry, roi_index_to_ras
from radgs.networks.recm import COMPACT, RecM
from radgs.networks.recm.loss import occupancy_target
from radgs.networks.regm import kabsch
from radgs.phantom import PhantomSpine
from radgs.simulation import Exposure, SimulationSettings
from radgs.training import training_vertebra
from radgs.training.batches import PairSource
from radgs.training.pairs import PairBank, PairSettings, StoredPairs, make_pairs, random_slide
from radgs.training.training_vertebra import TrainingVertebra


@pytest.fixture(scope="module")
def source(pairs: PairBank, clean: Exposure) -> PairSource:
    return PairSource([pairs], COMPACT.voxels, clean)


def test_the_volume_projects_to_the_image(source: PairSource) -> None:
    batch = source.take([0, 1])
    for number in range(2):
        volume = Volume(batch.volumes[number].numpy(), roi_index_to_ras(COMPACT.voxels))
        for view in range(2):
            geometry = crop_geometry(batch.views.sources[number, view].numpy())
            projected = VolumeRenderer(volume).render(RigidTransform.identity(), geometry)
            true = batch.images[number, view]
            correlation = torch.corrcoef(torch.stack([projected.flatten(), true.flatten()]))[0, 1]
            assert correlation > 0.98
            assert float(projected.sum()) == pytest.approx(float(true.sum()), rel=0.03)


def test_true_canonical_coordinates_give_the_true_pose_by_kabsch(source: PairSource, pairs: PairBank) -> None:
    points = RecM(COMPACT).points
    batch = source.take([2])
    occupied = occupancy_target(batch.volumes, COMPACT.lifted_voxels)
    found = kabsch(20.0 * (occupied[0] - 0.5), batch.canonical(points)[0], points)
    assert found is not None
    assert mean_distance(pairs.surface, found, pairs.pose(2)) < 0.01


def test_poses_and_motion_stay_within_their_settings(vertebra: TrainingVertebra) -> None:
    settings = PairSettings(rotation_deg=10.0, offset_mm=5.0)
    bank = make_pairs(vertebra, "L3", 8, np.random.default_rng(0), settings)
    for number in range(8):
        ct_to_roi = bank.pose(number) @ vertebra.frame_to_ct.inverse()
        assert np.degrees(ct_to_roi.angle) <= 10.0 + 1e-6
        assert np.linalg.norm(bank.pose(number).translation) <= 5.0 + 1e-6


def test_the_rest_slides_along_the_spine_and_the_vertebrae_stay(vertebra: TrainingVertebra) -> None:
    still = SimulationSettings(joint_rotation_deg=0.0, joint_shift_mm=0.0)
    ct_to_roi = RigidTransform.identity().rotated_about(np.zeros(3), np.array([0.1, 0.3, 0.2]))
    rest, *neighbours = vertebra.random_background(ct_to_roi, still, np.random.default_rng(0), slide_mm=9.0)
    up = (ct_to_roi @ vertebra.frame_to_ct).rotation[:, 2]
    assert np.allclose(rest.matrix, RigidTransform(ct_to_roi.rotation, ct_to_roi.translation + 9.0 * up).matrix)
    for pose in neighbours:
        assert np.allclose(pose.matrix, ct_to_roi.matrix)


def test_three_pairs_of_four_slide_by_as_much_as_their_settings() -> None:
    rng = np.random.default_rng(1)
    slides = np.array([random_slide(PairSettings(rest_slides=0.6), rng, 25.0) for _ in range(1000)])
    assert 0.2 < np.mean(slides == 0.0) < 0.3
    assert 14.0 < slides.max() <= 15.0
    assert -15.0 <= slides.min() < -14.0
    assert random_slide(PairSettings(), rng, 25.0) == 0.0
    assert random_slide(PairSettings(rest_slides=0.6), rng, np.inf) == 0.0


def test_the_same_generator_makes_the_same_pairs(vertebra: TrainingVertebra) -> None:
    first, again = (make_pairs(vertebra, "L3", 3, np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(first.frame_to_roi, again.frame_to_roi)
    assert np.array_equal(first.background, again.background)


def test_a_bank_survives_its_file(pairs: PairBank, tmp_path: Path) -> None:
    pairs.save(tmp_path / "pairs.npz")
    again = PairBank.load(tmp_path / "pairs.npz")
    assert again.name == pairs.name
    assert np.array_equal(again.vertebra, pairs.vertebra)
    assert np.allclose(again.frame_to_roi, pairs.frame_to_roi)
    assert np.allclose(again.excess.array, pairs.excess.array, atol=1e-4)
    assert [path.name for path in tmp_path.iterdir()] == ["pairs.npz"]


def test_banks_join_and_are_cut(pairs: PairBank) -> None:
    assert len(pairs.joined(pairs.part(slice(2)))) == len(pairs) + 2


def test_stored_pairs_are_drawn_as_those_in_memory(
    pairs: PairBank, clean: Exposure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where fewer vertebrae are kept in memory than there are."""
    monkeypatch.setattr("radgs.training.batches.VERTEBRAE_AT_HAND", 1)
    names = ("a L3", "b L3")
    for name, part in zip(names, (slice(3), slice(3, 6)), strict=True):
        replace(pairs.part(part), name=name).save(tmp_path / f"{name}.npz")
    stored = [StoredPairs.checked(tmp_path / f"{name}.npz") for name in names]
    assert [(one.name, len(one)) for one in stored] == [("a L3", 3), ("b L3", 3)]
    assert len(stored[0].part(slice(2))) == 2
    one = PairSource([stored[0], stored[1].part(slice(2))], COMPACT.voxels, clean)
    other = PairSource([PairBank.load(tmp_path / "a L3.npz"), pairs.part(slice(3, 5))], COMPACT.voxels, clean)
    assert len(one) == len(other) == 5
    for number in (4, 0, 3, 1):
        ours, theirs = one.take([number]), other.take([number])
        assert torch.equal(ours.images, theirs.images)
        assert torch.equal(ours.pose[0], theirs.pose[0])
        torch.testing.assert_close(ours.volumes, theirs.volumes, atol=2e-5, rtol=0)
    (tmp_path / "a L3.npz").write_bytes(b"damaged")
    with pytest.raises(InputFileError, match="are damaged"):
        StoredPairs.checked(tmp_path / "a L3.npz")


def test_images_are_computed_where_they_are_asked_for(
    phantom_spine: PhantomSpine, level: Level, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every part of a pair: a renderer left on the CPU would be what a GPU waits for."""
    asked: list[torch.device | str] = []

    class Noted(VolumeRenderer):
        def __init__(self, volume: Volume, *, device: torch.device | str = "cpu") -> None:
            asked.append(device)
            super().__init__(volume)

    monkeypatch.setattr(training_vertebra, "VolumeRenderer", Noted)
    vertebra = TrainingVertebra.of(phantom_spine.ct, phantom_spine.labels, level, "cuda:1")
    assert asked == ["cuda:1"] * (2 + len(vertebra.joints))
