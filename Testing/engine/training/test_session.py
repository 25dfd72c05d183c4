"""A training's end: the file holds the networks with the better poses on all held-out pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from radgs.networks import Accuracy, Networks, load_generic, load_networks, new_networks, save_networks
from radgs.simulation import Exposure
from radgs.training.batches import PairSource
from radgs.training.pairs import PairBank
from radgs.training.session import TrainingSession
from radgs.training.trainer import TrainingProgress, TrainingSettings

pytestmark = pytest.mark.slow

CLAIMED = Accuracy(
    pairs=6,
    ssim_3d=0.99,
    psnr_3d_db=50.0,
    ssim_inside=0.99,
    psnr_inside_db=40.0,
    kabsch_median_mm=0.1,
    kabsch_p95_mm=0.2,
    regm_median_mm=0.1,
    regm_p95_mm=0.2,
)


def test_what_an_earlier_file_claims_does_not_outlive_the_last_scoring(pairs: PairBank, tmp_path: Path) -> None:
    """The file holds networks that know nothing, said to be excellent: no look beats them, the final scoring does."""
    out, work = tmp_path / "model.radgs.safetensors", tmp_path / "work"
    work.mkdir()
    torch.manual_seed(0)
    ignorant = new_networks("compact")
    save_networks(Networks(ignorant.recm, ignorant.regm, None, CLAIMED, {}), out)
    assert session_on(pairs, out, work, {"stage": "test"}, CLAIMED).run(lambda progress: None, lambda: False)
    kept = load_networks(out)
    assert kept.record["stage"] == "test"
    assert kept.accuracy is not None
    assert kept.accuracy.pairs == len(pairs)
    assert 0.3 < kept.accuracy.kabsch_median_mm < 8.0


def test_a_training_taken_up_says_what_it_began_from_not_what_it_would_begin_from_now(
    pairs: PairBank, tmp_path: Path
) -> None:
    out, work = tmp_path / "model.radgs.safetensors", tmp_path / "work"
    work.mkdir()
    steps: list[TrainingProgress] = []
    first = session_on(pairs, out, work, {"base": {"level": "T12"}})
    assert not first.run(steps.append, lambda: bool(steps))
    assert session_on(pairs, out, work, {"base": {"level": "T11"}}).run(steps.append, lambda: False)
    assert load_networks(out).record["base"] == {"level": "T12"}


def session_on(
    pairs: PairBank, out: Path, work: Path, record: dict[str, Any], best_before: Accuracy | None = None
) -> TrainingSession:
    """Two seconds of training on these pairs, from the generic networks."""
    networks = load_generic()
    source = PairSource([pairs], networks.recm.config.voxels, Exposure())
    settings = TrainingSettings(batch=2, learning_rate=1e-4, validate_every_seconds=1e9, validation_pairs=2)
    return TrainingSession(
        networks,
        source,
        source,
        settings,
        2.0,
        seed=0,
        out=out,
        work=work,
        prepared_for=None,
        record=record,
        best_before=best_before,
    )
