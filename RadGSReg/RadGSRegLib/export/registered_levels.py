"""From the scene out: the registered levels of a CT, what stands in their way, and the poses that leave.

The pose that leaves is always the one that the level's transform keeps of its registration, also in a scene that was
saved and loaded again. A transform that no longer agrees with it, or whose CT or X-rays have been moved since, is not
exported at all: the verdict does not hold for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from radgs.case import LevelResult, RegistrationResult
from radgs.errors import ExportError, RadgsError
from radgs.export import ReleasedPoses, ReleasePolicy, WithheldError, release
from radgs.export.released_poses import Provenance
from radgs.geometry import RigidTransform
from RadGSRegLib.engine.result_import import result_of
from RadGSRegLib.export.references import registered_xrays
from RadGSRegLib.scene.levels import level_transforms
from RadGSRegLib.scene.placement import set_pose
from RadGSRegLib.scene.provenance import STILL_MM, moved_by_mm, provenance_of, what_has_moved


@dataclass(frozen=True)
class Obstacle:
    """Why a level's pose does not hold as it stands: it can neither be accepted nor exported.

    Attributes:
        why: As a phrase that goes on from the level's name and a colon.
        remedy: What to do, in a sentence.
        restorable: Whether ``restore`` takes it away.
    """

    why: str
    remedy: str
    restorable: bool = False


@dataclass(frozen=True, eq=False)
class KeptLevel:
    """A level in the scene, and what its transform keeps of its registration.

    Attributes:
        level: Its name.
        transform: Its transform node.
        result: What the registration said of it.
        provenance: Which registration that was.
        obstacle: Why it cannot be exported as it stands; None where nothing but its verdict may stand in the way.
    """

    level: str
    transform: Any
    result: LevelResult
    provenance: Provenance = field(default_factory=Provenance)
    obstacle: Obstacle | None = None

    @property
    def identity(self) -> tuple[str, str, bytes]:
        """What tells this pose, and the verdict on it, from another registration's."""
        pose = self.result.ct_to_world
        return self.level, self.result.verdict, b"" if pose is None else pose.matrix.tobytes()


def kept_levels(ct: Any) -> dict[str, KeptLevel]:
    """The registered levels of a CT, by name; none where there is no CT."""
    return {} if ct is None else {name: _kept(name, node, ct) for name, node in level_transforms(ct).items()}


def choose(ct: Any, names: Sequence[str] = ()) -> list[KeptLevel]:
    """The levels of a CT by those names; all where none is named.

    Raises:
        ExportError: One has not been registered, or there is none at all.
    """
    known = kept_levels(ct)
    for name in names:
        if name not in known:
            registered = _listed(list(known)) or "none"
            raise ExportError(f"Level {name} has not been registered.", f"Registered are: {registered}.")
    if not known:
        raise ExportError("No level has been registered.", "Register one first.")
    return [kept for name, kept in known.items() if not names or name in names]


def release_levels(levels: Sequence[KeptLevel], policy: ReleasePolicy | None = None) -> ReleasedPoses:
    """Lets levels out of the scene: all of them or none.

    Args:
        levels: Which ones.
        policy: What a person has agreed to; nothing by default.

    Raises:
        ExportError: There is none, a level is not as it was registered, or the levels belong to different X-rays.
        WithheldError: A verdict needs a consent that was not given; ``reject`` is told before ``check``.
    """
    if not levels:
        raise ExportError("No level is chosen.", "Choose the levels to be exported.")
    for kept in levels:
        if kept.obstacle is not None:
            raise ExportError(f"{kept.level} cannot be exported: {kept.obstacle.why}.", kept.obstacle.remedy)
    if strangers := of_other_xrays(levels):
        raise ExportError(
            f"{_listed(strangers)} and {levels[0].level} were registered to different X-rays, in different worlds.",
            "Export them one after the other, each into a folder of its own.",
        )
    try:
        released = release(RegistrationResult({kept.level: kept.result for kept in levels}), policy)
    except WithheldError as withheld:
        raise WithheldError(withheld.verdict, withheld.levels, withheld.problem, REMEDIES[withheld.verdict]) from None
    provenances = {kept.level: kept.provenance for kept in levels}
    return ReleasedPoses(tuple(replace(pose, provenance=provenances[pose.level]) for pose in released.poses))


#: By the verdict that stands in the way.
REMEDIES = {
    "check": "Compare the contour with the X-ray in every view; then confirm the export.",
    "reject": "Correct the input and register again. Force a pose only when it is confirmed by other means.",
}


def of_other_xrays(levels: Sequence[KeptLevel]) -> list[str]:
    """The levels that were registered to other X-rays than the first, as far as the scene knows."""
    known = {kept.level: frozenset(xray.GetID() for xray in registered_xrays(kept.transform)) for kept in levels}
    first = next((xrays for xrays in known.values() if xrays), frozenset())
    return [level for level, xrays in known.items() if xrays and xrays != first]


def restore(kept: KeptLevel) -> None:
    """Puts a level's transform back to the pose that its registration found, under no other transform."""
    if kept.result.ct_to_world is not None:
        kept.transform.SetAndObserveTransformNodeID(None)
        set_pose(kept.transform, kept.result.ct_to_world)


def _kept(level: str, transform: Any, ct: Any) -> KeptLevel:
    try:
        values = result_of(transform)
        if values is None:
            raise ValueError("nothing kept")
        result, provenance = LevelResult.from_json_dict(values, transform.GetName()), provenance_of(transform)
        moved = what_has_moved(transform, ct)
    except (RadgsError, ValueError, AttributeError, TypeError):  # an older scene, or somebody else wrote there
        lost = Obstacle("the scene does not keep what its registration said", f"Register {level} again.")
        return KeptLevel(level, transform, LevelResult(None, "reject"), obstacle=lost)
    if result.ct_to_world is None:
        failed = Obstacle(
            "its last registration found no pose", f"Register {level} again; the transform is an earlier one's."
        )
        return KeptLevel(level, transform, result, provenance, failed)
    obstacle = _edited(level, transform, result.ct_to_world)
    if obstacle is None and moved is not None:
        obstacle = Obstacle(moved, f"Put it back where it was, or register {level} again.")
    return KeptLevel(level, transform, result, provenance, obstacle)


def _edited(level: str, transform: Any, registered: RigidTransform) -> Obstacle | None:
    """Whether a transform still holds the registered pose."""
    remedy = f"Restore {level}; or save the edited transform with Slicer, as your own: no verdict holds for it."
    parent = transform.GetParentTransformNode()
    if parent is not None:
        return Obstacle(f"its transform was put under {parent.GetName()} since it was registered", remedy, True)
    distance = moved_by_mm(transform, registered.matrix)
    if not distance <= STILL_MM:
        return Obstacle(f"moved by hand since it was registered, by up to {distance:.1f} mm", remedy, True)
    return None


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
