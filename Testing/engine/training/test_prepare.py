"""Preparation keeps what it has whatever happens to it, and never another patient's."""

from __future__ import annotations

import math
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import radgs
from radgs.case import Level
from radgs.errors import InputFileError, OutputError, RadgsError
from radgs.io.model_header import read_model_summary, work_folder
from radgs.io.volumes import write_volume
from radgs.networks import load_generic, load_networks
from radgs.phantom import PhantomSpine
from radgs.simulation import Exposure
from radgs.training.batches import PairSource
from radgs.training.checkpoint import load_checkpoint
from radgs.training.pairs import PairBank
from radgs.training.prepare import SETTINGS, PreparationProgress, PreparationSettings, prepare
from radgs.training.trainer import Trainer
from radgs.training.unfinished_work import unfinished_work

pytestmark = pytest.mark.slow

MODULE_FOLDER = Path(radgs.__file__).resolve().parents[1]

#: Everything that a real preparation does, of each a little.
SMALL = PreparationSettings(
    most_pairs=6,
    pairs_at_a_time=2,
    held_out=2,
    training=replace(SETTINGS, batch=2, warm_up_steps=2, validation_pairs=2),
)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "L3.radgs.safetensors"


def prepare_small(spine: PhantomSpine, level: Level, out: Path, **changed: Any) -> Any:
    options: dict[str, Any] = {"minutes": 0.2, "settings": SMALL, "device": "cpu", **changed}
    return prepare(spine.ct, spine.labels, level, load_generic(), out, **options)


class Watcher:
    """Remembers what it was told, and cancels once a condition on that holds."""

    def __init__(self, cancel_when: Callable[[list[PreparationProgress]], bool] = lambda told: False) -> None:
        self.told: list[PreparationProgress] = []
        self._cancel_when = cancel_when

    def __call__(self, at: PreparationProgress) -> None:
        self.told.append(at)

    def cancelled(self) -> bool:
        return self._cancel_when(self.told)


@pytest.fixture(scope="module")
def finished(
    phantom_spine: PhantomSpine, level: Level, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[PreparationProgress]]:
    """A preparation that came to its end."""
    out, watcher = tmp_path_factory.mktemp("finished") / "L3.radgs.safetensors", Watcher()
    prepare_small(phantom_spine, level, out, progress=watcher)
    return out, watcher.told


def test_progress_runs_one_way_and_says_how_good_the_networks_are(
    finished: tuple[Path, list[PreparationProgress]],
) -> None:
    _out, told = finished
    fractions = [at.fraction for at in told]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert [at.seconds_left for at in told] == pytest.approx([12.0 * (1.0 - fraction) for fraction in fractions])
    assert list(dict.fromkeys(at.stage for at in told)) == ["pairs", "train", "score"]
    measured = [at.accuracy for at in told if at.accuracy is not None]
    assert 0.5 < measured[0].ssim_3d < 1.0
    assert measured[0].kabsch_median_mm < 20.0
    assert "SSIM" in next(at for at in told if at.stage == "train" and at.accuracy).message


def test_the_end_leaves_a_scored_model_and_no_unfinished_work(
    finished: tuple[Path, list[PreparationProgress]], level: Level
) -> None:
    out, _told = finished
    networks, summary = load_networks(out), read_model_summary(out)
    assert networks.prepared_for is not None
    assert (networks.prepared_for.level, summary.level) == ("L3", "L3")
    assert networks.accuracy is not None
    assert networks.accuracy.pairs == SMALL.held_out
    assert summary.accuracy["ssim_3d"] == networks.accuracy.ssim_3d
    assert summary.minutes == networks.record["minutes"]
    assert not work_folder(out).exists()


def step_of(progress: PreparationProgress) -> int:
    """How many steps were done."""
    (step,) = re.findall(r"step (\d+)", progress.message)
    return int(step)


