"""Which poses may be exported: accepted ones always, doubtful ones when confirmed, rejected ones by force only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from radgs.case import LevelResult, RegistrationResult, Verdict
from radgs.errors import ExportError, WithheldError
from radgs.export.released_poses import Provenance, ReleasedPose, ReleasedPoses


@dataclass(frozen=True)
class ReleasePolicy:
    """What a person has agreed to.

    Attributes:
        check: Poses that are to be checked may leave.
        reject: Rejected poses may leave too, and with them those to be checked.
    """

    check: bool = False
    reject: bool = False

    def covers(self, verdict: Verdict) -> bool:
        """Whether a pose of that verdict may leave."""
        return verdict == "accept" or self.reject or (verdict == "check" and self.check)

    def release_of(self, verdict: Verdict) -> str:
        """Why a pose of that verdict leaves, as a phrase."""
        if verdict == "accept":
            return "accepted by the program"
        if verdict == "check" and self.check:
            return "in doubt to the program, confirmed by a person"
        return "in doubt to the program, exported by force" if verdict == "check" else "REJECTED, exported by force"


def release(
    result: RegistrationResult,
    policy: ReleasePolicy | None = None,
    levels: Sequence[str] = (),
    result_sha256: str | None = None,
) -> ReleasedPoses:
    """Lets poses out of a result: all of them or none.

    Args:
        result: Where they come from.
        policy: What a person has agreed to; nothing by default.
        levels: Which levels; all by default.
        result_sha256: Of the result.json, where it was read from one.

    Raises:
        ExportError: A level is not in the result, or has no pose.
        WithheldError: A verdict needs a consent that was not given; ``reject`` is told before ``check``.
    """
    policy = policy or ReleasePolicy()
    chosen = chosen_levels(result, levels)
    for verdict in ("reject", "check"):
        withheld = tuple(name for name, level in chosen.items() if level.verdict == verdict)
        if withheld and not policy.covers(verdict):
            raise _withheld(verdict, withheld, chosen)
    provenance = Provenance(result_sha256, result.case_sha256, result.versions)
    return ReleasedPoses(tuple(outgoing(name, level, policy, provenance) for name, level in chosen.items()))


def chosen_levels(result: RegistrationResult, levels: Sequence[str] = ()) -> dict[str, LevelResult]:
    """The levels named, in the result's order; all of them where none is named.

    Raises:
        ExportError: A level is not in the result, or there is none at all.
    """
    for name in levels:
        if name not in result.levels:
            known = ", ".join(result.levels) or "no level at all"
            raise ExportError(f"The result has no level {name}.", f"It has {known}.")
    chosen = {name: level for name, level in result.levels.items() if not levels or name in levels}
    if not chosen:
        raise ExportError("The result holds no level.", "Register a case first.")
    return chosen


def outgoing(
    name: str, level: LevelResult, policy: ReleasePolicy, provenance: Provenance | None = None
) -> ReleasedPose:
    """One level's pose on its way out, which the policy covers.

    Raises:
        ExportError: It has none.
    """
    if level.ct_to_world is None:
        raise ExportError(
            f"{name} has no pose to export{_because(level)}", "Export the other levels with --level, or register again."
        )
    return ReleasedPose(
        level=name,
        ct_to_world=level.ct_to_world,
        verdict=level.verdict,
        release=policy.release_of(level.verdict),
        predicted_error_mm=level.predicted_error_mm,
        reasons=level.reasons,
        provenance=provenance or Provenance(),
    )


def _withheld(verdict: Verdict, names: tuple[str, ...], chosen: dict[str, LevelResult]) -> WithheldError:
    grounds = " ".join(f"{name}{_because(chosen[name])}" for name in names)
    if verdict == "check":
        return WithheldError(
            verdict,
            names,
            f"The verdict is to check before use. {grounds}",
            "Compare the contour with the X-ray in every view; then confirm with --yes.",
        )
    others = " ".join(f"--level {name}" for name, level in chosen.items() if level.verdict != "reject")
    rest = f"; the others go with {others}" if others else ""
    return WithheldError(
        verdict,
        names,
        f"The verdict is reject. {grounds}",
        f"Correct the input and register again{rest}. Force a pose only when it is confirmed by other means (--force).",
    )


def _because(level: LevelResult) -> str:
    reasons = " ".join(reason.message for reason in level.reasons)
    return f": {reasons}" if reasons else "."
