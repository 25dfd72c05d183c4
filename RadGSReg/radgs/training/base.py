"""What a preparation starts from, where nobody says."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from radgs.errors import InputFileError
from radgs.geometry import FloatArray
from radgs.model_file import SUFFIX, work_folder
from radgs.networks import Networks, ct_fingerprint, load_generic, load_networks
from radgs.volume import Volume


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
        if networks.patient and networks.patient.ct_fingerprint == fingerprint and not work_folder(path).exists():
            found.append((float(np.linalg.norm(np.asarray(networks.patient.centre) - centre)), networks))
    return min(found, key=lambda one: one[0])[1] if found else load_generic()
