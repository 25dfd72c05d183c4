"""Levels of the scene, live over real sockets on this machine: pyigtl receives, as a client and as a server."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from exported_scene import L3, L4, LEVELS, SCREW_ENTRY, bring_in
from navigation import HOST, PATIENCE_S, message_at
from scene_parts import add_transform

from radgs.case import LevelResult
from radgs.errors import ExportError
from radgs.export import ReleasePolicy, WithheldError
from radgs.geometry import RigidTransform


@pytest.fixture
def a_result(a_demo_case: Any, tmp_path: Path) -> Any:
    """L3 accepted, L4 to be checked, L5 rejected, in the scene; their CT."""
    bring_in(tmp_path / "result", a_demo_case)
    return a_demo_case.ct


@pytest.fixture
def received(host: Any, navigation: Any) -> Callable[..., Any]:
    """Waits for a device's message at the server, while the application's event loop runs; None when none comes."""

    def wait_for(device: str, seconds: float = PATIENCE_S) -> Any:
        return message_at(host, navigation, device, seconds)

    return wait_for


def verdict_until(received: Callable[..., Any], level: str, start: str) -> str:
    """The first verdict of a level that begins so; earlier ones may still be on their way."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        message = received(f"{level}Verdict")
        assert message is not None
        if message.string.startswith(start):
            return str(message.string)
    raise AssertionError(f"no verdict of {level} begins with {start}")


def set_pose(level: str, pose: RigidTransform) -> None:
    slicer.util.getNode(f"{level}CTToWorld").SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(pose.matrix))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def test_two_levels_reach_a_server_and_a_planned_screw_lands_where_the_scene_has_it(
    a_logic: Any, a_result: Any, navigation: Any, received: Any
) -> None:
    a_logic.startStream(a_result, HOST, navigation.port, levels=["L3", "L4"], policy=ReleasePolicy(check=True))
    assert received("L3Verdict").string == "accept: predicted error 0.8 mm (95 % of the surface)"
    assert received("L4Verdict").string.startswith("check: predicted error 2.5 mm")
    for level, pose in (("L3", L3), ("L4", L4)):
        matrix = np.array(received(f"{level}CTToWorld").matrix)
        in_scene = slicer.util.arrayFromTransformMatrix(slicer.util.getNode(f"{level}CTToWorld"))
        np.testing.assert_allclose(matrix @ [*SCREW_ENTRY, 1.0], in_scene @ [*SCREW_ENTRY, 1.0], atol=1e-4)
        np.testing.assert_allclose((matrix @ [*SCREW_ENTRY, 1.0])[:3], pose.apply(SCREW_ENTRY), atol=1e-4)
    state = a_logic.stream.state
    assert (state.kind, state.peers, state.sent) == ("connected", (f"{HOST}:{navigation.port}",), ("L3", "L4"))


def test_a_client_that_connects_gets_the_poses_and_so_does_one_that_comes_later(
    a_logic: Any, a_result: Any, host: Any, pyigtl: Any
) -> None:
    state = a_logic.startStream(a_result, HOST, 0, listen=True, levels=["L3"])
    assert (state.kind, state.peers) == ("listening", ())
    for _ in range(2):
        client = pyigtl.OpenIGTLinkClient(HOST, state.target.port)
        message = message_at(host, client, "L3CTToWorld")
        client.stop()
        np.testing.assert_allclose(message.matrix, L3.matrix, atol=1e-5)
    host.wait_until(lambda: a_logic.stream.state.kind == "listening", PATIENCE_S)


def test_a_new_registration_goes_out_and_only_what_changed(
    a_logic: Any, a_demo_case: Any, a_result: Any, navigation: Any, received: Any, tmp_path: Path
) -> None:
    bring_in(tmp_path / "first", a_demo_case, {"L4": LevelResult(L4, "accept")})
    a_logic.startStream(a_result, HOST, navigation.port, levels=["L3", "L4"])
    assert received("L3CTToWorld") is not None
    assert received("L4CTToWorld") is not None
    bring_in(tmp_path / "second", a_demo_case, {"L3": LevelResult(L4 @ L3, "accept")})
    np.testing.assert_allclose(received("L3CTToWorld").matrix, (L4 @ L3).matrix, atol=1e-5)
    assert received("L4CTToWorld", 0.2) is None


