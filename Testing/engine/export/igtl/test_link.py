"""Poses over real sockets, on this machine only: pyigtl as the receiver, or a bare socket that misbehaves."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import pytest

from radgs.errors import ExportError
from radgs.export.igtl import link as link_module
from radgs.export.igtl.link import MAX_CLIENTS, Link
from radgs.export.igtl.message import pack_pose, pose_device
from radgs.geometry import RigidTransform

HOST = "127.0.0.1"
#: How long something may take that has to happen; a busy machine needs some.
PATIENCE_S = 20.0


def pose(x: float = 12.0) -> RigidTransform:
    return RigidTransform.from_rotation_vector([0.31, -0.17, 0.53], [x, -34.0, 56.0])


def message(level: str = "L3", x: float = 12.0) -> dict[str, bytes]:
    return {pose_device(level): pack_pose(level, pose(x), time.time())}


def pump(link: Link, until: Callable[[], bool], seconds: float = PATIENCE_S) -> None:
    """Lets a link work until something holds, which it has to in time."""
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end, "it does not come to that"
        link.tick(0.02)


@contextmanager
def server(pyigtl: Any, port: int = 0) -> Iterator[Any]:
    """A navigation system's server, by pyigtl."""
    running = pyigtl.OpenIGTLinkServer(port=port, local_server=True)
    running.port = running.server_address[1]
    try:
        yield running
    finally:
        running.stop()


@contextmanager
def client(pyigtl: Any, port: int) -> Iterator[Any]:
    """A navigation system's client, by pyigtl."""
    running = pyigtl.OpenIGTLinkClient(HOST, port)
    try:
        yield running
    finally:
        running.stop()


@contextmanager
def bare_server(receive_buffer: int | None = None) -> Iterator[socket.socket]:
    """A socket that listens and does nothing else."""
    with socket.socket() as door:
        if receive_buffer is not None:
            door.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        door.bind((HOST, 0))
        door.listen()
        door.settimeout(PATIENCE_S)
        yield door


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def translations(data: bytes) -> list[float]:
    """The x of every TRANSFORM in a stream of them, which has to end with a whole one."""
    assert len(data) % 106 == 0
    return [struct.unpack(">12f", data[start + 58 : start + 106])[9] for start in range(0, len(data), 106)]


def test_two_levels_reach_a_server(pyigtl: Any) -> None:
    with server(pyigtl) as navigation, Link(HOST, navigation.port) as link:
        link.publish(message("L3", 1.0) | message("L4", 2.0))
        pump(link, lambda: link.delivered)
        for level, x in (("L3", 1.0), ("L4", 2.0)):
            received = navigation.wait_for_message(f"{level}CTToWorld", timeout=PATIENCE_S)
            np.testing.assert_allclose(received.matrix, pose(x).matrix, atol=1e-5)


def test_a_change_reaches_a_client_and_a_newcomer_gets_the_newest_at_once(pyigtl: Any) -> None:
    with Link(HOST, 0, listen=True) as link:
        link.publish(message(x=1.0))
        with client(pyigtl, link.port) as first:
            pump(link, lambda: link.delivered)
            assert first.wait_for_message("L3CTToWorld", timeout=PATIENCE_S).matrix[0, 3] == 1.0
            link.publish(message(x=2.0))
            pump(link, lambda: link.delivered)
            assert first.wait_for_message("L3CTToWorld", timeout=PATIENCE_S).matrix[0, 3] == 2.0
            with client(pyigtl, link.port) as second:
                pump(link, lambda: len(link.peers) == 2 and link.delivered)
                assert second.wait_for_message("L3CTToWorld", timeout=PATIENCE_S).matrix[0, 3] == 2.0
            assert first.wait_for_message("L3CTToWorld", timeout=0) is None, "nothing has changed for the first"


def test_a_server_that_comes_back_gets_the_pose_again(pyigtl: Any) -> None:
    said: list[str] = []
    with server(pyigtl) as navigation:
        port = navigation.port
        link = Link(HOST, port, report=said.append)
        link.publish(message())
        pump(link, lambda: link.delivered)
        assert navigation.wait_for_message("L3CTToWorld", timeout=PATIENCE_S) is not None
    pump(link, lambda: not link.peers)
    with server(pyigtl, port) as navigation, link:
        pump(link, lambda: link.delivered)
        received = navigation.wait_for_message("L3CTToWorld", timeout=PATIENCE_S)
        np.testing.assert_allclose(received.matrix, pose().matrix, atol=1e-5)
    assert said[0] == said[-1] == f"Connected with {HOST}:{port}."
    assert f"The connection with {HOST}:{port} has ended" in said[1]


