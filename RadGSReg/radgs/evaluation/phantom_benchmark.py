"""``radgs benchmark``: registrations of phantoms of several subjects, with a report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from radgs.evaluation.report import write_report
from radgs.evaluation.run import run_trials
from radgs.evaluation.trials import BenchmarkSubject, append_trial
from radgs.phantom import make_spine
from radgs.phantom.morphometry import LABELS
from radgs.simulation import ArticulatedAnatomy, SimulationSettings
from radgs.simulation.worlds import CLEAN_NAME

#: Patients of one seed are these many seeds apart from those of the next.
SEEDS_APART = 1000
VOXEL_MM = 1.2
QUICK_VOXEL_MM = 1.5


def run_phantom_benchmark(
    folder: Path,
    *,
    seed: int = 0,
    quick: bool = False,
    worlds: Sequence[str] = (CLEAN_NAME,),
    trials_per_vertebra: int | None = None,
    device: str = "auto",
    progress: Callable[[float, str], None] | None = None,
) -> Path:
    """Registers phantoms and writes the report.

    Args:
        folder: Where report.md, report.html, benchmark.json, trials.jsonl and the plots go; it must exist.
        seed: Chooses subjects, poses and noise.
        quick: Two patients with two vertebrae each instead of three with five.
        worlds: Names of the worlds that images come from; each is reported apart.
        trials_per_vertebra: 2 when quick, otherwise 10, unless given.
        device: Where to register.
        progress: Called with the fraction done and what is being done.

    Returns:
        Path of the report.md.
    """
    settings = SimulationSettings(detector_pixels=384)
    log = folder / "trials.jsonl"
    log.unlink(missing_ok=True)
    trials = run_trials(
        phantom_subjects(seed, quick),
        trials_per_vertebra or (2 if quick else 10),
        seed,
        settings,
        progress,
        worlds=worlds,
        device=device,
        on_trial=lambda trial: append_trial(log, trial),
    )
    title = "Registration of phantoms, quick look" if quick else "Registration of phantoms"
    return write_report(trials, folder, title, settings)


def phantom_subjects(seed: int, quick: bool = False) -> list[BenchmarkSubject]:
    """Phantoms from healthy to osteoporotic; the same seed gives the same patients."""
    levels = ("L2", "L4") if quick else ("L1", "L2", "L3", "L4", "L5")
    voxel_mm = QUICK_VOXEL_MM if quick else VOXEL_MM
    bone_loss = (0.0, 0.6) if quick else (0.0, 0.4, 0.8)
    return [
        _phantom_subject(SEEDS_APART * (seed + 1) + number, osteoporosis, levels, voxel_mm)
        for number, osteoporosis in enumerate(bone_loss)
    ]


def _phantom_subject(seed: int, osteoporosis: float, levels: tuple[str, ...], voxel_mm: float) -> BenchmarkSubject:
    def load() -> ArticulatedAnatomy:
        spine = make_spine(seed, spacing_mm=voxel_mm, osteoporosis=osteoporosis)
        return ArticulatedAnatomy(spine.ct, spine.labels, LABELS)

    return BenchmarkSubject(f"phantom {seed}", "phantom", levels, load)
