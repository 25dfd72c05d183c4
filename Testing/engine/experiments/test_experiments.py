"""The experiments run from end to end on a few pairs, and their parts mean what they say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from radgs.case import RegistrationCase
from radgs.evaluation.trials import BenchmarkSubject, read_trials
from radgs.experiments import (
    attention,
    attention_arms,
    attention_experiment,
    offsets,
    offsets_experiment,
    reconstruction_experiment,
    segmentation_experiment,
)
from radgs.experiments.attention_arms import focus_of, share_on
from radgs.experiments.attention_report import nested_interval
from radgs.experiments.offsets import clicked_off
from radgs.experiments.segmentation import true_parts
from radgs.experiments.setting import RECM_ALONE, Setting
from radgs.geometry import RigidTransform
from radgs.networks import load_generic
from radgs.networks.recm.attention import MassAttention
from radgs.phantom import PhantomSpine
from radgs.simulation import ArticulatedAnatomy

SMALL = {"steps": 2, "pairs": 4, "held_out": 3}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared: the second experiment finds the first one's pairs."""
    return tmp_path_factory.mktemp("experiments")


@pytest.mark.slow
def test_recm_alone_is_held_against_the_bar_and_an_empty_volume(folder: Path) -> None:
    report = reconstruction_experiment(folder, **SMALL).read_text(encoding="utf-8")
    assert "an empty volume" in report
    assert "not above 90%" in report, "two steps teach nothing"
    assert (folder / "learning_curve.png").stat().st_size > 5000


