"""Pairs of VerSe's vertebrae, for the generic model: one file per vertebra, a note per CT, resumable."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from radgs.case import Level
from radgs.case.checks import check_ct, check_label
from radgs.drr import SOFT_TISSUE, hu_from_attenuation
from radgs.errors import InputFileError, RadgsError
from radgs.geometry import Volume
from radgs.io.atomic import write_text
from radgs.io.json_fields import JsonObject, json_text, read_json_object
from radgs.io.verse_centroids import LEVEL_OF_LABEL, centroid_on_label, read_centroids
from radgs.io.verse_folder import SPLITS, VerseScan, find_verse_scans
from radgs.io.volumes import read_ct, read_labels
from radgs.training.pairs import PairSettings, make_pairs
from radgs.training.training_vertebra import TrainingVertebra
from radgs.vertebra.completion import unknown_voxels

#: Vertebrae of the neck are not what the method is for.
FIRST_LABEL = 8
#: Voxels finer than this are taken together, mm: training images show no more.
VOXEL_MM = 1.0
NOTE_SCHEMA = "radgs.verse-pairs/1"
#: Seeds of VerSe's draws begin with this; the rest is the scan's name and the label.
SEED = 600_000
TRAINING, VALIDATION, TEST = SPLITS


@dataclass(frozen=True)
class VerseSettings:
    """How much of VerSe is taken.

    Attributes:
        folder: Of the data, as published.
        cts: CTs, at most.
        pairs: Pairs of all CTs, at most.
        pairs_per_vertebra: Pairs of each vertebra.
        all_splits: The publishers' splits are not kept: all patients are alike.
    """

    folder: Path
    cts: int = 253
    pairs: int = 32_000
    pairs_per_vertebra: int = 10
    all_splits: bool = False


@dataclass(frozen=True)
class VersePairs:
    """What was made of VerSe.

    Attributes:
        files: A file of pairs per vertebra.
        cts: How many CTs they come from.
        held_out: Patients whom the publishers keep for validation; none where the folders name no splits, or where the
            splits are not kept.
        left_out: What was left out and why, a sentence each.
    """

    files: tuple[Path, ...]
    cts: int
    held_out: frozenset[str]
    left_out: tuple[str, ...]


def make_verse_pairs(
    folder: Path,
    settings: VerseSettings,
    ranges: PairSettings | None = None,
    device: torch.device | str = "cpu",
    progress: Callable[[float, str], None] = lambda fraction, message: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> VersePairs:
    """Writes ``<scan>_<level>_<pairs>.npz`` for every thoracic and lumbar vertebra; what exists is kept.

    Scans of the publishers' test patients are not touched, unless their splits are not kept.

    Args:
        folder: Where; made if need be.
        settings: How much is taken.
        ranges: How far poses, views and motion range.
        device: Where images are computed.
        progress: Called with the fraction done and what is being done.
        cancelled: Asked before every vertebra.

    Raises:
        InputFileError: VerSe's folder is not there, or is laid out otherwise.
        OutputError: The pairs cannot be written.
        RadgsError: Cancelled.
    """
    found = find_verse_scans(settings.folder)
    folder.mkdir(parents=True, exist_ok=True)
    scans = [scan for scan in found.scans if settings.all_splits or scan.split != TEST]
    left_out = list(found.left_out)
    if len(scans) < len(found.scans):
        left_out.append(f"{len(found.scans) - len(scans)} CTs are left out: their patients are the publishers' test.")
    files: list[Path] = []
    held_out: set[str] = set()
    taken = 0
    for scan in scans:
        room = settings.pairs // settings.pairs_per_vertebra - len(files)
        if taken == settings.cts or room <= 0:
            break
        progress(min(1.0, taken / min(settings.cts, len(scans))), scan.name)
        made = _ScanPairs(folder, scan, settings.pairs_per_vertebra, ranges, device, cancelled).found_or_made()
        left_out += made.left_out
        files += made.files[:room]
        taken += bool(made.files)
        if made.files and scan.split == VALIDATION and not settings.all_splits:
            held_out.add(scan.patient)
    return VersePairs(tuple(files), taken, frozenset(held_out), tuple(left_out))


@dataclass(frozen=True)
class _Made:
    files: list[Path]
    left_out: list[str]


@dataclass(frozen=True, eq=False)
class _ScanPairs:
    """Makes the pairs of one scan, or finds them where another run left them."""

    folder: Path
    scan: VerseScan
    count: int
    ranges: PairSettings | None
    device: torch.device | str
    cancelled: Callable[[], bool]

    def found_or_made(self) -> _Made:
        note = self.folder / f"{self.scan.name}_{self.count}.json"
        known = _read_note(note)
        if known is not None:
            return known
        try:
            made = self._made()
        except InputFileError as error:  # not noted: the file may be whole the next time
            return _Made([], [f"{self.scan.name} is left out: {error.problem}"])
        names = [path.name for path in made.files]
        write_text(note, json_text({"schema": NOTE_SCHEMA, "files": names, "left_out": made.left_out}))
        return made

    def _made(self) -> _Made:
        """Pairs of every vertebra that can be used.

        Raises:
            InputFileError: A file of the scan cannot be read, or is not what it should be.
        """
        scan = self.scan
        ct, mask = read_ct(scan.ct), read_labels(scan.mask)
        centroids = read_centroids(scan.centroids, mask)
        check_ct(ct)
        made = _Made([], [])
        coarse = coarsened(mask, _middle)
        ct = _completed(coarsened(ct, _mean), coarse)
        for label in (int(one) for one in np.unique(mask.array) if one >= FIRST_LABEL):
            if self.cancelled():
                raise RadgsError("Cancelled while pairs were made.", "The same command goes on from there.")
            name = LEVEL_OF_LABEL.get(label)
            if name is None or label not in centroids:
                made.left_out.append(f"{scan.name}: label {label} is left out: nothing says which level it is.")
            elif not centroid_on_label(mask, label, centroids[label]):
                made.left_out.append(f"{scan.name}: {name} is left out: its label is not where its centroid is.")
            else:
                self._add(made, ct, coarse, Level(name, label))
        return made

    def _add(self, made: _Made, ct: Volume, mask: Volume, level: Level) -> None:
        path = self.folder / f"{self.scan.name}_{level.name}_{self.count}.npz"
        if not path.exists():
            try:
                check_label(ct, mask, level)
                vertebra = TrainingVertebra.of(ct, mask, level, self.device)
            except RadgsError as error:
                made.left_out.append(f"{self.scan.name}: {level.name} is left out: {error.problem}")
                return
            draws = np.random.default_rng([SEED, zlib.crc32(self.scan.name.encode()), level.label])
            name = f"{self.scan.patient} {level.name}"
            make_pairs(vertebra, name, self.count, draws, self.ranges).save(path)
        made.files.append(path)


def _read_note(path: Path) -> _Made | None:
    """What a scan came to before; None where that is not known, or its files are gone."""
    try:
        note: JsonObject = read_json_object(path, NOTE_SCHEMA, InputFileError)
        files = [path.parent / name for name in note.texts("files")]
        return _Made(files, note.texts("left_out")) if all(file.is_file() for file in files) else None
    except InputFileError:
        return None


def coarsened(volume: Volume, taken: Callable[[np.ndarray], np.ndarray]) -> Volume:
    """A volume whose voxels finer than ``VOXEL_MM`` are taken together, as many as stay within it.

    Args:
        volume: Whatever.
        taken: What (D, H, W, k, j, i) blocks become: the mean of an image's, the middle one of labels.
    """
    steps = [max(1, int(VOXEL_MM / size + 1e-6)) for size in volume.spacing]
    if steps == [1, 1, 1]:
        return volume
    i, j, k = steps
    depth, height, width = (size // step for size, step in zip(volume.array.shape, (k, j, i), strict=True))
    blocks = volume.array[: depth * k, : height * j, : width * i].reshape(depth, k, height, j, width, i)
    larger = np.diag([*(float(step) for step in steps), 1.0])
    larger[:3, 3] = (np.array(steps) - 1) / 2
    return Volume(taken(blocks.transpose(0, 2, 4, 1, 3, 5)), volume.index_to_ras @ larger)


def _completed(ct: Volume, mask: Volume) -> Volume:
    """The CT with soft tissue where it was never reconstructed, as registration has it."""
    unknown, _ = unknown_voxels(ct, mask)
    if not unknown.any():
        return ct
    return Volume(np.where(unknown, hu_from_attenuation(SOFT_TISSUE), ct.array).astype(np.float32), ct.index_to_ras)


def _mean(blocks: np.ndarray) -> np.ndarray:
    """What is not known in a part of a block is not known in the whole."""
    return blocks.mean(axis=(3, 4, 5), dtype=np.float32)


def _middle(blocks: np.ndarray) -> np.ndarray:
    """The voxel at the middle of a block."""
    _, _, _, k, j, i = blocks.shape
    return np.ascontiguousarray(blocks[..., k // 2, j // 2, i // 2])
