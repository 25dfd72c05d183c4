"""What the script that runs in the full Slicer says and returns, where pytest is there and where it is not."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

import pytest
import slicer

SCRIPT = Path(__file__).resolve().parents[1] / "slicer" / "run_in_slicer.py"


@pytest.fixture
def main(the_module: Any, a_scene: Any) -> Any:
    return runpy.run_path(str(SCRIPT), run_name="run_in_slicer")["main"]


def test_without_pytest_the_self_test_counts_and_it_is_said_what_did_not_run(
    main: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pytest", None)
    assert main([]) == 0
    said = capsys.readouterr().out
    assert "The module's self-test ... ok" in said
    assert "NOT run: pytest is not installed" in said


def test_a_self_test_that_fails_is_a_failure_with_pytest_or_without(
    main: Any, the_module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Any) -> None:
        self.fail("on purpose")

    monkeypatch.setattr(the_module.RadGSRegTest, "runTest", fail)
    assert main([]) == 1
    monkeypatch.setitem(sys.modules, "pytest", None)
    assert main([]) == 1


def test_with_pytest_its_status_counts(main: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def pretend(arguments: list[str]) -> int:
        asked.extend(arguments)
        return 5

    monkeypatch.setattr(pytest, "main", pretend)
    assert main(["-x"]) == 5
    assert asked[-3:] == [str(SCRIPT.parents[1] / "mrml"), str(SCRIPT.parents[1] / "panel"), "-x"]


def test_a_module_that_was_not_loaded_is_said(
    main: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delattr(slicer.modules, "radgsreg")
    assert main([]) == 2
    assert "--additional-module-paths" in capsys.readouterr().out
