"""A volume written piece by piece reads back as what it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from radgs.errors import InputFileError, OutputError
from radgs.geometry import Volume
from radgs.io import nrrd_pieces
from radgs.io.nrrd_pieces import write_in_pieces
from radgs.io.volumes import read_volume

#: Oblique, left-handed, with another spacing along every axis.
TURN = np.linalg.qr(np.array([[0.9, -0.2, 0.1], [0.3, 0.8, -0.4], [0.1, 0.5, 0.9]]))[0]
INDEX_TO_RAS = np.eye(4)
INDEX_TO_RAS[:3, :3] = TURN * [0.7, 0.8, -2.5]
INDEX_TO_RAS[:3, 3] = [12.3, -45.6, 789.1]


@pytest.mark.parametrize("kind", ["i1", "u1", "<i2", "u2", "i4", "u4", "i8", "f4", "f8", ">i2"])
def test_every_voxel_type_comes_back_in_its_place(tmp_path: Path, kind: str) -> None:
    values = np.random.default_rng(0).integers(0, 100, (5, 7, 9)).astype(kind)
    for _ in write_in_pieces(tmp_path / "volume.nrrd", Volume(values, INDEX_TO_RAS)):
        pass
    back = read_volume(tmp_path / "volume.nrrd")
    np.testing.assert_array_equal(back.array, values)
    assert back.array.dtype.newbyteorder("=") == values.dtype.newbyteorder("=")
    np.testing.assert_allclose(back.index_to_ras, INDEX_TO_RAS, atol=1e-9)


def test_the_pieces_are_small_and_their_fractions_rise_to_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nrrd_pieces, "PIECE_BYTES", 64)
    fractions = list(write_in_pieces(tmp_path / "v.nrrd", Volume(np.zeros((4, 5, 6), np.int16), np.eye(4))))
    assert len(fractions) == 4
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


def test_an_array_in_another_order_is_written_as_it_reads(tmp_path: Path) -> None:
    values = np.asfortranarray(np.arange(24, dtype=np.int16).reshape(2, 3, 4))
    list(write_in_pieces(tmp_path / "v.nrrd", Volume(values, np.eye(4))))
    np.testing.assert_array_equal(read_volume(tmp_path / "v.nrrd").array, values)


def test_what_is_no_volume_of_numbers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="cannot hold an array of bool"):
        list(write_in_pieces(tmp_path / "v.nrrd", Volume(np.zeros((2, 2, 2), bool), np.eye(4))))


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        list(write_in_pieces(tmp_path / "no" / "v.nrrd", Volume(np.zeros((2, 2, 2), np.int16), np.eye(4))))
