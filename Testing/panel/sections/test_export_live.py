"""Live streaming in a user's hands: started, asked about, seen, stopped; real sockets on this machine."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from column import click_header
from exported_scene import L3, L4, SCREW_ENTRY, bring_in
from navigation import HOST, PATIENCE_S, message_at


@pytest.fixture
def ui(a_panel: Any, user: Any, host: Any, tmp_path: Path) -> Any:
    """The panel with L3 accepted, L4 to be checked and L5 rejected."""
    user.press(a_panel.ui.demoButton)
    bring_in(tmp_path / "result", a_panel.logic.inputs())
    click_header(a_panel.ui.exportCollapsibleButton)
    host.wait_until(lambda: a_panel.ui.exportLevelsList.count == 3)
    return a_panel.ui


def tick(user: Any, ui: Any, *rows: int) -> None:
    for row in rows:
        user.tick(ui.exportLevelsList.item(row))


def test_two_levels_go_to_a_server_after_the_question(ui: Any, user: Any, host: Any, navigation: Any) -> None:
    tick(user, ui, 0, 1)
    ui.streamPortSpinBox.value = navigation.port
    assert ui.streamButton.text == "Start: L3, L4"
    user.press(ui.streamButton)
    assert ui.exportYesButton.text == "Yes: send L3, L4 live"
    assert message_at(host, navigation, "L3CTToWorld", 0.2) is None
    user.press(ui.exportYesButton)
    for level, pose in (("L3", L3), ("L4", L4)):
        matrix = np.array(message_at(host, navigation, f"{level}CTToWorld").matrix)
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
    np.testing.assert_allclose(message_at(host, client, "L3CTToWorld").matrix, L3.matrix, atol=1e-5)
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
    assert message_at(host, navigation, "L3CTToWorld") is not None
    node = slicer.util.getNode("L3CTToWorld")
    node.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(L4.matrix))
    host.wait_until(lambda: "<b>L3</b> is withheld: moved by hand" in ui.streamStateLabel.text, PATIENCE_S)
    assert "Goes out: nothing." in ui.streamStateLabel.text
    while not (told := message_at(host, navigation, "L3Verdict").string).startswith("withheld"):
        pass
    assert "moved by hand" in told


def test_a_closed_scene_ends_the_stream_and_says_so(
    ui: Any, user: Any, host: Any, navigation: Any, a_scene: Any
) -> None:
    ui.streamPortSpinBox.value = navigation.port
    tick(user, ui, 0)
    user.press(ui.streamButton)
    assert message_at(host, navigation, "L3CTToWorld") is not None
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
