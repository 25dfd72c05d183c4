"""A folder holds one run, whole; nothing of an earlier one, and nothing of anybody else's is lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import radgs
from radgs.errors import OutputError
from radgs.io import folder_swap
from radgs.io.folder_swap import LIST_NAME, OUTDATED_NAME, folder_to_be, is_outdated, listed_files

PACKAGE_PARENT = Path(radgs.__file__).resolve().parents[1]


def run_into(folder: Path, **files: str) -> None:
    with folder_to_be(folder) as to_be:
        for name, text in files.items():
            (to_be.aside / name).write_text(text, encoding="utf-8")
        to_be.swap_in()


def shown(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir() if path.name != LIST_NAME}


def test_the_second_run_leaves_nothing_of_the_first(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "out ü"
    run_into(folder, result="1", level_4="1")
    assert shown(folder) == {"result": "1", "level_4": "1"}
    run_into(folder, result="2")
    assert shown(folder) == {"result": "2"}
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_the_list_says_what_a_run_wrote(tmp_path: Path) -> None:
    run_into(tmp_path / "out", result="1")
    assert listed_files(tmp_path / "out") == {
        "result": "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b"
    }


@pytest.mark.parametrize("error", [OutputError("a", "b"), KeyboardInterrupt(), RuntimeError()])
def test_a_run_without_a_result_marks_the_earlier_one(tmp_path: Path, error: BaseException) -> None:
    folder = tmp_path / "out"
    run_into(folder, result="1")
    assert not is_outdated(folder)

    def fails() -> None:
        with folder_to_be(folder) as to_be:
            (to_be.aside / "result").write_text("half", encoding="utf-8")
            raise error

    with pytest.raises(type(error)):
        fails()
    assert is_outdated(folder)
    assert shown(folder)["result"] == "1"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    run_into(folder, result="2")
    assert shown(folder) == {"result": "2"}


def test_a_run_without_a_result_leaves_no_folder_where_there_was_none(tmp_path: Path) -> None:
    with folder_to_be(tmp_path / "out"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_what_no_run_wrote_is_not_touched(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "L3_AP.png").write_text("an X-ray", encoding="utf-8")
    with pytest.raises(OutputError, match=r"holds what no run wrote, such as L3_AP\.png"), folder_to_be(folder):
        pass
    assert shown(folder) == {"L3_AP.png": "an X-ray"}


def test_an_empty_folder_and_what_file_managers_leave_are_no_hindrance(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / ".DS_Store").touch()
    run_into(folder, result="1")
    assert shown(folder) == {"result": "1"}


@pytest.mark.parametrize("at_once", [True, False], ids=["exchange", "two renames"])
def test_what_somebody_puts_there_during_a_run_moves_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: bool
) -> None:
    if not at_once:
        monkeypatch.setattr(folder_swap, "exchange", lambda first, second: False)
    folder = tmp_path / "out"
    run_into(folder, result="1")
    with folder_to_be(folder) as to_be:
        (to_be.aside / "result").write_text("2", encoding="utf-8")
        (folder / "notes.txt").write_text("mine", encoding="utf-8")
        to_be.swap_in()
    assert shown(folder) == {"result": "2", "notes.txt": "mine"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_killed_between_two_renames_comes_back(tmp_path: Path) -> None:
    run_into(tmp_path / "out", result="1")
    (tmp_path / "out").rename(tmp_path / ".out.radgs-earlier")
    with folder_to_be(tmp_path / "out"):
        assert shown(tmp_path / "out")["result"] == "1"
    assert is_outdated(tmp_path / "out")


def test_what_a_killed_run_left_aside_is_cleared_away_and_nothing_else(tmp_path: Path) -> None:
    aside = tmp_path / ".out.radgs-new"
    aside.mkdir()
    (aside / LIST_NAME).write_text(json.dumps({"schema": "radgs.files/1", "files": None}), encoding="utf-8")
    (aside / "half.png").touch()
    run_into(tmp_path / "out", result="1")
    assert not aside.exists()

    aside.mkdir()
    (aside / "mine.txt").touch()
    with pytest.raises(OutputError, match="is in the way"), folder_to_be(tmp_path / "out"):
        pass
    assert (aside / "mine.txt").exists()


@pytest.mark.parametrize("listed", [None, dict.fromkeys("abcdef", "")], ids=["unfinished", "earlier"])
def test_killed_while_it_clears_away_the_next_run_goes_on(
    listed: dict[str, str] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aside = tmp_path / ".out.radgs-new"
    aside.mkdir()
    (aside / LIST_NAME).write_text(json.dumps({"schema": "radgs.files/1", "files": listed}), encoding="utf-8")
    for name in "abcdef":
        (aside / name).touch()
    deleted: list[Path] = []
    really = Path.unlink

    def unlink(path: Path) -> None:
        deleted.append(path)
        if len(deleted) == 3:
            raise SystemExit("killed")
        really(path)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", unlink)
        with pytest.raises(SystemExit, match="killed"):
            run_into(tmp_path / "out", result="1")
    assert (aside / LIST_NAME).exists()
    assert 0 < len(list(aside.iterdir())) < 7
    run_into(tmp_path / "out", result="2")
    assert shown(tmp_path / "out") == {"result": "2"}
    assert not aside.exists()


def test_a_link_within_the_folder_is_not_followed(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs.txt"
    theirs.write_text("keep me", encoding="utf-8")
    folder = tmp_path / "out"
    run_into(folder, result="1")
    (folder / "result").unlink()
    (folder / "result").symlink_to(theirs)
    run_into(folder, result="2")
    assert shown(folder) == {"result": "2"}
    assert theirs.read_text(encoding="utf-8") == "keep me"


def test_a_link_to_a_folder_stays_a_link(tmp_path: Path) -> None:
    run_into(tmp_path / "disk", result="1")
    (tmp_path / "out").symlink_to(tmp_path / "disk")
    run_into(tmp_path / "out", result="2")
    assert (tmp_path / "out").is_symlink()
    assert shown(tmp_path / "disk") == {"result": "2"}


def test_inputs_are_refused_within_and_around(tmp_path: Path) -> None:
    series = tmp_path / "series"
    series.mkdir()
    with folder_to_be(series / "out") as to_be, pytest.raises(OutputError, match="lies within an input"):
        to_be.refuse_inputs([series])
    run_into(tmp_path / "out", model="1")
    with folder_to_be(tmp_path / "out") as to_be, pytest.raises(OutputError, match="holds an input"):
        to_be.refuse_inputs([tmp_path / "out" / "model"])
    with folder_to_be(tmp_path / "other") as to_be:
        to_be.refuse_inputs([tmp_path / "out" / "model", series])


def test_where_work_goes_on_nothing_is_swapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here" / "below").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here" / "below")
    for folder in (Path(), tmp_path / "here"):
        with pytest.raises(OutputError, match="work goes on in it"), folder_to_be(folder):
            pass


def test_two_runs_do_not_write_at_once(tmp_path: Path) -> None:
    with folder_to_be(tmp_path / "out"):
        with pytest.raises(OutputError, match="Another run is writing"), folder_to_be(tmp_path / "out"):
            pass
        (tmp_path / "link").symlink_to(tmp_path)
        with pytest.raises(OutputError, match="Another run is writing"), folder_to_be(tmp_path / "link" / "out"):
            pass
    run_into(tmp_path / "out", result="1")


def test_a_lock_dies_with_its_process(tmp_path: Path) -> None:
    program = f"""
import os
from pathlib import Path
from radgs.io.folder_swap import folder_to_be
with folder_to_be(Path({str(tmp_path / "out")!r})) as to_be:
    (to_be.aside / "half").touch()
    os.kill(os.getpid(), 9)
"""
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE_PARENT)}
    subprocess.run([sys.executable, "-c", program], env=environment, check=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".out.radgs-lock", ".out.radgs-new"]
    run_into(tmp_path / "out", result="1")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert OUTDATED_NAME not in shown(tmp_path / "out")
