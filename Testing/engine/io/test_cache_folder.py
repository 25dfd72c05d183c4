"""The cache is its owner's, stays small, names nothing, and is never in the way."""

from __future__ import annotations

import logging
import os
import stat
import sys
from pathlib import Path

import pytest

from radgs.io.cache_folder import VARIABLE, CacheFolder, CacheUse, no_cache, user_cache


def entries(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_what_was_put_comes_back_to_another_process(tmp_path: Path) -> None:
    CacheFolder(tmp_path / "cache").put("hashes", "Miller, Anna", b"content")
    other = CacheFolder(tmp_path / "cache")
    assert other.get("hashes", "Miller, Anna") == b"content"
    assert other.get("hashes", "Miller, Bert") is None
    assert other.get("models", "Miller, Anna") is None
    assert not any("Miller" in str(path.relative_to(tmp_path)) for path in (tmp_path / "cache").rglob("*"))


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX's permissions")
def test_it_is_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    folder.mkdir(mode=0o777)
    CacheFolder(folder).put("hashes", "key", b"content")
    folders = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
    assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o700}
    assert [stat.S_IMODE(path.stat().st_mode) for path in entries(folder)] == [0o600]


def test_what_was_damaged_is_no_entry(tmp_path: Path) -> None:
    cache = CacheFolder(tmp_path)
    cache.put("hashes", "key", b"content")
    (entry,) = entries(tmp_path)
    entry.write_bytes(entry.read_bytes()[:-1] + b"x")
    assert cache.get("hashes", "key") is None
    assert entries(tmp_path) == []


def test_the_longest_unused_makes_room(tmp_path: Path) -> None:
    cache = CacheFolder(tmp_path, most_bytes=4 * (32 + 100))
    for number in range(4):
        cache.put("some", str(number), bytes(100))
    for age, path in enumerate(sorted(entries(tmp_path), key=lambda path: path.stat().st_mtime_ns)):
        os.utime(path, ns=(10**9 * (age + 1),) * 2)
    assert cache.get("some", "0") is not None  # used now
    cache.put("some", "4", bytes(100))
    assert [cache.get("some", str(number)) is not None for number in range(5)] == [True, False, True, True, True]
    cache.put("some", "5", bytes(1000))  # larger than all
    assert cache.get("some", "5") is None
    assert cache.use() == CacheUse(4, 4 * 132)


def test_clearing_takes_entries_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").touch()
    cache = CacheFolder(tmp_path)
    cache.put("some", "key", b"content")
    assert cache.clear().entries == 1
    assert entries(tmp_path) == [tmp_path / "notes" / "mine.txt"]
    assert no_cache().clear() == CacheUse(0, 0)


def test_an_unusable_cache_is_one_line_and_no_failure(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    cache = CacheFolder(tmp_path / "file" / "cache")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            cache.put("some", "key", b"content")
            assert cache.get("some", "key") is None
    assert len(caplog.records) == 1
    assert "cannot be used" in caplog.text


def test_a_switch_names_or_turns_off_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "elsewhere"))
    assert user_cache().folder == tmp_path / "elsewhere"
    monkeypatch.setenv(VARIABLE, "off")
    assert user_cache().folder is None
    monkeypatch.delenv(VARIABLE)
    folder = user_cache().folder
    assert folder is not None
    assert "radgs" in folder.parts
