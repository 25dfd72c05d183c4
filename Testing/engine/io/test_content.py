"""Files are what they hold: whatever their names, sizes and times say."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from radgs.errors import InputFileError
from radgs.io import content
from radgs.io.cache_folder import CacheFolder
from radgs.io.content import ContentHashes, files_of

LARGE = content.WORTH_KEEPING_BYTES


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files whose bytes were read, in their order."""
    seen: list[str] = []
    sha256 = content._sha256
    monkeypatch.setattr(content, "_sha256", lambda path: (seen.append(path.name), sha256(path))[1])
    return seen


def settle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets files be older than they are."""
    now = time.time_ns
    monkeypatch.setattr(content.time, "time_ns", lambda: now() + 10 * content.TICK_NS)


def test_the_hash_is_over_the_hashes_of_the_files(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_text(name, encoding="utf-8")
    alone = [hashlib.sha256(hashlib.sha256(name.encode()).digest()).digest() for name in "ab"]
    assert ContentHashes().of(tmp_path / "a", tmp_path / "b") == hashlib.sha256(b"".join(alone)).hexdigest()


def test_a_file_of_equal_size_and_time_is_not_taken_for_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(monkeypatch)
    hashes, path = ContentHashes(), tmp_path / "ct.nii"
    path.write_bytes(b"one")
    os.utime(path, ns=(1, 1))
    before = hashes.of(path)
    path.write_bytes(b"two")
    os.utime(path, ns=(1, 1))
    assert hashes.of(path) != before


def test_what_has_not_changed_is_not_hashed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hashed: list[str]
) -> None:
    path = tmp_path / "ct.nii"
    path.write_bytes(b"0" * LARGE)
    hashes = ContentHashes()
    assert hashes.of(path) == hashes.of(path)
    assert hashed == ["ct.nii"] * 2  # so young a file may have changed within a tick of the clock
    settle(monkeypatch)
    assert hashes.of(path) == hashes.of(path)
    assert hashed == ["ct.nii"] * 3


def test_another_process_need_not_hash_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hashed: list[str]
) -> None:
    settle(monkeypatch)
    path, folder = tmp_path / "Miller^Anna.nii", tmp_path / "cache"
    path.write_bytes(b"0" * LARGE)
    first = ContentHashes(CacheFolder(folder)).of(path)
    assert ContentHashes(CacheFolder(folder)).of(path) == first
    assert hashed == [path.name]
    kept = [file for file in folder.rglob("*") if file.is_file()]
    assert kept
    assert not any(b"Miller" in file.read_bytes() or "Miller" in file.name for file in kept)
    path.write_bytes(b"1" * LARGE)
    assert ContentHashes(CacheFolder(folder)).of(path) != first


@pytest.mark.parametrize(
    ("name", "text", "voxels"),
    [
        ("ct.mhd", "ObjectType = Image\nNDims = 3\nElementDataFile = ct.raw\n", "ct.raw"),
        ("ct.nhdr", "NRRD0004\ntype: short\ndata file: ct.raw\n\n", "ct.raw"),
        ("ct.nhdr", "NRRD0004\ntype: short\ndatafile: ct.raw\n", "ct.raw"),
        ("ct.hdr", "whatever", "ct.img"),
        ("ct.img", "whatever", "ct.hdr"),
        ("ct.hdr", "whatever", "ct.img.gz"),
    ],
)
def test_voxels_in_a_file_of_their_own_count(name: str, text: str, voxels: str, tmp_path: Path) -> None:
    path, other = tmp_path / name, tmp_path / voxels
    path.write_text(text, encoding="ascii")
    other.write_bytes(b"one")
    before = ContentHashes().of(path)
    other.write_bytes(b"two")
    assert ContentHashes().of(path) != before
    assert files_of(path) == [path, other]


def test_what_a_header_names_elsewhere_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret", encoding="utf-8")
    (tmp_path / "case").mkdir()
    header = tmp_path / "case" / "ct.mhd"
    for named in ("../secret", str(tmp_path / "secret"), "LOCAL", "missing.raw"):
        header.write_text(f"NDims = 3\nElementDataFile = {named}\n", encoding="utf-8")
        assert files_of(header) == [header]


def test_a_folder_is_its_files(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    for name in ("c", "b/a", "a"):
        (tmp_path / name).touch()
    assert files_of(tmp_path) == [tmp_path / name for name in ("a", "b/a", "c")]
    assert files_of(tmp_path / "nothing") == []


def test_a_file_that_changes_meanwhile_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "ct.nii"
    path.write_bytes(b"one")
    sha256 = content._sha256
    monkeypatch.setattr(content, "_sha256", lambda file: (sha256(file), path.write_bytes(b"other"))[0])
    with pytest.raises(InputFileError, match="changes while it is read"):
        ContentHashes().of(path)
