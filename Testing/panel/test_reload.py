"""The module reloaded as Slicer's developers do: while it is shown, after its files changed, after it failed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import slicer
from slicer_fixtures import in_full_slicer

pytestmark = pytest.mark.skipif(in_full_slicer(), reason="would reload what the other tests hold")


def is_ours(name: str) -> bool:
    return name.partition(".")[0] in ("RadGSReg", "RadGSRegLib", "radgs")


@pytest.fixture
def frame(host: Any, a_scene: Any, the_module: Any, a_launcher: Path | None) -> Iterator[Any]:
    """The open panel's frame, which stays while panels come and go; afterwards, the modules as they were."""
    kept = {name: module for name, module in sys.modules.items() if is_ours(name)}
    opened = host.open_panel(the_module).parent
    yield opened
    host.close_panel(opened.self())
    for name in [name for name in sys.modules if is_ours(name)]:
        del sys.modules[name]
    sys.modules.update(kept)


def shown(frame: Any) -> Any:
    """The form's widgets that the user sees."""
    return frame.self().ui


def test_a_panel_reloaded_while_it_is_shown_works_although_nobody_enters_it(frame: Any, user: Any) -> None:
    before = frame.self()
    user.press(shown(frame).demoButton)
    before.onReload()
    assert frame.self() is slicer.modules.RadGSRegWidget
    assert frame.self() is not before
    assert shown(frame).applyHintLabel.text.startswith("Confirm")
    user.press(shown(frame).confirmLevelsCheckBox)
    assert shown(frame).applyButton.enabled
    frame.exit()
    frame.enter()
    assert shown(frame).applyButton.enabled


def test_the_modules_packages_are_read_again(frame: Any) -> None:
    before = {name: module for name, module in sys.modules.items() if is_ours(name)}
    assert {"RadGSRegLib.panel", "RadGSRegLib.sections.export", "radgs.geometry"} <= set(before)
    frame.self().onReload()
    panel = frame.self().panel
    assert type(panel) is sys.modules["RadGSRegLib.panel"].Panel
    for name in ("RadGSReg", "RadGSRegLib.panel", "RadGSRegLib.logic", "radgs.geometry", "radgs.errors"):
        assert sys.modules[name] is not before[name]


def test_the_reload_of_the_main_file_alone_leaves_a_working_panel(frame: Any, user: Any) -> None:
    slicer.util.reloadScriptedModule("RadGSReg")
    user.press(shown(frame).demoButton)
    assert shown(frame).applyHintLabel.text.startswith("Confirm")


def test_a_panel_that_is_not_shown_waits_for_its_user(frame: Any) -> None:
    frame.exit()
    frame.self().onReload()
    assert frame.self().panel.parameters is None
    frame.enter()
    assert "CT" in shown(frame).applyHintLabel.text


def test_what_was_reloaded_no_longer_follows_the_scene(frame: Any, user: Any) -> None:
    before = frame.self()
    before.onReload()
    assert before.panel.parameters is None
    assert not Path(before.logic._folder).exists()
    assert list(before.Observations) == []
    user.press(shown(frame).demoButton)
    assert "CT" in before.ui.applyHintLabel.text


def test_reload_and_test_passes_and_leaves_a_working_panel(frame: Any, user: Any) -> None:
    frame.self().onReloadAndTest()
    user.press(shown(frame).demoButton)
    assert shown(frame).applyHintLabel.text.startswith("Confirm")


@pytest.mark.parametrize("fails", ["slicer.util.loadUI", "RadGSRegLib.panel.Panel", "RadGSRegLib.logic.RadGSRegLogic"])
def test_a_panel_whose_setup_failed_is_let_go_of_and_can_be_reloaded(
    frame: Any, host: Any, user: Any, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("not today")

    with monkeypatch.context() as patched:
        patched.setattr(fails, fail)
        slicer.util.reloadScriptedModule("RadGSReg")
        frame.exit()
        frame.enter()
    failed = host.failures.take()
    assert len(failed) == 1
    assert "not today" in failed[0]
    frame.self().onReload()
    user.press(shown(frame).demoButton)
    assert shown(frame).applyHintLabel.text.startswith("Confirm")