@pytest.mark.slow
def test_the_arms_go_on_from_one_trunk_and_are_compared_on_the_same_pairs(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[float] = []
    monkeypatch.setattr(attention_arms, "PHOTONS", (1e6, 1e4))
    monkeypatch.setattr(attention_arms, "CELLS", 2)
    monkeypatch.setattr(attention, "DRAWN", 1)
    arguments = {**SMALL, "seeds": 1, "trunk_steps": 1}

    def progress(done: float, what: str) -> None:
        told.append(done)

    text = attention_experiment(folder, **arguments, progress=progress).read_text(encoding="utf-8")
    assert "*attention + CAL* against *none*" in text
    assert "*random attention at inference* against *attention*" in text
    assert "| 1,000,000 | 10,000 |" in text
    for name in ("attention", "occlusion", "noise", "learning_curve"):
        assert (folder / f"{name}.png").stat().st_size > 5000
    assert told == sorted(told)
    assert not list(folder.glob("*.checkpoint"))
    stamps = {path: path.stat().st_mtime_ns for path in folder.glob("*_0_2.*")}
    assert len(stamps) == 9, "networks of four arms, results of five"
    assert attention_experiment(folder, **arguments).read_text(encoding="utf-8") == text
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps, "nothing is done twice"


@pytest.mark.slow
def test_a_training_goes_on_from_its_checkpoint(folder: Path) -> None:
    setting = Setting.make(folder, 0, SMALL["pairs"], SMALL["held_out"], "cpu", lambda done, what: None)
    checkpoint = folder / "some.checkpoint"
    networks = load_generic()
    setting.train(networks, 2, RECM_ALONE, "", lambda done, what: None, checkpoint=checkpoint)
    steps: list[float] = []
    history = setting.train(
        load_generic(), 4, RECM_ALONE, "", lambda done, what: steps.append(done), checkpoint=checkpoint
    )
    assert steps == [0.75, 1.0]
    assert history[-1]["steps"] == 4
    enough = setting.train(load_generic(), 4, RECM_ALONE, "", lambda done, what: None, until=lambda accuracy: True)
    assert enough[-1]["steps"] == 4, "no look before the end of so short a training"


def test_random_attention_in_the_place_of_a_learned_one_has_its_mass_and_is_the_same_twice() -> None:
    learned = attention_arms.RandomInstead(MassAttention(4))
    features = torch.randn(2, 4, 32, 32)
    drawn = learned(features)
    assert torch.allclose(drawn.mean(dim=(1, 2, 3)), torch.ones(2), atol=1e-5)
    assert torch.equal(learned(features), drawn)
    assert not torch.equal(learned(features + 0.1), drawn)


def test_focus_is_how_much_more_the_vertebra_counts() -> None:
    images = torch.zeros(2, 128, 128)
    images[:, 40:80, 30:90] = 1.0
    shadow = images[:, ::2, ::2] > 0.5
    assert focus_of(torch.ones(2, 64, 64), images) == pytest.approx(1.0)
    assert focus_of(torch.where(shadow, 1.5, 0.5), images) == pytest.approx(3.0)
    assert share_on(torch.ones(2, 64, 64), images) == pytest.approx(2400 / 128**2)
    assert share_on(torch.where(shadow, 1.0, 0.0), images) == pytest.approx(1.0)
    assert share_on(torch.ones(2, 8, 8), images) == pytest.approx(2400 / 128**2), "also on coarse maps"


def test_the_interval_of_a_real_difference_leaves_out_zero() -> None:
    rng = np.random.default_rng(0)
    low, high = nested_interval(rng.normal(1.0, 0.5, (3, 40)).tolist())
    assert 0.0 < low < 1.0 < high + 0.3
    low, high = nested_interval(rng.normal(0.0, 0.5, (3, 40)).tolist())
    assert low < 0.0 < high
    far_apart = [(rng.normal(mean, 0.01, 40)).tolist() for mean in (-1.0, 0.0, 1.0)]
    low, high = nested_interval(far_apart)
    assert high - low > 1.0, "trainings that differ widen it, however many pairs each has"


def test_clicks_are_off_by_exactly_what_was_asked(small_case: RegistrationCase) -> None:
    centre = np.array([10.0, 20.0, 30.0])
    off = clicked_off(small_case, "L3", centre, np.array([12.0, -9.0, 20.0]))
    found = off.triangulated_centre("L3")
    assert found is not None
    assert np.linalg.norm(found - small_case.truth["L3"].apply(centre)) == pytest.approx(25.0, abs=1e-3)


@pytest.mark.slow
def test_known_offsets_end_in_a_table_and_a_plot(
    phantom_anatomy: ArticulatedAnatomy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offsets, "OFFSETS_MM", (0.0, 12.0))
    subject = BenchmarkSubject("phantom 5", "phantom", ("L3",), lambda: phantom_anatomy)
    text = offsets_experiment(tmp_path, trials=1, subject=subject).read_text(encoding="utf-8")
    near, far = read_trials(tmp_path / "trials.jsonl")
    assert near.click_offset_mm == pytest.approx(0.0, abs=0.01)
    assert far.click_offset_mm == pytest.approx(12.0, abs=0.01)
    assert far.mtre_mm < 2.0
    assert "| 12 | 1 |" in text
    assert (tmp_path / "offsets.png").stat().st_size > 5000


def test_the_truth_of_a_place_is_the_bone_that_lies_there(phantom_spine: PhantomSpine) -> None:
    label = phantom_spine.levels["L3"]
    pose = RigidTransform.from_rotation_vector(np.array([0.0, 0.1, 0.2]))
    away = RigidTransform(np.eye(3), np.array([0.0, 40.0, 0.0]))
    centres = np.stack([phantom_spine.frames[level].translation for level in ("L3", "L2", "L4", "L1")])
    places = pose.apply(centres)
    assert true_parts(phantom_spine.labels, label, pose, (pose, pose), places).tolist() == [0, 1, 1, 2]
    moved = true_parts(phantom_spine.labels, label, pose, (away @ pose, pose), places)
    assert moved.tolist() == [0, 2, 1, 2], "a neighbour is where its own pose puts it"


@pytest.mark.slow
def test_labelled_gaussians_are_held_against_the_truth(tmp_path: Path) -> None:
    text = segmentation_experiment(tmp_path, spines=1, trials=1).read_text(encoding="utf-8")
    assert "2 pairs of 1 synthetic lumbar spines" in text
    assert "no labels: all is vertebra" in text
    assert (tmp_path / "segmentation.png").stat().st_size > 5000