def test_a_client_that_comes_back_gets_the_pose_again(pyigtl: Any) -> None:
    with Link(HOST, 0, listen=True) as link:
        link.publish(message())
        for _ in range(2):
            with client(pyigtl, link.port) as navigation:
                pump(link, lambda: link.delivered)
                assert navigation.wait_for_message("L3CTToWorld", timeout=PATIENCE_S) is not None
            pump(link, lambda: not link.peers)


def test_a_refused_connection_is_told_once_and_tried_again(pyigtl: Any) -> None:
    said: list[str] = []
    port = free_port()
    with Link(HOST, port, report=said.append) as link:
        link.publish(message())
        end = time.monotonic() + 0.7
        while time.monotonic() < end:
            link.tick(0.02)
        assert said == [f"{HOST}:{port} cannot be reached: connection refused."]
        assert not link.delivered
        with server(pyigtl, port) as navigation:
            pump(link, lambda: link.delivered)
            assert navigation.wait_for_message("L3CTToWorld", timeout=PATIENCE_S) is not None


def test_a_server_that_lets_nobody_stay_is_asked_ever_more_rarely() -> None:
    with bare_server() as door, Link(HOST, door.getsockname()[1]) as link:
        door.settimeout(0.0)
        asked: list[float] = []
        end = time.monotonic() + 2.0
        while time.monotonic() < end:
            link.tick(0.02)
            with suppress(BlockingIOError):
                door.accept()[0].close()
                asked.append(time.monotonic())
    assert 2 <= len(asked) <= 5, "0, 0.2, 0.6, 1.4 seconds, and the next would be at 3.0"


def test_a_slow_peer_skips_what_is_outdated_and_ends_with_the_newest() -> None:
    count = 2000
    with bare_server(receive_buffer=2048) as door, Link(HOST, door.getsockname()[1]) as link:
        link.publish(message(x=0.0))
        pump(link, lambda: bool(link.peers))
        slow, _ = door.accept()
        seconds = []
        for number in range(1, count + 1):
            link.publish(message(x=float(number)))
            started = time.monotonic()
            link.tick(0.0)
            seconds.append(time.monotonic() - started)
        assert np.median(seconds) < 0.05, "a peer that takes nothing holds up nobody"
        assert not link.delivered
        data = b""
        with slow:
            slow.settimeout(0.02)
            end = time.monotonic() + PATIENCE_S
            while not (link.delivered and translations_end(data, count)) and time.monotonic() < end:
                link.tick(0.0)
                with suppress(TimeoutError):
                    data += slow.recv(65536)
        arrived = translations(data)
        assert arrived[-1] == count
        assert arrived == sorted(set(arrived)), "each pose at most once, none after a newer one"
        assert len(arrived) < count / 4


def translations_end(data: bytes, x: float) -> bool:
    return len(data) > 0 and len(data) % 106 == 0 and translations(data)[-1] == x


def test_a_peer_that_takes_nothing_is_given_up_and_the_others_are_served(pyigtl: Any) -> None:
    said: list[str] = []
    with Link(HOST, 0, listen=True, patience_s=0.3, report=said.append) as link, socket.socket() as stuck:
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        stuck.connect((HOST, link.port))
        name = "{}:{}".format(*stuck.getsockname())
        with client(pyigtl, link.port) as navigation:
            pump(link, lambda: len(link.peers) == 2)
            number = 0.0

            def keep_changing() -> bool:
                nonlocal number
                number += 1.0
                link.publish(message(x=number))
                return len(link.peers) == 1

            pump(link, keep_changing)
            pump(link, lambda: link.delivered)
            end = time.monotonic() + PATIENCE_S
            x = 0.0
            while x != number and time.monotonic() < end:
                received = navigation.wait_for_message("L3CTToWorld", timeout=0.1)
                x = x if received is None else float(received.matrix[0, 3])
            assert x == number
    assert any(line.startswith(f"The connection with {name} has ended: nothing taken for ") for line in said)


def test_a_peer_that_lags_is_told_from_one_that_keeps_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "SLOW_S", 0.1)
    with Link(HOST, 0, listen=True) as link, socket.socket() as stuck, socket.socket() as quick:
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        stuck.connect((HOST, link.port))
        quick.connect((HOST, link.port))
        quick.setblocking(False)
        number = 0.0

        def keep_changing() -> bool:
            nonlocal number
            number += 1.0
            link.publish(message(x=number))
            with suppress(BlockingIOError):
                quick.recv(65536)
            return bool(link.slow_peers)

        pump(link, keep_changing)
        assert link.slow_peers == ["{}:{}".format(*stuck.getsockname())]
        assert len(link.peers) == 2, "slow, but not given up"


