"""An accepted pose leaves freely, one in doubt when confirmed, a rejected one by force, and none leaves alone."""

from __future__ import annotations

import pytest

from radgs.case import LevelResult, RegistrationResult, Verdict
from radgs.errors import ExportError
from radgs.export import ReleasePolicy, WithheldError, release
from radgs.export.released_poses import Provenance
from radgs.geometry import RigidTransform


def test_accepted_poses_leave_as_they_are(result: RegistrationResult, pose: RigidTransform) -> None:
    released = release(result, levels=["L3", "L2"], result_sha256="cd" * 32)
    assert [outgoing.level for outgoing in released.poses] == ["L2", "L3"], "in the result's order"
    assert released.poses[1].ct_to_world is result.levels["L3"].ct_to_world
    assert released.poses[1].release == "accepted by the program"
    assert released.poses[1].expectation == "predicted error 0.8 mm (95 % of the surface)"
    assert released.common_provenance == Provenance("cd" * 32, "ab" * 32, {"radgs": "0.1.0"})


@pytest.mark.parametrize(
    ("policy", "leaves"),
    [
        (ReleasePolicy(), {"accept"}),
        (ReleasePolicy(check=True), {"accept", "check"}),
        (ReleasePolicy(reject=True), {"accept", "check", "reject"}),
        (ReleasePolicy(check=True, reject=True), {"accept", "check", "reject"}),
    ],
)
@pytest.mark.parametrize(("level", "verdict"), [("L3", "accept"), ("L4", "check"), ("L5", "reject")])
def test_a_pose_leaves_only_under_a_consent_that_covers_it(
    result: RegistrationResult, policy: ReleasePolicy, leaves: set[Verdict], level: str, verdict: Verdict
) -> None:
    if verdict in leaves:
        assert release(result, policy, [level]).poses[0].verdict == verdict
        return
    with pytest.raises(WithheldError) as withheld:
        release(result, policy, [level])
    assert (withheld.value.verdict, withheld.value.levels) == (verdict, (level,))


def test_one_level_that_stays_keeps_all_at_home_and_the_worst_is_told_first(result: RegistrationResult) -> None:
    with pytest.raises(WithheldError, match="L5: The X-rays fit L4 better") as withheld:
        release(result, levels=["L3", "L4", "L5"])
    assert withheld.value.verdict == "reject"
    assert "--level L3 --level L4" in withheld.value.remedy
    with pytest.raises(WithheldError, match="L4: The views disagree by 3 mm") as withheld:
        release(result, levels=["L3", "L4"])
    assert withheld.value.verdict == "check"


def test_a_pose_says_by_what_it_was_let_out(result: RegistrationResult) -> None:
    def said(policy: ReleasePolicy, level: str) -> str:
        return release(result, policy, [level]).poses[0].release

    assert said(ReleasePolicy(check=True), "L4") == "in doubt to the program, confirmed by a person"
    assert said(ReleasePolicy(reject=True), "L4") == "in doubt to the program, exported by force"
    assert said(ReleasePolicy(reject=True), "L5") == "REJECTED, exported by force"
    assert said(ReleasePolicy(reject=True), "L3") == "accepted by the program"


def test_what_is_not_there_cannot_be_forced(result: RegistrationResult) -> None:
    with pytest.raises(ExportError, match="T12 has no pose to export: The refinement diverged"):
        release(result, ReleasePolicy(reject=True), ["T12"])
    with pytest.raises(ExportError, match=r"no level L9.*It has L2, L3"):
        release(result, levels=["L9"])
    with pytest.raises(ExportError, match="holds no level"):
        release(RegistrationResult({}))


def test_a_level_whose_name_would_lead_elsewhere_is_refused(pose: RigidTransform) -> None:
    with pytest.raises(ExportError, match="cannot stand in a file name"):
        release(RegistrationResult({"../L3": LevelResult(pose, "accept")}))
