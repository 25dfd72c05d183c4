"""The experiments run from end to end on a few pairs, and their parts mean what they say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from radgs.case import RegistrationCase
from radgs.evaluation.trials import BenchmarkSubject, read_trials
from radgs.experiments import attention_experiment, offsets, offsets_experiment, reconstruction_experiment
from radgs.experiments.attention import focus_of, paired_interval
from radgs.experiments.offsets import clicked_off
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
def test_the_three_variants_are_compared_on_the_same_pairs(folder: Path) -> None:
    told: list[float] = []
    report = attention_experiment(folder, **SMALL, progress=lambda done, what: told.append(done))
    text = report.read_text(encoding="utf-8")
    assert "*attention + CAL* against *attention*" in text
    assert (folder / "attention.png").stat().st_size > 5000
    assert told == sorted(told)


def test_focus_is_how_much_more_the_vertebra_counts() -> None:
    images = torch.zeros(2, 128, 128)
    images[:, 40:80, 30:90] = 1.0
    shadow = images[:, ::2, ::2] > 0.5
    assert focus_of(torch.ones(2, 64, 64), images) == pytest.approx(1.0)
    assert focus_of(torch.where(shadow, 1.5, 0.5), images) == pytest.approx(3.0)


def test_the_interval_of_a_real_difference_leaves_out_zero() -> None:
    rng = np.random.default_rng(0)
    low, high = paired_interval(rng.normal(1.0, 0.5, 40).tolist())
    assert 0.0 < low < 1.0 < high + 0.3
    low, high = paired_interval(rng.normal(0.0, 0.5, 40).tolist())
    assert low < 0.0 < high


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
