"""VerSe's CTs as they are published: which scans a folder holds, and which of them can be trained on.

The layout is that of the restructured data (https://github.com/anjany/verse): CTs ``*_ct.nii.gz`` in
``<split>/rawdata/sub-<patient>``; a mask and the bodies' centres, under the same entities, in
``<split>/derivatives/sub-<patient>``. The layout of the challenge of 2020 itself, with other centroids, is not read.
"""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from radgs.errors import InputFileError

RAW, DERIVED = "rawdata", "derivatives"
CT_SUFFIX, MASK_SUFFIX, CENTROIDS_SUFFIX = "_ct.nii.gz", "_seg-vert_msk.nii.gz", "_seg-subreg_ctd.json"
#: The published splits, by what their folders' names contain; a patient belongs to the strictest of its scans.
SPLITS = ("training", "validation", "test")
#: Scans of these patients are under CC BY-NC-ND; all others are under CC BY-SA 4.0.
UNLICENSED = "sub-gl"
#: ``rawdata`` lies so many folders below the one named, at most.
DEPTH = 2


@dataclass(frozen=True)
class VerseScan:
    """One CT with its labels.

    Attributes:
        name: What its files' names begin with, such as "sub-verse500_dir-ax".
        patient: Whose it is, such as "sub-verse500".
        split: Of the patient: "training", "validation" or "test"; "" where the folders name none.
        ct, mask, centroids: Its files.
    """

    name: str
    patient: str
    split: str
    ct: Path
    mask: Path
    centroids: Path


@dataclass(frozen=True)
class VerseFolder:
    """What a folder holds.

    Attributes:
        scans: With everything that training needs, by name.
        left_out: What is left out and why, a sentence each.
    """

    scans: tuple[VerseScan, ...]
    left_out: tuple[str, ...]


def find_verse_scans(folder: Path) -> VerseFolder:
    """Lists the scans in a folder of VerSe's: one split's, or one that holds several.

    Raises:
        InputFileError: The folder is not there, cannot be read, or is laid out otherwise.
    """
    places = _raw_folders(folder)
    if not places:
        raise InputFileError(
            f"{folder} holds no folder {RAW}, as VerSe's data do.",
            "Name the unpacked folder of a split, with rawdata and derivatives in it, or the one around several.",
        )
    found: dict[str, VerseScan] = {}
    left_out: list[str] = []
    splits: dict[str, set[str]] = defaultdict(set)
    unlicensed = 0
    for raw in places:
        split = _split_of(raw)
        for patient in _subjects(raw):
            if patient.name.startswith(UNLICENSED):
                unlicensed += 1
                continue
            splits[patient.name].add(split)
            for scan in _scans_of(patient, split, left_out):
                found.setdefault(scan.name, scan)
        left_out += _labels_alone(raw)
    if unlicensed:
        left_out.append(f"{unlicensed} patients {UNLICENSED}* are left out: their licence forbids derived works.")
    strictest = {patient: max(known, key=_strictness) for patient, known in splits.items()}
    scans = [_of_split(scan, strictest[scan.patient]) for _, scan in sorted(found.items())]
    return VerseFolder(tuple(scans), tuple(left_out))


def _raw_folders(folder: Path) -> list[Path]:
    try:
        found = [path for depth in range(DEPTH + 1) for path in folder.glob("/".join([*["*"] * depth, RAW]))]
        return sorted(path for path in found if path.is_dir() and os.access(path, os.R_OK | os.X_OK))
    except OSError as problem:
        raise InputFileError(f"{folder} cannot be read.", "Check the path and who may read it.") from problem


def _subjects(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("sub-*") if path.is_dir())


def _split_of(raw: Path) -> str:
    name = raw.resolve().parent.name.lower()
    return next((split for split in SPLITS if split in name), "")


def _strictness(split: str) -> int:
    return SPLITS.index(split) if split in SPLITS else -1


def _of_split(scan: VerseScan, split: str) -> VerseScan:
    return VerseScan(scan.name, scan.patient, split, scan.ct, scan.mask, scan.centroids)


def _scans_of(patient: Path, split: str, left_out: list[str]) -> list[VerseScan]:
    """A patient's whole scans; what the others lack is added to ``left_out``."""
    scans = []
    derived = patient.parent.parent / DERIVED / patient.name
    cts = sorted(patient.glob(f"*{CT_SUFFIX}"))
    if not cts:
        left_out.append(f"{patient.name} is left out: there is no CT in its folder.")
    for ct in cts:
        name = ct.name.removesuffix(CT_SUFFIX)
        mask, centroids = derived / f"{name}{MASK_SUFFIX}", derived / f"{name}{CENTROIDS_SUFFIX}"
        if not mask.is_file():
            left_out.append(f"{name} is left out: its CT has no labels, {mask.name} is missing.")
        elif not centroids.is_file():
            left_out.append(f"{name} is left out: its labels have no levels, {centroids.name} is missing.")
        else:
            scans.append(VerseScan(name, patient.name, split, ct, mask, centroids))
    return scans


def _labels_alone(raw: Path) -> list[str]:
    """Masks without the CT that they were drawn on."""
    told = []
    for patient in _subjects(raw.parent / DERIVED):
        if patient.name.startswith(UNLICENSED):
            continue
        for mask in sorted(patient.glob(f"*{MASK_SUFFIX}")):
            name = mask.name.removesuffix(MASK_SUFFIX)
            has_folder = (raw / patient.name).is_dir()
            if not (raw / patient.name / f"{name}{CT_SUFFIX}").is_file() and (
                not has_folder or any((raw / patient.name).glob(f"*{CT_SUFFIX}"))
            ):
                told.append(f"{name} is left out: its labels have no CT.")
    return told
