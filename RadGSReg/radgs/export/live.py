"""Poses to a navigation system as they change: a result.json watched, its poses let out by their verdict, and sent."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from radgs.case import LevelResult, RegistrationResult
from radgs.errors import ExportError, RadgsError
from radgs.export.igtl.link import Link
from radgs.export.igtl.message import pack_pose, pack_verdict, pose_device, verdict_device
from radgs.export.release_policy import ReleasePolicy, outgoing
from radgs.export.released_poses import ReleasedPose
from radgs.export.verified_write import sha256_of
from radgs.io.folder_swap import OUTDATED_NAME, is_outdated

#: A file that stays unreadable longer than this is not merely being written.
WRITING_S = 2.0


def pose_messages(pose: ReleasedPose, timestamp: float) -> dict[str, bytes]:
    """What goes out for a pose that may: first the verdict, then the pose.

    Raises:
        ExportError: See ``radgs.export.igtl.message``.
    """
    verdict = pack_verdict(pose.level, f"{pose.verdict}: {pose.expectation}", timestamp)
    return {
        verdict_device(pose.level): verdict,
        pose_device(pose.level): pack_pose(pose.level, pose.ct_to_world, timestamp),
    }


def load_current(path: Path) -> tuple[RegistrationResult, str]:
    """A result.json and the SHA-256 of its file, unless a later registration into its folder has not come to a result.

    Raises:
        ExportError: What the folder holds is of an earlier run.
        InputFileError: Missing, or not a result.
        GeometryError: A transform is not rigid.
    """
    if is_outdated(path.parent):
        raise ExportError(
            f"{path} is of an earlier run: a later one into its folder has not ended with a result.",
            f"Register again; to export the earlier result all the same, delete {OUTDATED_NAME} there.",
        )
    result = RegistrationResult.load(path)
    return result, sha256_of(path)


class ResultWatch:
    """Tells when a result.json has changed, and waits where it is only half written.

    While a registration into its folder runs, and when it ends without a result, the result has no levels.

    Args:
        path: A result.json, or the folder that holds one; need not be there yet.
        report: Told in a sentence when the file cannot be read.
    """

    def __init__(self, path: Path, report: Callable[[str], None] = lambda _: None) -> None:
        self._path, self._report = path, report
        self._seen = ""
        self._unreadable_since: float | None = None

    def changed(self) -> RegistrationResult | None:
        """The result, when it is another than at the last call; otherwise None."""
        path = self._path / "result.json" if self._path.is_dir() else self._path
        try:
            digest = OUTDATED_NAME if is_outdated(path.parent) else sha256_of(path)
            if digest == self._seen:
                return None
            result = RegistrationResult({}) if digest == OUTDATED_NAME else RegistrationResult.load(path)
        except OSError as problem:
            self._bear_with(f"{path} cannot be read: {problem.strerror or problem}.")
            return None
        except RadgsError as error:
            self._bear_with(error.problem)
            return None
        self._seen, self._unreadable_since = digest, None
        return result

    def _bear_with(self, problem: str) -> None:
        now = time.monotonic()
        if self._unreadable_since is None:
            self._unreadable_since = now
        elif now - self._unreadable_since > WRITING_S:
            self._unreadable_since = float("inf")  # told once
            self._report(f"{problem} The last poses stay as they were sent.")


class LivePoses:
    """Keeps a link supplied with a result's poses.

    A pose whose verdict the policy does not cover is withheld, and so is one that is gone from the result: the level's
    verdict message says so, because a receiver may still hold an earlier pose; a new receiver gets none.

    Args:
        link: Where to.
        policy: What a person has agreed to for every pose to come.
        levels: Which levels; all by default.
        report: Told in a sentence what is sent and what is withheld.
    """

    def __init__(
        self,
        link: Link,
        policy: ReleasePolicy | None = None,
        levels: Sequence[str] = (),
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._link, self._policy, self._levels, self._report = link, policy or ReleasePolicy(), levels, report
        self._states: dict[str, tuple[object, ...]] = {}

    def update(self, result: RegistrationResult, barred: Mapping[str, str] | None = None) -> None:
        """Publishes every level that differs from what was published before; what is withheld never ends the stream.

        Args:
            result: The levels as they are now.
            barred: Levels that are withheld whatever their verdict, and why, as a phrase.

        Raises:
            ExportError: A level's name does not fit into a device name.
        """
        barred = barred or {}
        for name in self._levels or {**result.levels, **self._states}:
            level = result.levels.get(name)
            state = (barred.get(name), None if level is None else _state(level))
            if name not in self._states or self._states[name] != state:
                self._states[name] = state
                self._publish(name, level, barred.get(name))

    def _publish(self, name: str, level: LevelResult | None, barred: str | None) -> None:
        if level is None:
            self._withhold(name, "not in the result")
        elif barred is not None:
            self._withhold(name, barred, level)
        elif level.ct_to_world is None:
            self._withhold(name, "no pose", level)
        elif not self._policy.covers(level.verdict):
            self._withhold(name, f"verdict {level.verdict}", level)
        else:
            pose = outgoing(name, level, self._policy)
            self._link.publish(pose_messages(pose, time.time()))
            self._report(f"{name} goes out as {pose_device(name)}: {pose.verdict}, {pose.release}; {pose.expectation}.")

    def _withhold(self, name: str, why: str, level: LevelResult | None = None) -> None:
        self._link.withdraw(pose_device(name))
        text = f"withheld: {why}; a pose sent before is out of date"
        self._link.publish({verdict_device(name): pack_verdict(name, text, time.time())})
        reasons = () if level is None else level.reasons
        self._report(" ".join([f"{name} is withheld: {why}.", *(reason.message for reason in reasons)]))


def _state(level: LevelResult) -> tuple[object, ...]:
    """What has to differ for a level to be sent again."""
    matrix = None if level.ct_to_world is None else level.ct_to_world.matrix.tobytes()
    return matrix, level.verdict, str(dict(level.predicted_error_mm))