def test_cancelled_while_it_trains_it_keeps_the_best_and_goes_on_there(
    phantom_spine: PhantomSpine, level: Level, out: Path
) -> None:
    watcher = Watcher(lambda told: bool(told) and told[-1].stage == "train" and told[-1].fraction > 0.4)
    networks = prepare_small(phantom_spine, level, out, progress=watcher, cancelled=watcher.cancelled, minutes=1.0)
    assert networks.prepared_for is not None
    assert watcher.told[-1].message == "cancelled; the best so far is kept"
    assert networks.record["steps"] >= 1
    assert work_folder(out).is_dir()

    again = Watcher(lambda told: any(at.stage == "train" for at in told))
    prepare_small(phantom_spine, level, out, progress=again, cancelled=again.cancelled, minutes=1.0)
    first = next(at for at in again.told if at.stage == "train")
    assert step_of(first) == step_of([at for at in watcher.told if at.stage == "train"][-1]) + 1
    assert first.fraction > 0.35
    said = [at.message for at in again.told if at.stage == "pairs"]
    assert said == ["separating L3 from the CT"], "the pairs were there"


def test_cancelled_before_there_is_a_model_it_says_so_and_leaves_none(
    phantom_spine: PhantomSpine, level: Level, out: Path
) -> None:
    watcher = Watcher(lambda told: True)
    with pytest.raises(RadgsError, match="before there was a model to keep"):
        prepare_small(phantom_spine, level, out, progress=watcher, cancelled=watcher.cancelled)
    assert not out.exists()
    assert {at.stage for at in watcher.told} == {"pairs"}


def test_a_worse_model_does_not_replace_a_better_one(
    phantom_spine: PhantomSpine, level: Level, finished: tuple[Path, list[PreparationProgress]], out: Path
) -> None:
    """The file holds a model that these few steps, at a rate that ruins networks, do not reach."""
    out.write_bytes(finished[0].read_bytes())
    ruinous = replace(SMALL, training=replace(SMALL.training, learning_rate=1.0))
    watcher = Watcher(lambda told: sum(at.stage == "train" for at in told) > 3)
    prepare_small(
        phantom_spine, level, out, settings=ruinous, minutes=1.0, progress=watcher, cancelled=watcher.cancelled
    )
    assert out.read_bytes() == finished[0].read_bytes()


def test_the_model_of_another_ct_or_level_is_not_written_over(
    phantom_spine: PhantomSpine, finished: tuple[Path, list[PreparationProgress]]
) -> None:
    out, _told = finished
    before = out.read_bytes()
    with pytest.raises(InputFileError, match="holds a model of another vertebra or CT"):
        prepare_small(phantom_spine, Level("L4", phantom_spine.levels["L4"]), out)
    other = replace(phantom_spine, ct=replace(phantom_spine.ct, array=phantom_spine.ct.array + 1))
    with pytest.raises(InputFileError, match="holds a model of another vertebra or CT"):
        prepare_small(other, Level("L3", phantom_spine.levels["L3"]), out)
    assert out.read_bytes() == before
    assert not work_folder(out).exists()


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_killed_in_the_middle_it_goes_on_where_it_was(
    phantom_spine: PhantomSpine, level: Level, out: Path, tmp_path: Path
) -> None:
    for name, volume in (("ct", phantom_spine.ct), ("labels", phantom_spine.labels)):
        write_volume(tmp_path / f"{name}.nrrd", volume)
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from test_prepare import SMALL
from radgs.case import Level
from radgs.io.volumes import read_ct, read_labels
from radgs.networks import load_generic
from radgs.training.prepare import prepare
folder = Path({str(tmp_path)!r})
ct, labels = read_ct(folder / "ct.nrrd"), read_labels(folder / "labels.nrrd")
prepare(ct, labels, Level("L3", {level.label}), load_generic(), Path({str(out)!r}), minutes=0.7, settings=SMALL,
        device="cpu")
