"""A training that can be killed and resumed: checkpoints in a work folder, and the best model under its name."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from radgs.errors import InputFileError
from radgs.io.atomic import cannot_write, write_text
from radgs.networks import Accuracy, Networks, PreparedFor, load_networks, save_networks
from radgs.training.batches import BatchSource, PairSource
from radgs.training.checkpoint import load_checkpoint, save_checkpoint
from radgs.training.ranks import ALONE, Ranks
from radgs.training.scoring import score
from radgs.training.trainer import Trainer, TrainingProgress, TrainingSettings
from radgs.versions import versions


class TrainingSession:
    """Trains networks and writes them to a file.

    Args:
        networks: Trained in place, on the device of the sources.
        training: Pairs to learn from.
        held_out: Pairs to validate on, and to be scored on at the end.
        settings: How to train.
        budget_seconds: For how long.
        seed: Chooses pairs, exposures and starts.
        out: The model file.
        work: Folder for checkpoints; one that is there is taken up, unless it is damaged.
        prepared_for: CT and vertebra; None for generic networks.
        record: How the pairs came about; ends up in the model file.
        best_before: Of the model that the file holds already; it is kept until a validation finds better networks.
        steps: Trains for so many steps instead of the time.
        ranks: The processes that train together; this is the first.

    Attributes:
        discarded: Why a checkpoint was not taken up, as a sentence; None where none was discarded.
    """

    def __init__(
        self,
        networks: Networks,
        training: BatchSource,
        held_out: PairSource,
        settings: TrainingSettings,
        budget_seconds: float,
        seed: int,
        *,
        out: Path,
        work: Path,
        prepared_for: PreparedFor | None,
        record: Mapping[str, Any],
        best_before: Accuracy | None = None,
        steps: int | None = None,
        ranks: Ranks = ALONE,
    ) -> None:
        self._networks, self._held_out, self._out = networks, held_out, out
        self._prepared_for, self._record = prepared_for, dict(record)
        self.trainer = Trainer(networks, training, held_out, settings, budget_seconds, seed, steps, ranks)
        self._checkpoint, beginning = work / "checkpoint.safetensors", work / "record.json"
        self.discarded = self._taken_up()
        if self._checkpoint.exists():
            # What it began from, whatever it would begin from today.
            self._record = _read_record(beginning) or self._record
        write_text(beginning, json.dumps(self._record))
        seen = [one["ssim_inside"] for one in self.trainer.history]
        self._best = max(seen + ([] if best_before is None else [best_before.ssim_inside]), default=-1.0)
        self._began = time.monotonic() - self.trainer.seconds

    def _taken_up(self) -> str | None:
        """Goes on from the checkpoint, where there is one; what cannot be taken up is deleted, and is said."""
        if not self._checkpoint.exists():
            return None
        why = "its model is gone"
        if self._out.exists():
            try:
                load_checkpoint(self.trainer, self._checkpoint)
                return None
            except InputFileError:
                why = "it is damaged"
        try:
            self._checkpoint.unlink()
        except OSError as problem:
            raise cannot_write(self._checkpoint, problem) from problem
        return f"unfinished training cannot be taken up, because {why}: starting again"

    def run(self, progress: Callable[[TrainingProgress], None], cancelled: Callable[[], bool]) -> bool:
        """Trains until the budget is spent or someone cancels; the file holds the best of all validations.

        Returns:
            Whether it came to its end; then the best and the last networks were scored on all held-out pairs, and the
            file holds those with the better poses: a validation takes few pairs, and the best one was a lucky one.
        """
        self.trainer.run_steps(progress, self._keep, cancelled)
        if cancelled():
            return False
        best = load_networks(self._out).to(self._networks.recm.points.device)
        candidates = [replace(best, accuracy=score(best, self._held_out))]
        if best.record.get("steps") != self.trainer.steps:
            candidates.append(self._as_trained(score(self._networks, self._held_out)))
        save_networks(min(candidates, key=_pose_error_mm), self._out)
        return True

    def _keep(self, accuracy: Accuracy) -> None:
        if accuracy.ssim_inside >= self._best or not self._out.exists():
            self._best = accuracy.ssim_inside
            save_networks(self._as_trained(accuracy), self._out)
        save_checkpoint(self.trainer, self._checkpoint)  # last: where there is one, there is a model

    def _as_trained(self, accuracy: Accuracy) -> Networks:
        """The networks as they are now, with how they came about."""
        record = {
            **self._record,
            "seed": self.trainer.seed,
            "steps": self.trainer.steps,
            "minutes": round((time.monotonic() - self._began) / 60.0, 1),
            "settings": asdict(self.trainer.settings),
            "history": self.trainer.history,
            "versions": versions(),
        }
        return Networks(self._networks.recm, self._networks.regm, self._prepared_for, accuracy, record)


def _read_record(path: Path) -> dict[str, Any] | None:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return record if isinstance(record, dict) else None
    except (OSError, ValueError, RecursionError):
        return None


def _pose_error_mm(networks: Networks) -> float:
    """What the networks are for: the smaller, the better; the mean of Kabsch's and RegM's median."""
    assert networks.accuracy is not None
    return (networks.accuracy.kabsch_median_mm + networks.accuracy.regm_median_mm) / 2


def told(at: TrainingProgress) -> str:
    """A line for people: how good the networks are by now."""
    if at.accuracy is None:
        return f"training, step {at.steps}"
    accuracy = at.accuracy
    return (
        f"training, step {at.steps}: SSIM {accuracy.ssim_3d:.3f} (inside {accuracy.ssim_inside:.3f}), "
        f"mTRE {accuracy.kabsch_median_mm:.1f} mm Kabsch, {accuracy.regm_median_mm:.1f} mm RegM"
    )
