"""Pairs of many synthetic spines, for the generic model: one file per vertebra, made in any order and resumable."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from radgs.case import Level
from radgs.phantom import make_spine
from radgs.phantom.morphometry import LUMBAR
from radgs.training.pairs import PairSettings, make_pairs
from radgs.training.training_vertebra import TrainingVertebra

#: Spines of the generic model have seeds from here on: none that tests, demo or benchmarks use.
FIRST_SEED = 700_000


def make_phantom_pairs(
    folder: Path,
    numbers: range,
    pairs_per_vertebra: int,
    settings: PairSettings | None = None,
    progress: Callable[[float, str], None] = lambda fraction, message: None,
) -> list[Path]:
    """Writes ``spine_<number>_<level>.npz`` for every lumbar vertebra of every spine; files that exist are kept.

    Args:
        folder: Where; made if need be.
        numbers: Which spines; a number always gives the same spine and the same pairs.
        pairs_per_vertebra: Pairs of each vertebra.
        settings: How far poses, views and motion range.
        progress: Called with the fraction done and what is being done.

    Returns:
        The files, those kept too.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths: list[Path] = []
    for done, number in enumerate(numbers):
        progress(done / len(numbers), f"spine {number}")
        paths += _pairs_of_one_spine(folder, number, pairs_per_vertebra, settings)
    return paths


def _pairs_of_one_spine(folder: Path, number: int, count: int, settings: PairSettings | None) -> list[Path]:
    paths = {level: folder / f"spine_{number:04d}_{level}.npz" for level in LUMBAR}
    if all(path.exists() for path in paths.values()):
        return list(paths.values())
    rng = np.random.default_rng([FIRST_SEED, number])
    spine = make_spine(
        FIRST_SEED + number,
        spacing_mm=(in_plane := rng.uniform(0.8, 1.5), in_plane, rng.uniform(1.0, 2.5)),
        osteoporosis=rng.uniform(0.0, 1.0) ** 1.5,
        scoliosis_deg=rng.normal(0.0, 7.0),
        body_size=rng.uniform(0.9, 1.25),
        noise_hu=rng.uniform(8.0, 25.0),
    )
    for level, path in paths.items():
        if not path.exists():
            label = spine.levels[level]
            vertebra = TrainingVertebra.of(spine.ct, spine.labels, Level(level, label))
            draws = np.random.default_rng([FIRST_SEED, number, label])
            make_pairs(vertebra, f"spine {number} {level}", count, draws, settings).save(path)
    return list(paths.values())
