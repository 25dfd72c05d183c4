"""A scene's levels to a navigation system, live: sent when they change, withheld when they may not leave any more.

Everything happens in short turns from a timer of the application's event loop; no turn waits for the network.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import qt

from radgs.case import RegistrationResult
from radgs.errors import ExportError, RadgsError
from radgs.export import ReleasePolicy
from radgs.export.igtl.link import DEFAULT_PORT, Link
from radgs.export.igtl.lookup import is_address
from radgs.export.live import LivePoses
from RadGSRegLib.export.registered_levels import KeptLevel, kept_levels, of_other_xrays, release_levels
from RadGSRegLib.scene.levels import level_transforms
from RadGSRegLib.scene.placement import in_scene

#: Between two turns, milliseconds.
TURN_MS = 50

#: Between two looks at everything that a level depends on; its transform is looked at in every turn.
LOOK_S = 0.5

#: How long the end of a stream may take to reach the peers, seconds.
LAST_WORD_S = 0.1

StreamKind = Literal["off", "listening", "connecting", "unreachable", "connected", "slow"]


@dataclass(frozen=True)
class StreamTarget:
    """Where poses go.

    Attributes:
        host: Of the navigation system's OpenIGTLink server; with ``listen``, the own address to listen at.
        port: Of the same.
        listen: Be the server, and wait for the navigation system to connect.
    """

    host: str
    port: int = DEFAULT_PORT
    listen: bool = False

    def check(self) -> None:
        """Refuses what could hold up the application, or cannot work.

        Raises:
            ExportError: The package for it is missing, there is no host, or the own address is not one.
        """
        if importlib.util.find_spec("pyigtl") is None:
            raise ExportError(
                "OpenIGTLink needs the package pyigtl, which is not installed.",
                'Type slicer.util.pip_install("pyigtl") in the Python console, then start again.',
            )
        if not self.host:
            raise ExportError("There is no host to connect to.", "Type the navigation system's address.")
        if self.listen and not is_address(self.host):
            raise ExportError(
                f"{self.host} is not an address of this machine.",
                "Type 127.0.0.1 for programs on this machine, or 0.0.0.0 for the whole network.",
            )


@dataclass(frozen=True)
class StreamState:
    """How a stream stands.

    Attributes:
        kind: "off"; "listening" for the first peer; "connecting"; "unreachable", and tried again; "connected"; "slow",
            when a peer takes in less than there is to send.
        target: Where poses go; None before the first start.
        peers: Who is connected, as ``host:port``.
        slow: Those of them that lag behind.
        trouble: Why there is no connection (any more), or why the stream ended, in a sentence.
        sent: The levels that go out.
        withheld: The other levels of the stream, and why, as a phrase.
    """

    kind: StreamKind = "off"
    target: StreamTarget | None = None
    peers: tuple[str, ...] = ()
    slow: tuple[str, ...] = ()
    trouble: str = ""
    sent: tuple[str, ...] = ()
    withheld: Mapping[str, str] = field(default_factory=dict)


class LevelStream:
    """Keeps receivers supplied with levels of one CT.

    A level goes out as long as its transform is as it was registered and its verdict allows it. What a person confirmed
    at the start is those poses; another that needs confirming is withheld until the stream is started anew. Of what
    is withheld, the receivers are told (see ``radgs.export.live``).

    Args:
        changed: Called with the state whenever it has changed.
    """

    def __init__(self, changed: Callable[[StreamState], None] = lambda state: None) -> None:
        self.changed = changed
        self.state = StreamState()
        self._ct: Any = None
        self._names: tuple[str, ...] = ()
        self._agreed: set[tuple[str, str, bytes]] = set()
        self._target = StreamTarget("")
        self._link: Link | None = None
        self._live: LivePoses | None = None
        self._result = RegistrationResult({})
        self._barred: dict[str, str] = {}
        self._seen: tuple[Any, ...] = ()
        self._next_look = 0.0
        self._timer = qt.QTimer()
        self._timer.setInterval(TURN_MS)
        self._timer.connect("timeout()", self._turn)

    @property
    def running(self) -> bool:
        """Whether poses are being sent, or a connection for them is being sought."""
        return self._link is not None

    def start(
        self, ct: Any, levels: Sequence[KeptLevel], target: StreamTarget, policy: ReleasePolicy | None = None
    ) -> StreamState:
        """Begins to send levels, in place of an earlier stream; returns at once.

        Args:
            ct: Their CT.
            levels: Which ones, as they are now.
            target: Where to.
            policy: What a person has agreed to for these poses; nothing by default.

        Raises:
            WithheldError: A verdict needs a consent that was not given.
            ExportError: A level is not as it was registered, or the target cannot be used.
        """
        target.check()
        release_levels(levels, policy)
        self.stop()
        link = Link(target.host, target.port, listen=target.listen)
        self._ct, self._names = ct, tuple(kept.level for kept in levels)
        self._agreed = {kept.identity for kept in levels}
        self._live = LivePoses(link, ReleasePolicy(check=True, reject=True), self._names)
        self._link, self._target = link, StreamTarget(target.host, link.port, target.listen)
        self._turn()
        if self.running:
            self._timer.start()
        return self.state

    def stop(self, withhold: str | None = None) -> None:
        """Ends the stream.

        Args:
            withhold: Why the poses sent before are out of date, as a phrase; None where they are not.
        """
        if self._link is None or self._live is None:
            return
        self._timer.stop()
        if withhold is not None:
            self._live.update(self._result, dict.fromkeys(self._names, withhold))
            until = time.monotonic() + LAST_WORD_S
            while self._link.peers and not self._link.delivered and time.monotonic() < until:
                self._link.tick(until - time.monotonic())
        self._link.close(LAST_WORD_S if withhold is not None else 0.0)
        self._link = self._live = self._ct = None
        self._seen = ()
        trouble = f"The stream has ended: {withhold}." if withhold is not None else ""
        self._show(StreamState("off", self._target, trouble=trouble))

    def _turn(self) -> None:
        """Looks at the scene where something may have changed, then does what the network allows."""
        if self._link is None or self._live is None:
            return
        if not in_scene(self._ct):
            self.stop("the CT has left the scene")
            return
        try:
            self._look(self._live)
            self._link.tick(0.0)
        except RadgsError as error:
            self.stop(error.problem.rstrip("."))
            return
        if self._link is not None:
            self._show(self._state(self._link))

    def _look(self, live: LivePoses) -> None:
        """Publishes what has changed in the scene."""
        seen, now = self._transforms(), time.monotonic()
        if seen == self._seen and now < self._next_look:
            return
        self._seen, self._next_look = seen, now + LOOK_S
        levels = [kept for name, kept in kept_levels(self._ct).items() if name in self._names]
        self._result = RegistrationResult({kept.level: kept.result for kept in levels})
        self._barred = {kept.level: why for kept in levels if (why := self._bar(kept)) is not None}
        for name in of_other_xrays(levels):
            self._barred.setdefault(name, "registered to other X-rays than the rest")
        live.update(self._result, self._barred)

    def _transforms(self) -> tuple[Any, ...]:
        transforms = level_transforms(self._ct).values()
        return tuple((node.GetID(), node.GetMTime(), node.GetTransformToWorldMTime()) for node in transforms)

    def _bar(self, kept: KeptLevel) -> str | None:
        """Why a level does not go out, as a phrase; None where it does."""
        if kept.obstacle is not None:
            return kept.obstacle.why
        if kept.result.verdict == "accept" or kept.identity in self._agreed:
            return None
        return f"verdict {kept.result.verdict}, and nobody has confirmed this pose"

    def _state(self, link: Link) -> StreamState:
        peers, slow = tuple(link.peers), tuple(link.slow_peers)
        kind: StreamKind = "slow" if slow else "connected"
        if not peers and self._target.listen:
            kind = "listening"
        elif not peers:
            kind = "unreachable" if link.trouble else "connecting"
        gone = {name: "it has left the scene" for name in self._names if name not in self._result.levels}
        withheld = {**self._barred, **gone}
        sent = tuple(name for name in self._names if name not in withheld)
        return StreamState(kind, self._target, peers, slow, link.trouble, sent, withheld)

    def _show(self, state: StreamState) -> None:
        if state != self.state:
            self.state = state
            self.changed(state)
