"""A preparation starts from what knows most of the vertebra already."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from radgs.geometry import Volume
from radgs.io.model_header import SUFFIX, work_folder
from radgs.networks import PreparedFor, ct_fingerprint, load_generic, save_networks
from radgs.training.base import starting_networks

CENTRE = np.array([0.0, 0.0, 100.0])


@pytest.fixture(scope="module")
def ct() -> Volume:
    return Volume(np.zeros((4, 4, 4), dtype=np.float32), np.eye(4))


def keep_model(folder: Path, level: str, z: float, fingerprint: str) -> Path:
    networks = replace(load_generic(), prepared_for=PreparedFor(level, (0.0, 0.0, z), fingerprint))
    return save_networks(networks, folder / f"{level}{SUFFIX}")


def chosen(ct: Volume, folder: Path) -> str | None:
    patient = starting_networks(ct, CENTRE, folder).prepared_for
    return None if patient is None else patient.level


def test_the_nearest_vertebra_of_the_same_ct_is_the_start(ct: Volume, tmp_path: Path) -> None:
    keep_model(tmp_path, "L1", 30.0, ct_fingerprint(ct))
    keep_model(tmp_path, "T12", 65.0, ct_fingerprint(ct))
    assert chosen(ct, tmp_path) == "T12"
    keep_model(tmp_path, "T11", 100.0, ct_fingerprint(ct))
    assert chosen(ct, tmp_path) == "T11"


def test_nothing_else_in_the_folder_is(ct: Volume, tmp_path: Path) -> None:
    assert chosen(ct, tmp_path) is None
    keep_model(tmp_path, "L1", 90.0, "another CT")
    (tmp_path / f"L2{SUFFIX}").write_bytes(b"not a model")
    save_networks(load_generic(), tmp_path / f"generic{SUFFIX}")
    work_folder(keep_model(tmp_path, "L3", 95.0, ct_fingerprint(ct))).mkdir()
    assert chosen(ct, tmp_path) is None
