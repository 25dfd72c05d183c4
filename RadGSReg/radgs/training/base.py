"""What a preparation starts from, where nobody says."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from radgs.case import LabelledCT, Level
from radgs.errors import InputFileError, OutputError
from radgs.geometry import FloatArray, Volume
from radgs.io.model_header import SUFFIX, work_folder
from radgs.networks import Networks, ct_fingerprint, load_generic, load_networks
from radgs.vertebra import start_centre


def starting_networks(ct: Volume, centre: FloatArray, folder: Path) -> Networks:
    """The networks that know most of a vertebra already: a neighbour's, or its own of before; else the generic ones.

    A neighbour looks much alike, and the CT around it is the same.

    Args:
        ct: The CT to prepare for, Hounsfield units.
        centre: (3,) the vertebra's, in the CT's RAS, mm.
        folder: Where finished models of this CT may lie, among others.
    """
    fingerprint = ct_fingerprint(ct)
    found: list[tuple[float, Networks]] = []
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        try:
            networks = load_networks(path)
        except InputFileError:
            continue
        if (
            networks.prepared_for
            and networks.prepared_for.ct_fingerprint == fingerprint
            and not work_folder(path).exists()
        ):
            found.append((float(np.linalg.norm(np.asarray(networks.prepared_for.centre) - centre)), networks))
    return min(found, key=lambda one: one[0])[1] if found else load_generic()


def anatomy_and_base(case: Path, level_name: str, out: Path, base: Path | None) -> tuple[LabelledCT, Level, Networks]:
    """What a preparation starts from: CT and labels of a case, the level, and the base, chosen where none is named.

    Raises:
        InputFileError: The case or the base cannot be used.
        OutputError: The model file cannot be used.
        CaseError: There is no such level, or its label shows no whole vertebra.
    """
    check_output(out, [case, *([] if base is None else [base])])
    anatomy = LabelledCT.load(case)
    level = anatomy.checked_level(level_name)
    if base is not None:
        return anatomy, level, load_networks(base)
    centre = start_centre(anatomy.labels, level.label)
    return anatomy, level, starting_networks(anatomy.ct, centre, out.resolve().parent)


def check_output(out: Path, inputs: Sequence[Path]) -> None:
    """Refuses, before the work, a model file that cannot be written, or that the work begins from.

    Raises:
        OutputError: The file cannot be used.
    """
    if not out.name.endswith(SUFFIX):
        raise OutputError(f"{out} does not end in {SUFFIX}, as models do.", f"Name it {out.stem}{SUFFIX}.")
    folder = out.resolve().parent
    if out.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise OutputError(f"{out} cannot be written.", "Name a file in a folder that exists and takes files.")
    for named in inputs:
        if named.exists() and out.exists() and named.samefile(out):
            raise OutputError(f"{out} is what the training begins from.", "Name another file with --out.")
