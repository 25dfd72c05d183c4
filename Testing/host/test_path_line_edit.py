"""What ctkPathLineEdit accepts, tells of and remembers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture
def settings(a_scene: Any) -> Iterator[Any]:
    """The application's settings, the history of paths taken back afterwards."""
    import qt

    yield qt.QSettings()
    qt.QSettings().remove("ctkPathLineEdit")


@pytest.fixture
def edit(settings: Any) -> Any:
    import ctk

    return ctk.ctkPathLineEdit()


def told_by(edit: Any) -> list[Any]:
    told: list[Any] = []
    edit.connect("currentPathChanged(QString)", lambda path: told.append(path))
    edit.connect("validInputChanged(bool)", lambda valid: told.append(valid))
    return told


def test_a_path_is_told_of_and_its_going_only_as_invalid(edit: Any) -> None:
    told = told_by(edit)
    edit.currentPath = "/a"
    edit.currentPath = ""
    edit.currentPath = ""
    assert told == ["/a", True, False]


@pytest.mark.parametrize(
    ("name_filter", "path", "accepted"),
    [
        ("Cases (*.json)", "/a/case.json", True),
        ("Cases (*.json)", "/a/case.nrrd", False),
        ("Cases (*.json)", "/a/case.jso", True),  # the last letter may be missing
        ("Models (*.radgs.safetensors)", "/a/L3.radgs.safetensors", False),  # as an ending, ".radgs" alone is known
        ("Models (*.radgs.safetensors)", "/a/L3.radgs", True),
        ("Models (*.safetensors)", "/a/L3.radgs.safetensors", True),
        ("Images (*.png *.jpg)", "/a/b.jpg", True),
        ("*.png", "/a/b.png", True),
        ("All files (*)", "anything", True),
    ],
)
def test_a_name_filter_accepts_paths_by_their_last_ending(
    edit: Any, name_filter: str, path: str, accepted: bool
) -> None:
    edit.nameFilters = [name_filter]
    told = told_by(edit)
    edit.currentPath = path
    assert told == ([path, True] if accepted else [])


def test_an_empty_line_is_filled_with_the_newest_path_of_its_key(edit: Any, settings: Any) -> None:
    import ctk

    edit.settingKey = "Mine"
    for path in ("/patients/A", "/patients/B"):
        edit.currentPath = path
        edit.addCurrentPathToHistory()
    other = ctk.ctkPathLineEdit()
    assert other.currentPath == ""
    other.settingKey = "Mine"
    assert other.currentPath == "/patients/B"
    assert [other.comboBox().itemText(row) for row in range(2)] == ["/patients/B", "/patients/A"]


def test_without_a_key_what_a_nameless_line_has_left_is_listed(settings: Any) -> None:
    import ctk

    nameless = ctk.ctkPathLineEdit()
    nameless.currentPath = "/patients/A"
    nameless.addCurrentPathToHistory()
    other = ctk.ctkPathLineEdit()
    assert other.currentPath == ""
    assert other.comboBox().itemText(0) == "/patients/A"


def test_without_a_history_button_there_is_no_list_but_what_was_shown_stays(edit: Any) -> None:
    edit.currentPath = "/a"
    edit.showHistoryButton = False
    assert edit.comboBox() is None
    assert edit.currentPath == "/a"
