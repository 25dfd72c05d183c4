"""A process of its own compiles kernels before they are needed; without it, they are compiled where they are."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from radgs.io.cache_folder import CacheFolder
from radgs.kernels import VARIABLE, Kernel, aside
from radgs.kernels.store import KIND, KernelStore

MISSING = "numba is not installed: pip install 'radgs[fast]'"
ENGINE = Path(aside.__file__).resolve().parents[1]


def total(values: np.ndarray) -> float:
    found = 0.0
    for value in values:
        found += value
    return found


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RADGS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(aside, "_begun", [])
    return tmp_path / "cache"


@pytest.fixture
def never_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a process was begun"))


def test_every_module_with_kernels_is_named() -> None:
    names = {
        ".".join(["radgs", *path.relative_to(ENGINE).with_suffix("").parts])
        for path in ENGINE.rglob("*.py")
        if re.search(r"^@kernel\(", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert names == set(aside.MODULES)


def test_the_next_process_compiles_nothing(cache_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba", reason=MISSING)
    (tmp_path / "numba.py").write_text("raise SystemExit('a file of the folder that one works in was run')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RADGS_CACHE", cache_folder.name)
    aside.begin_compiling_aside()
    ((child, _),) = aside._begun
    assert aside.compiling_aside()
    assert child.wait(120) == 0
    assert not aside.compiling_aside()

    assert len(list((cache_folder / KIND).iterdir())) > 9
    (tmp_path / "numba.py").unlink()
    program = """if True:
        from radgs.kernels import aside, compiling
        from radgs.kernels.store import KernelStore
        import importlib, sys
        KernelStore.save_overload = lambda *_: sys.exit("a kernel was compiled again")
        for name in aside.MODULES:
            importlib.import_module(name)
        assert len(compiling._registered) > 9 and compiling.compile_all()
        aside.begin_compiling_aside()
        assert not aside._begun
    """
    next_one = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert next_one.returncode == 0, next_one.stderr


def test_a_kernel_that_is_being_compiled_elsewhere_is_waited_for(
    cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("numba", reason=MISSING)
    signature = "float64(float64[::1])"
    assert Kernel(total, signature).compiled() is not None
    (entry,) = (cache_folder / KIND).iterdir()
    content = entry.read_bytes()
    entry.unlink()
    looks = iter([True, True, True])

    def still_compiling() -> bool:
        if next(looks, False):
            return True
        entry.write_bytes(content)
        return False

    monkeypatch.setattr("radgs.kernels.compiling.compiling_aside", still_compiling)
    monkeypatch.setattr(KernelStore, "save_overload", lambda *_: pytest.fail("compiled here"))
    waited = Kernel(total, signature).compiled()
    assert waited is not None
    assert waited(np.ones(3)) == 3.0


def test_a_process_that_leaves_nothing_is_waited_for_no_longer_than_it_lives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("numba", reason=MISSING)
    begin = subprocess.Popen

    def other_program(command: list[str], **options: Any) -> subprocess.Popen[bytes]:
        return begin([command[0], "-c", "import sys, time; time.sleep(0.2); sys.exit(1)"], **options)

    monkeypatch.setattr(subprocess, "Popen", other_program)
    aside.begin_compiling_aside()
    assert aside.compiling_aside()
    compiled = Kernel(total, "float64(float64[::1])").compiled()
    assert compiled is not None
    assert not aside.compiling_aside()


def test_a_process_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        monkeypatch.setattr(aside, "_begun", [(child, time.monotonic() - aside.MAX_SECONDS)])
        assert not aside.compiling_aside()
    finally:
        child.kill()
        child.wait()


@pytest.mark.usefixtures("never_begun")
@pytest.mark.parametrize(("name", "value"), [(VARIABLE, "off"), ("RADGS_CACHE", "off")])
def test_nothing_is_begun_for_what_is_switched_off(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    aside.begin_compiling_aside()


@pytest.mark.usefixtures("never_begun")
def test_nothing_is_begun_without_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise aside.PackageNotFoundError(name)

    monkeypatch.setattr(aside, "version", missing)
    aside.begin_compiling_aside()


def test_a_process_that_cannot_be_begun_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise PermissionError(1, "not here")

    monkeypatch.setattr(subprocess, "Popen", refused)
    aside.begin_compiling_aside()
    assert not aside.compiling_aside()


def test_what_was_compiled_of_other_sources_is_another_set(monkeypatch: pytest.MonkeyPatch, cache_folder: Path) -> None:
    pytest.importorskip("numba", reason=MISSING)
    before = aside.compiled_set()
    assert before is not None
    CacheFolder(cache_folder).put(KIND, before, b"compiled")
    monkeypatch.setattr(aside, "MODULES", aside.MODULES[:2])
    assert aside.compiled_set() != before