"""
    process = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(MODULE_FOLDER)})
    checkpoint = work_folder(out) / "checkpoint.safetensors"
    end = time.monotonic() + 90
    while not checkpoint.exists() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.05)
    assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert checkpoint.exists()
    kept = load_networks(out).record["steps"]

    watcher = Watcher(lambda told: any(at.stage == "train" for at in told))
    networks = prepare_small(phantom_spine, level, out, minutes=0.7, progress=watcher, cancelled=watcher.cancelled)
    first = next(at for at in watcher.told if at.stage == "train")
    assert f"step {kept + 1}" in first.message
    assert networks.record["steps"] >= kept
    assert np.isfinite(networks.accuracy.ssim_3d)


def test_a_folder_that_is_not_ours_is_not_touched(phantom_spine: PhantomSpine, level: Level, out: Path) -> None:
    theirs = work_folder(out) / "thesis.txt"
    theirs.parent.mkdir()
    theirs.write_text("years of work", "utf-8")
    with pytest.raises(OutputError, match="nothing there was touched"):
        prepare_small(phantom_spine, level, out)
    assert theirs.read_text("utf-8") == "years of work"


def test_another_seeds_unfinished_work_is_kept(phantom_spine: PhantomSpine, level: Level, out: Path) -> None:
    for seed in (0, 1):
        with pytest.raises(RadgsError, match="before there was a model"):
            prepare_small(phantom_spine, level, out, seed=seed, cancelled=lambda: True)
        (work_folder(out, seed) / "left.txt").touch()
    with pytest.raises(RadgsError, match="before there was a model"):
        prepare_small(phantom_spine, level, out, cancelled=lambda: True)
    assert [(work_folder(out, seed) / "left.txt").exists() for seed in (0, 1)] == [True, True]


def test_two_do_not_prepare_one_model(phantom_spine: PhantomSpine, level: Level, out: Path) -> None:
    with unfinished_work(out, "somebody else's", 0), pytest.raises(OutputError, match="Another run is writing"):
        prepare_small(phantom_spine, level, out)


def test_damaged_unfinished_work_is_discarded_and_said(phantom_spine: PhantomSpine, level: Level, out: Path) -> None:
    watcher = Watcher(lambda told: bool(told) and told[-1].stage == "train" and told[-1].accuracy is not None)
    prepare_small(phantom_spine, level, out, progress=watcher, cancelled=watcher.cancelled, minutes=3.0)
    work = work_folder(out)
    checkpoint, pairs = (work / "checkpoint.safetensors").read_bytes(), work / "training.npz"

    networks, on, rng = load_generic(), torch.device("cpu"), np.random.default_rng(0)
    source = PairSource([PairBank.load(pairs)], networks.recm.config.voxels, Exposure(), on)
    trainer = Trainer(networks, source, source, SMALL.training, 60.0)
    for _ in range(20):
        damaged = bytearray(checkpoint)
        damaged[int(rng.integers(len(damaged)))] ^= 1 << int(rng.integers(8))
        (work / "checkpoint.safetensors").write_bytes(damaged)
        with pytest.raises(InputFileError, match="is damaged"):
            load_checkpoint(trainer, work / "checkpoint.safetensors")
    (work / "checkpoint.safetensors").write_bytes(checkpoint)
    load_checkpoint(trainer, work / "checkpoint.safetensors")
    assert trainer.steps > 0

    (work / "checkpoint.safetensors").write_bytes(checkpoint[:1000])
    pairs.write_bytes(pairs.read_bytes()[:1000])
    (work / "record.json").write_bytes(b"[" * 100_000)
    again = Watcher(lambda told: bool(told) and "step" in told[-1].message)
    networks = prepare_small(phantom_spine, level, out, progress=again, cancelled=again.cancelled, minutes=3.0)
    said = [at.message for at in again.told]
    assert "unfinished work is damaged: its pairs are made again" in said
    assert "unfinished training cannot be taken up, because it is damaged: starting again" in said
    assert networks.accuracy is not None
    assert np.isfinite(networks.accuracy.ssim_3d)


@pytest.mark.parametrize("minutes", [math.nan, math.inf, -1.0, 0.0])
def test_a_budget_is_a_number_of_minutes(minutes: float, phantom_spine: PhantomSpine, level: Level, out: Path) -> None:
    with pytest.raises(InputFileError, match="minutes"):
        prepare_small(phantom_spine, level, out, minutes=minutes)


def test_unfinished_work_on_another_label_map_is_not_taken_up(
    phantom_spine: PhantomSpine, level: Level, out: Path
) -> None:
    with pytest.raises(RadgsError, match="before there was a model"):
        prepare_small(phantom_spine, level, out, cancelled=lambda: True)
    left = work_folder(out) / "left.txt"
    left.write_text("from before", "utf-8")
    labels = phantom_spine.labels.array.copy()
    labels[0, 0, 0] = level.label
    other = replace(phantom_spine, labels=replace(phantom_spine.labels, array=labels))
    with pytest.raises(RadgsError, match="before there was a model"):
        prepare_small(other, level, out, cancelled=lambda: True)
    assert not left.exists()