def test_a_name_that_takes_long_to_look_up_holds_up_nobody(pyigtl: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = threading.Event()
    look_up = socket.getaddrinfo

    def slow_look_up(host: Any, *arguments: Any, **named: Any) -> Any:
        if host == "navigation":
            answer.wait(PATIENCE_S)
            host = HOST
        return look_up(host, *arguments, **named)

    monkeypatch.setattr(socket, "getaddrinfo", slow_look_up)
    with server(pyigtl) as navigation, Link("navigation", navigation.port) as link:
        link.publish(message())
        started = time.monotonic()
        for _ in range(20):
            link.tick(0.0)
        assert time.monotonic() - started < 1.0
        assert not link.peers
        answer.set()
        pump(link, lambda: link.delivered)
        assert navigation.wait_for_message("L3CTToWorld", timeout=PATIENCE_S) is not None


def test_a_verdict_still_goes_before_its_pose_when_both_were_overtaken() -> None:
    """A peer that takes nothing for a while never gets a pose before its verdict, nor one that was withdrawn."""
    with bare_server(receive_buffer=2048) as door, Link(HOST, door.getsockname()[1]) as link:
        pump(link, lambda: bool(link.peers))
        slow, _ = door.accept()
        with slow:
            for number in range(500):
                link.publish({"L3Verdict": b"v%05d" % number, "L3CTToWorld": b"p%05d" % number})
                link.tick(0.0)
            link.withdraw("L3CTToWorld")
            link.publish({"L3Verdict": b"v99999"})
            slow.settimeout(0.05)
            data = b""
            end = time.monotonic() + PATIENCE_S
            while not data.endswith(b"v99999") and time.monotonic() < end:
                link.tick(0.0)
                with suppress(TimeoutError):
                    data += slow.recv(65536)
    order = [data[start : start + 6].decode() for start in range(0, len(data), 6)]
    assert order[-1] == "v99999"
    assert "p00499" not in order
    for position, item in enumerate(order):
        if item.startswith("p"):
            assert order[position - 1] == "v" + item[1:]


def test_a_peer_that_leaves_is_noticed_although_nothing_is_sent() -> None:
    said: list[str] = []
    with bare_server() as door, Link(HOST, door.getsockname()[1], report=said.append) as link:
        pump(link, lambda: bool(link.peers))
        door.accept()[0].close()
        pump(link, lambda: not link.peers)
    assert said[-1].endswith("has ended: closed by the peer.")


def test_what_a_peer_says_changes_nothing() -> None:
    with bare_server() as door, Link(HOST, door.getsockname()[1]) as link:
        link.publish(message(x=3.0))
        pump(link, lambda: bool(link.peers))
        chatty, _ = door.accept()
        with chatty:
            chatty.sendall(b"\0\1GET_TRANS" + bytes(200_000))
            pump(link, lambda: link.delivered)
            chatty.settimeout(PATIENCE_S)
            assert translations(chatty.recv(106, socket.MSG_WAITALL)) == [3.0]
            assert link.peers


def test_what_is_withdrawn_reaches_no_newcomer(pyigtl: Any) -> None:
    with Link(HOST, 0, listen=True) as link:
        link.publish(message("L3") | message("L4"))
        link.withdraw("L3CTToWorld")
        with client(pyigtl, link.port) as navigation:
            pump(link, lambda: link.delivered)
            assert navigation.wait_for_message("L4CTToWorld", timeout=PATIENCE_S) is not None
            assert navigation.wait_for_message("L3CTToWorld", timeout=0) is None


def test_the_last_message_is_not_lost_when_the_link_closes_over_unread_bytes() -> None:
    with bare_server() as door:
        with Link(HOST, door.getsockname()[1]) as link:
            link.publish(message(x=5.0))
            pump(link, lambda: link.delivered)
            peer, _ = door.accept()
            peer.sendall(bytes(1000))
        with peer:
            peer.settimeout(PATIENCE_S)
            assert translations(peer.recv(106, socket.MSG_WAITALL)) == [5.0]
            assert peer.recv(1) == b"", "closed in order, not reset"


def test_an_address_in_use_and_a_name_nobody_has_are_told() -> None:
    with bare_server() as door, pytest.raises(ExportError, match="cannot be listened at"):
        Link(HOST, door.getsockname()[1], listen=True)
    with pytest.raises(ExportError, match="cannot be listened at"):
        Link("no..host", 0, listen=True)
    said: list[str] = []
    with Link("no..host", 18944, report=said.append) as link:
        pump(link, lambda: bool(said))
        link.tick(0.0)
        assert link.trouble == said[0]
    assert len(said) == 1
    assert said[0].startswith("no..host:18944 cannot be reached")


def test_more_clients_than_it_serves_are_turned_away() -> None:
    said: list[str] = []
    with Link(HOST, 0, listen=True, report=said.append) as link:
        clients = [socket.create_connection((HOST, link.port), PATIENCE_S) for _ in range(MAX_CLIENTS + 1)]
        pump(link, lambda: any("turned away" in line for line in said))
        assert len(link.peers) == MAX_CLIENTS
        for one in clients:
            one.close()
