"""Without h5py, the way out is told."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from radgs.errors import InputFileError
from radgs.io.gold_standards import read_deepfluoro


def test_h5py_is_asked_for_where_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    path = tmp_path / "full.h5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n")
    with pytest.raises(InputFileError, match=r"h5py, which is not installed\. pip install h5py"):
        read_deepfluoro(path, "17-1882")