@pytest.mark.parametrize("edit", ["moved", "put under", "deleted", "CT moved"])
def test_what_may_not_leave_any_more_is_revoked_and_comes_back_when_it_may(
    a_logic: Any, a_result: Any, navigation: Any, received: Any, edit: str
) -> None:
    a_logic.startStream(a_result, HOST, navigation.port, levels=["L3"])
    assert received("L3CTToWorld") is not None
    transform, origin = slicer.util.getNode("L3CTToWorld"), a_result.GetOrigin()
    if edit == "moved":
        set_pose("L3", L4)
    elif edit == "put under":
        transform.SetAndObserveTransformNodeID(add_transform(L4, "Couch").GetID())
    elif edit == "deleted":
        slicer.mrmlScene.RemoveNode(transform)
    else:
        a_result.SetOrigin(origin[0] + 3.0, *origin[1:])
    told = verdict_until(received, "L3", "withheld")
    expected = {
        "moved": "moved by hand",
        "put under": "its transform was put under Couch",
        "deleted": "not in the result",
        "CT moved": "CT has another geometry",
    }[edit]
    assert told.startswith(f"withheld: {expected}")
    assert told.endswith("a pose sent before is out of date")
    assert received("L3CTToWorld", 0.2) is None
    state = a_logic.stream.state
    assert (state.sent, list(state.withheld)) == ((), ["L3"])
    if edit == "deleted":
        return
    a_result.SetOrigin(*origin)
    a_logic.restoreLevel(a_result, "L3")
    np.testing.assert_allclose(received("L3CTToWorld").matrix, L3.matrix, atol=1e-5)
    assert a_logic.stream.state.sent == ("L3",)


def test_the_verdict_is_asked_at_the_start_and_a_confirmation_holds_for_that_pose_alone(
    a_logic: Any, a_demo_case: Any, a_result: Any, navigation: Any, received: Any, tmp_path: Path
) -> None:
    for levels, policy, verdict in ((["L3", "L4"], None, "check"), (["L5"], ReleasePolicy(check=True), "reject")):
        with pytest.raises(WithheldError) as withheld:
            a_logic.startStream(a_result, HOST, navigation.port, levels=levels, policy=policy)
        assert withheld.value.verdict == verdict
        assert not a_logic.stream.running
    a_logic.startStream(a_result, HOST, navigation.port, levels=["L4"], policy=ReleasePolicy(check=True))
    assert received("L4CTToWorld") is not None
    bring_in(tmp_path / "second", a_demo_case, {"L4": replace(LEVELS["L4"], ct_to_world=L3)})
    assert "verdict check, and nobody has confirmed this pose" in verdict_until(received, "L4", "withheld")
    assert received("L4CTToWorld", 0.2) is None


def test_a_level_registered_to_other_xrays_does_not_join_the_stream(
    a_logic: Any, a_demo_case: Any, a_result: Any, navigation: Any, received: Any, tmp_path: Path
) -> None:
    from RadGSRegLib.scene.xray_nodes import add_xray, geometry_of, pixels_of

    a_logic.startStream(a_result, HOST, navigation.port, levels=["L3", "L4"], policy=ReleasePolicy(check=True))
    assert received("L4CTToWorld") is not None
    others = tuple(add_xray(f"{x.GetName()}2", pixels_of(x), geometry_of(x)) for x in a_demo_case.xrays)
    bring_in(tmp_path / "second", replace(a_demo_case, xrays=others), {"L4": LevelResult(L3, "accept")})
    assert "registered to other X-rays" in verdict_until(received, "L4", "withheld")
    assert a_logic.stream.state.sent == ("L3",)


def test_a_closed_scene_revokes_the_poses_and_ends_the_stream(
    a_logic: Any, a_result: Any, navigation: Any, received: Any
) -> None:
    a_logic.startStream(a_result, HOST, navigation.port, levels=["L3"])
    assert received("L3CTToWorld") is not None
    slicer.mrmlScene.Clear(0)
    assert not a_logic.stream.running
    assert verdict_until(received, "L3", "withheld").startswith("withheld: the scene was closed")
    assert a_logic.stream.state.kind == "off"
    assert a_logic.stream.state.trouble == "The stream has ended: the scene was closed."


