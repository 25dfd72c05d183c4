"""Functions compiled at run time: the same numbers, kept for the next process; nothing lost where they cannot be."""

from __future__ import annotations

import hashlib
import logging
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from radgs.io.cache_folder import CacheFolder
from radgs.kernels import VARIABLE, Kernel, compiling
from radgs.kernels.store import KIND, KernelStore

MISSING = "numba is not installed: pip install 'radgs[fast]'"
SIGNATURE = "float64(float64[::1])"


def weighted_sum(values: np.ndarray) -> float:
    total = 0.0
    for index in range(len(values)):
        total += index * values[index]
    return total


def broken(values: np.ndarray) -> float:
    return values.no_array_has_this


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RADGS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(VARIABLE, raising=False)
    compiling._say_once.cache_clear()
    return tmp_path / "cache"


def entries(folder: Path) -> list[Path]:
    return sorted((folder / KIND).iterdir()) if (folder / KIND).is_dir() else []


def test_a_kernel_computes_what_its_function_does_and_is_compiled_once_for_all_processes(
    cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("numba", reason=MISSING)
    values = np.linspace(-1.0, 2.0, 100)
    compiled = Kernel(weighted_sum, SIGNATURE).compiled()
    assert compiled is not None
    assert compiled(values) == pytest.approx(weighted_sum(values), rel=1e-12)
    assert len(entries(cache_folder)) == 1

    monkeypatch.setattr(KernelStore, "save_overload", lambda *_: pytest.fail("compiled again"))
    again = Kernel(weighted_sum, SIGNATURE).compiled()  # as another process would
    assert again is not None
    assert again(values) == compiled(values)


@pytest.mark.parametrize("damage", ["cut short", "another program's"])
def test_a_kernel_that_cannot_be_taken_from_the_cache_is_compiled_again(cache_folder: Path, damage: str) -> None:
    pytest.importorskip("numba", reason=MISSING)
    assert Kernel(weighted_sum, SIGNATURE).compiled() is not None
    (entry,) = entries(cache_folder)
    good = entry.read_bytes()
    foreign = b"not a pickle"
    entry.write_bytes(good[:1000] if damage == "cut short" else hashlib.sha256(foreign).digest() + foreign)
    values = np.arange(10.0)
    compiled = Kernel(weighted_sum, SIGNATURE).compiled()
    assert compiled is not None
    assert compiled(values) == weighted_sum(values)
    (mended,) = entries(cache_folder)
    assert len(mended.read_bytes()) > 1000


def test_another_function_or_signature_is_another_entry(cache_folder: Path) -> None:
    pytest.importorskip("numba", reason=MISSING)
    folder = CacheFolder(cache_folder)
    sources = {
        KernelStore(function, signature, folder)._source
        for function in (weighted_sum, broken)
        for signature in (SIGNATURE, "float64(float32[::1])")
    }
    assert len(sources) == 4


def test_without_numba_there_is_no_kernel_and_one_line_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    with caplog.at_level(logging.INFO, logger="radgs.kernels"):
        assert Kernel(weighted_sum, SIGNATURE).compiled() is None
        assert Kernel(broken, SIGNATURE).compiled() is None
    assert [record.getMessage() for record in caplog.records] == [
        "numba is not installed: PyTorch does what compiled kernels would do faster."
    ]


def test_what_cannot_be_compiled_is_left_to_pytorch_and_one_line_says_why(caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("numba", reason=MISSING)
    with caplog.at_level(logging.WARNING, logger="radgs.kernels"):
        assert Kernel(broken, SIGNATURE).compiled() is None
    (record,) = caplog.records
    assert record.getMessage().startswith("Compiled kernels cannot be used (")
    assert record.getMessage().endswith("); PyTorch does their work.")


@pytest.mark.parametrize("word", ["off", "OFF", " 0 ", "no", "false"])
def test_kernels_are_switched_off_by_the_environment(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: Any) -> None:
        pytest.fail("something was compiled")

    monkeypatch.setenv(VARIABLE, word)
    monkeypatch.setattr(compiling, "_compiled", forbidden)
    assert Kernel(weighted_sum, SIGNATURE).compiled() is None
    compiling.begin_compiling()
