"""Live streaming in a user's hands: started, asked about, seen, stopped; real sockets on this machine."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from exported_scene import L3, L4, SCREW_ENTRY, bring_in

HOST = "127.0.0.1"
PATIENCE_S = 20.0


@pytest.fixture
def pyigtl() -> Any:
    return pytest.importorskip("pyigtl", reason="pyigtl is not installed")


@pytest.fixture
def ui(a_panel: Any, user: Any, host: Any, tmp_path: Path) -> Any:
    """The panel with L3 accepted, L4 to be checked and L5 rejected."""
    user.press(a_panel.ui.demoButton)
    bring_in(tmp_path / "result", a_panel.logic.inputs())
    host.wait_until(lambda: a_panel.ui.exportLevelsList.count == 3)
    return a_panel.ui


@pytest.fixture
def navigation(pyigtl: Any) -> Iterator[Any]:
    running = pyigtl.OpenIGTLinkServer(port=0, local_server=True)
    running.port = running.server_address[1]
    yield running
    running.stop()


def tick(user: Any, ui: Any, *rows: int) -> None:
    for row in rows:
        user.tick(ui.exportLevelsList.item(row))


def wait_for(host: Any, receiver: Any, device: str, seconds: float = PATIENCE_S) -> Any:
    found: list[Any] = []

    def there() -> bool:
        message = receiver.wait_for_message(device, timeout=0)
        found.extend([] if message is None else [message])
        return bool(found)

    with suppress(TimeoutError):
        host.wait_until(there, seconds)
    return found[0] if found else None


def test_two_levels_go_to_a_server_after_the_question(ui: Any, user: Any, host: Any, navigation: Any) -> None:
    tick(user, ui, 0, 1)
    ui.streamPortSpinBox.value = navigation.port
    assert ui.streamButton.text == "Start: L3, L4"
    user.press(ui.streamButton)
    assert ui.exportYesButton.text == "Yes: send L3, L4 live"
    assert wait_for(host, navigation, "L3CTToWorld", 0.2) is None
    user.press(ui.exportYesButton)
    for level, pose in (("L3", L3), ("L4", L4)):
        matrix = np.array(wait_for(host, navigation, f"{level}CTToWorld").matrix)
        np.testing.assert_allclose((matrix @ [*SCREW_ENTRY, 1.0])[:3], pose.apply(SCREW_ENTRY), atol=1e-4)
    assert ui.streamStateLabel.text == f"<b>Connected</b> with {HOST}:{navigation.port}.<br>Goes out: L3, L4."
    assert (ui.streamButton.text, ui.streamButton.enabled) == ("Stop", True)
    assert not ui.streamHostEdit.enabled
    user.press(ui.streamButton)
    assert ui.streamButton.text == "Start: L3, L4"
    assert ui.streamStateLabel.text == ""
    assert ui.streamHostEdit.enabled


def test_a_client_connects_to_the_panel(ui: Any, user: Any, host: Any, pyigtl: Any, a_panel: Any) -> None:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        ui.streamPortSpinBox.value = probe.getsockname()[1]
    tick(user, ui, 0)
    user.press(ui.streamListenCheckBox)
    user.press(ui.streamButton)
    assert ui.streamStateLabel.text.startswith(f"<b>Listening</b> at {HOST}:{ui.streamPortSpinBox.value}")
    client = pyigtl.OpenIGTLinkClient(HOST, ui.streamPortSpinBox.value)
    np.testing.assert_allclose(wait_for(host, client, "L3CTToWorld").matrix, L3.matrix, atol=1e-5)
    assert ui.streamStateLabel.text.startswith("<b>Connected</b>")
    client.stop()
    host.wait_until(lambda: ui.streamStateLabel.text.startswith("<b>Listening</b>"), PATIENCE_S)
    a_panel.exit()
    assert a_panel.logic.stream.running, "another module may be opened meanwhile"
    a_panel.enter()
    assert ui.streamButton.text == "Stop"


def test_a_refused_connection_is_shown_and_tried_again(ui: Any, user: Any, host: Any, pyigtl: Any) -> None:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    ui.streamPortSpinBox.value = port
    tick(user, ui, 0)
    user.press(ui.streamButton)
    expected = f"<b>Not connected.</b> {HOST}:{port} cannot be reached: connection refused. Trying again."
    host.wait_until(lambda: ui.streamStateLabel.text.startswith(expected), PATIENCE_S)
    server = pyigtl.OpenIGTLinkServer(port=port, local_server=True)
    host.wait_until(lambda: ui.streamStateLabel.text.startswith("<b>Connected</b>"), PATIENCE_S)
    server.stop()


def test_a_level_moved_by_hand_is_withheld_before_the_users_eyes(
    ui: Any, user: Any, host: Any, navigation: Any
) -> None:
    ui.streamPortSpinBox.value = navigation.port
    tick(user, ui, 0)
    user.press(ui.streamButton)
    assert wait_for(host, navigation, "L3CTToWorld") is not None
    node = slicer.util.getNode("L3CTToWorld")
    node.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(L4.matrix))
    host.wait_until(lambda: "<b>L3</b> is withheld: moved by hand" in ui.streamStateLabel.text, PATIENCE_S)
    assert "Goes out: nothing." in ui.streamStateLabel.text
    while not (told := wait_for(host, navigation, "L3Verdict").string).startswith("withheld"):
        pass
    assert "moved by hand" in told


def test_a_closed_scene_ends_the_stream_and_says_so(
    ui: Any, user: Any, host: Any, navigation: Any, a_scene: Any
) -> None:
    ui.streamPortSpinBox.value = navigation.port
    tick(user, ui, 0)
    user.press(ui.streamButton)
    assert wait_for(host, navigation, "L3CTToWorld") is not None
    a_scene.Clear(0)
    assert ui.streamStateLabel.text == "The stream has ended: the scene was closed."
    assert (ui.streamButton.text, ui.streamButton.enabled) == ("Nothing has been registered yet", False)


def test_without_a_host_the_button_asks_for_one_and_a_bad_one_is_told(ui: Any, user: Any) -> None:
    tick(user, ui, 0)
    user.write(ui.streamHostEdit, " ")
    assert (ui.streamButton.text, ui.streamButton.enabled) == ("Type the host", False)
    user.write(ui.streamHostEdit, "somewhere")
    user.press(ui.streamListenCheckBox)
    user.press(ui.streamButton)
    assert "somewhere is not an address of this machine." in ui.exportedLabel.text
    assert ui.streamButton.text == "Start: L3"