def test_a_deleted_ct_ends_the_stream(a_logic: Any, a_result: Any, host: Any, navigation: Any, received: Any) -> None:
    a_logic.startStream(a_result, HOST, navigation.port, levels=["L3"])
    assert received("L3CTToWorld") is not None
    slicer.mrmlScene.RemoveNode(a_result)
    host.wait_until(lambda: not a_logic.stream.running, PATIENCE_S)
    assert verdict_until(received, "L3", "withheld").startswith("withheld: the CT has left the scene")


def test_the_connection_is_told_refused_opened_lost_and_opened_again(
    a_logic: Any, a_result: Any, host: Any, pyigtl: Any
) -> None:
    port, kinds = free_port(), []
    a_logic.stream.changed = lambda state: kinds.append(state.kind)
    a_logic.startStream(a_result, HOST, port, levels=["L3"])
    host.wait_until(lambda: a_logic.stream.state.kind == "unreachable", PATIENCE_S)
    assert a_logic.stream.state.trouble == f"{HOST}:{port} cannot be reached: connection refused."
    for _ in range(2):
        server = pyigtl.OpenIGTLinkServer(port=port, local_server=True)
        host.wait_until(lambda: a_logic.stream.state.kind == "connected", PATIENCE_S)
        np.testing.assert_allclose(message_at(host, server, "L3CTToWorld").matrix, L3.matrix, atol=1e-5)
        server.stop()
        host.wait_until(lambda: a_logic.stream.state.kind == "unreachable", PATIENCE_S)
    a_logic.stopStream()
    assert kinds[-1] == "off"
    assert kinds.count("connected") == 2


def test_a_slow_peer_is_told_and_gets_the_newest_pose_when_it_wakes(
    a_logic: Any, a_demo_case: Any, a_result: Any, host: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from radgs.export.igtl import link

    monkeypatch.setattr(link, "SLOW_S", 0.2)
    state = a_logic.startStream(a_result, HOST, 0, listen=True, levels=["L3"])
    with socket.socket() as stuck:
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        stuck.connect((HOST, state.target.port))
        host.wait_until(lambda: a_logic.stream.state.kind == "connected", PATIENCE_S)
        count = 0

        def lagging() -> bool:
            nonlocal count
            count += 1
            set_pose("L3", L3 if count % 2 else L4)  # withheld and sent by turns: each a message
            a_logic.stream._turn()
            return bool(a_logic.stream.state.kind == "slow")

        host.wait_until(lagging, PATIENCE_S)
        assert a_logic.stream.state.slow == ("{}:{}".format(*stuck.getsockname()),)
        a_logic.restoreLevel(a_result, "L3")
        stuck.settimeout(0.05)

        def caught_up() -> bool:
            with suppress(TimeoutError):
                stuck.recv(65536)
            return bool(a_logic.stream.state.kind == "connected")

        host.wait_until(caught_up, PATIENCE_S)


@pytest.mark.parametrize(
    ("host_name", "listen", "problem"),
    [("", False, "There is no host"), ("localhost", True, "localhost is not an address of this machine")],
)
def test_an_address_that_cannot_be_used_is_told(
    a_logic: Any, a_result: Any, host_name: str, listen: bool, problem: str
) -> None:
    with pytest.raises(ExportError, match=problem):
        a_logic.startStream(a_result, host_name, 18944, listen, ["L3"])
    assert not a_logic.stream.running


def test_a_port_in_use_is_told_and_the_stream_before_has_ended(a_logic: Any, a_result: Any) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        with pytest.raises(ExportError, match="cannot be listened at"):
            a_logic.startStream(a_result, HOST, taken.getsockname()[1], True, ["L3"])
    assert not a_logic.stream.running


def test_a_missing_package_is_told_with_the_way_to_get_it(
    a_logic: Any, a_result: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ExportError, match="needs the package pyigtl") as error:
        a_logic.startStream(a_result, HOST, 18944, levels=["L3"])
    assert 'slicer.util.pip_install("pyigtl")' in error.value.remedy
