"""Pairs of many synthetic patients, for the generic model: one file per vertebra, made in any order and resumable."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from radgs.case import Level
from radgs.errors import CaseError
from radgs.io.atomic import write_text
from radgs.phantom import PhantomSpine, Variant
from radgs.phantom.variants import ANATOMY
from radgs.training.pairs import PairSettings, make_pairs
from radgs.training.training_vertebra import TrainingVertebra

#: Patients of the generic model have seeds from here on: none that tests, demo or benchmarks use.
FIRST_SEED = 800_000
#: Regions of interest of generic networks are off by what clicks may be off. Phantoms' ribs are more alike than
#: people's, and told networks where a vertebra is along the spine: they slide.
GENERIC = PairSettings(offset_mm=20.0, rest_slides=0.6)
#: Levels that have grown together hardly move against each other: degrees, mm.
FUSED_ROTATION_DEG, FUSED_SHIFT_MM = 0.3, 0.2


def make_phantom_pairs(
    folder: Path,
    numbers: range,
    pairs_per_vertebra: int,
    settings: PairSettings = GENERIC,
    device: torch.device | str = "cpu",
    progress: Callable[[float, str], None] = lambda fraction, message: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> list[Path]:
    """Writes a file (``file_name``) for every whole vertebra of every patient; what exists is kept.

    A vertebra that no frame can be fitted to is left out; a note (``.json``) in its place says why.

    Args:
        folder: Where; made if need be.
        numbers: Which patients; a number always gives the same patient and the same pairs.
        pairs_per_vertebra: Pairs of each vertebra.
        settings: How far poses, views and motion range.
        device: Where images are computed.
        progress: Called with the fraction done and what is being done.
        cancelled: Asked before every patient; true ends the work.

    Returns:
        The files, those kept too.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths: list[Path] = []
    for done, number in enumerate(numbers):
        if cancelled():
            break
        progress(done / len(numbers), f"patient {number}")
        paths += _pairs_of_one_patient(folder, number, pairs_per_vertebra, settings, device)
    return paths


def file_name(number: int, level: str, settings: PairSettings = GENERIC) -> str:
    """What the pairs of a patient's vertebra are called: of other phantoms, or made otherwise, they are others."""
    return f"patient_{number:04d}_{level}_{ANATOMY}{'s' if settings.rest_slides else ''}.npz"


def _pairs_of_one_patient(
    folder: Path, number: int, count: int, settings: PairSettings, device: torch.device | str
) -> list[Path]:
    variant = Variant.drawn(FIRST_SEED + number)
    paths = {level: folder / file_name(number, level, settings) for level in variant.extent.whole}
    missing = [level for level, path in paths.items() if not path.exists() and not path.with_suffix(".json").exists()]
    if missing:
        spine = variant.spine()
        for level in missing:
            draws = np.random.default_rng([FIRST_SEED, number, spine.levels[level]])
            _pairs_of_one_level(spine, variant, level, paths[level], number, count, settings, draws, device)
    return [path for path in paths.values() if path.exists()]


def _pairs_of_one_level(
    spine: PhantomSpine,
    variant: Variant,
    level: str,
    path: Path,
    number: int,
    count: int,
    settings: PairSettings,
    rng: np.random.Generator,
    device: torch.device | str,
) -> None:
    try:
        vertebra = TrainingVertebra.of(spine.ct, spine.labels, Level(level, spine.levels[level]), device)
    except CaseError as problem:
        write_text(path.with_suffix(".json"), json.dumps({"left_out": str(problem)}) + "\n")
        return
    if _grown_together(variant, level):
        stiff = replace(settings.simulation, joint_rotation_deg=FUSED_ROTATION_DEG, joint_shift_mm=FUSED_SHIFT_MM)
        settings = replace(settings, simulation=stiff)
    make_pairs(vertebra, f"patient {number} {level}", count, rng, settings).save(path)


def _grown_together(variant: Variant, level: str) -> bool:
    """Whether a level is one of a fused pair."""
    drawn = variant.extent.drawn
    return any(level in (upper, drawn[drawn.index(upper) + 1]) for upper in variant.pathology.fused)
