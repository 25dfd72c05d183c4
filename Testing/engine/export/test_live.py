"""A result.json followed: what changes goes out, what may not is withheld, and the receiver is told."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from radgs.case import LevelResult, RegistrationResult, Verdict
from radgs.export import ReleasePolicy
from radgs.export.igtl.link import Link
from radgs.export.live import WRITING_S, LivePoses, ResultWatch
from radgs.geometry import RigidTransform

#: How long something may take that has to happen; a busy machine needs some.
PATIENCE_S = 20.0


@pytest.fixture
def link() -> Iterator[Link]:
    with Link("127.0.0.1", 0, listen=True) as link:
        yield link


@pytest.fixture
def receiver(pyigtl: Any, link: Link) -> Iterator[Callable[[str, float], Any]]:
    """Waits for a device's message, while the link works."""
    client = pyigtl.OpenIGTLinkClient("127.0.0.1", link.port)

    def wait_for(device: str, seconds: float = PATIENCE_S) -> Any:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            link.tick(0.01)
            message = client.wait_for_message(device, timeout=0)
            if message is not None:
                return message
        return None

    yield wait_for
    client.stop()


def of(**levels: tuple[RigidTransform | None, Verdict]) -> RegistrationResult:
    return RegistrationResult({name: LevelResult(*level) for name, level in levels.items()})


def test_two_levels_go_out_with_their_verdicts_and_only_what_changes_goes_again(
    link: Link, receiver: Any, pose: RigidTransform, other_pose: RigidTransform
) -> None:
    live = LivePoses(link)
    live.update(of(L3=(pose, "accept"), L4=(other_pose, "accept")))
    assert receiver("L3Verdict").string == "accept: no predicted error"
    np.testing.assert_allclose(receiver("L3CTToWorld").matrix, pose.matrix, atol=1e-5)
    np.testing.assert_allclose(receiver("L4CTToWorld").matrix, other_pose.matrix, atol=1e-5)
    live.update(of(L3=(pose, "accept"), L4=(pose, "accept")))
    np.testing.assert_allclose(receiver("L4CTToWorld").matrix, pose.matrix, atol=1e-5)
    assert receiver("L3CTToWorld", 0.1) is None
    assert receiver("L3Verdict", 0.1) is None


@pytest.mark.parametrize(
    ("policy", "verdict", "goes"),
    [
        (ReleasePolicy(), "check", False),
        (ReleasePolicy(), "reject", False),
        (ReleasePolicy(check=True), "check", True),
        (ReleasePolicy(check=True), "reject", False),
        (ReleasePolicy(reject=True), "reject", True),
    ],
)
def test_a_verdict_that_no_consent_covers_is_told_and_the_pose_stays(
    link: Link, receiver: Any, pose: RigidTransform, policy: ReleasePolicy, verdict: Verdict, goes: bool
) -> None:
    said: list[str] = []
    LivePoses(link, policy, report=said.append).update(of(L3=(pose, verdict)))
    text = receiver("L3Verdict").string
    assert (receiver("L3CTToWorld", 0.1) is not None) == goes
    assert text.startswith(f"{verdict}: " if goes else f"withheld: verdict {verdict};")
    assert len(said) == 1
    assert said[0].startswith("L3 goes out as L3CTToWorld" if goes else f"L3 is withheld: verdict {verdict}.")


@pytest.mark.parametrize("then", ["reject", "no pose", "gone"])
def test_a_pose_that_loses_its_leave_is_revoked_and_kept_from_newcomers(
    pyigtl: Any, link: Link, receiver: Any, pose: RigidTransform, other_pose: RigidTransform, then: str
) -> None:
    live = LivePoses(link)
    live.update(of(L3=(pose, "accept")))
    assert receiver("L3CTToWorld") is not None
    live.update(
        {
            "reject": of(L3=(other_pose, "reject")),
            "no pose": of(L3=(None, "reject")),
            "gone": of(L4=(other_pose, "accept")),
        }[then]
    )
    text = receiver("L3Verdict").string
    while not text.startswith("withheld"):  # the earlier verdict may not have been asked for yet
        text = receiver("L3Verdict").string
    assert text.endswith("a pose sent before is out of date")
    assert receiver("L3CTToWorld", 0.1) is None
    newcomer = pyigtl.OpenIGTLinkClient("127.0.0.1", link.port)
    end = time.monotonic() + PATIENCE_S
    while not (len(link.peers) == 2 and link.delivered) and time.monotonic() < end:
        link.tick(0.01)
    assert newcomer.wait_for_message("L3Verdict", timeout=PATIENCE_S).string.startswith("withheld")
    assert newcomer.wait_for_message("L3CTToWorld", timeout=0) is None
    newcomer.stop()


def test_only_the_levels_asked_for_go_out(link: Link, receiver: Any, pose: RigidTransform) -> None:
    LivePoses(link, levels=["L4", "L9"]).update(of(L3=(pose, "accept"), L4=(pose, "accept")))
    assert receiver("L4CTToWorld") is not None
    assert receiver("L9Verdict").string.startswith("withheld: not in the result")
    assert receiver("L3Verdict", 0.1) is None


def test_a_level_that_is_barred_is_withheld_until_it_is_not(link: Link, receiver: Any, pose: RigidTransform) -> None:
    live, levels = LivePoses(link), of(L3=(pose, "accept"))
    live.update(levels, {"L3": "moved by hand"})
    assert receiver("L3Verdict").string == "withheld: moved by hand; a pose sent before is out of date"
    assert receiver("L3CTToWorld", 0.1) is None
    live.update(levels)
    assert receiver("L3Verdict").string.startswith("accept")
    assert receiver("L3CTToWorld") is not None


def test_a_result_is_told_once_per_change(result: RegistrationResult, result_folder: Path) -> None:
    watch = ResultWatch(result_folder)
    first = watch.changed()
    assert first is not None
    assert list(first.levels) == list(result.levels)
    assert watch.changed() is None
    result.save(result_folder)
    assert watch.changed() is None, "written again, but the same"
    replace(result, device="cuda").save(result_folder)
    changed = watch.changed()
    assert changed is not None
    assert changed.device == "cuda"


def test_a_file_half_written_is_waited_for(result_folder: Path) -> None:
    said: list[str] = []
    path = result_folder / "result.json"
    whole = path.read_bytes()
    watch = ResultWatch(path, said.append)
    path.write_bytes(whole[: len(whole) // 2])
    assert watch.changed() is None
    path.write_bytes(whole)
    assert watch.changed() is not None
    assert said == []


def test_a_file_that_stays_unreadable_is_told_once(result_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    watch = ResultWatch(result_folder / "result.json", said.append)
    (result_folder / "result.json").unlink()
    now = time.monotonic()
    for waited in (0.0, WRITING_S / 2, WRITING_S + 1, WRITING_S + 2):
        monkeypatch.setattr(time, "monotonic", lambda at=now + waited: at)
        assert watch.changed() is None
    assert len(said) == 1
    assert said[0].endswith("The last poses stay as they were sent.")
