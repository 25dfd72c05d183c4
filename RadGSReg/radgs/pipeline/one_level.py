"""One level, from where it begins to a judged pose: alone, or beside neighbours that were found."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from radgs.case import LevelResult, Reason, RegistrationCase
from radgs.geometry import RigidTransform
from radgs.networks import Networks, Reconstruction
from radgs.networks.reconstruction import reconstruct_level
from radgs.pipeline.orientation import FlipTrial
from radgs.pipeline.pose_uncertainty import pose_covariance
from radgs.pipeline.quality import LEVEL_DOUBT_SPACINGS, Evidence, NetworkPose, gather_evidence, judge
from radgs.pipeline.questions import open_questions
from radgs.pipeline.verdict import capped
from radgs.refine import FoundLevel, Refinement, refine, refine_beside
from radgs.refine.candidates import CLICK_SIGMA_MM
from radgs.vertebra import VertebraAnatomy

#: Share of a level's progress that separating its vertebra takes; the rest is registration.
PREPARATION_SHARE = 0.7
#: How far off a pose is that a person brought to where the X-rays show the vertebra, one standard deviation.
NUDGED_SIGMA_MM = 2.0
#: Where refinement and judgement begin on the same scale.
REFINE_FROM, JUDGE_FROM = 0.73, 0.95


@dataclass(frozen=True, eq=False)
class RegisteredLevel:
    """A level that was registered, and what its neighbours can begin with.

    Attributes:
        result: Pose and verdict.
        evidence: What the verdict rests on.
        reconstruction: What the networks saw; None where the vertebra has no anatomical frame.
        found: The pose as its neighbours see it.
        believed: Whether the images alone would have it accepted, whatever else is asked about the case.
    """

    result: LevelResult
    evidence: Evidence
    reconstruction: Reconstruction | None
    found: FoundLevel
    believed: bool


def register_level(
    case: RegistrationCase,
    vertebra: VertebraAnatomy,
    networks: Networks,
    tell: Callable[[str, float, str], None] = lambda stage, fraction, message: None,
    nudged: RigidTransform | None = None,
    beside: Sequence[RegisteredLevel] = (),
) -> RegisteredLevel:
    """One vertebra, from the start that the user gave to a judged pose.

    Args:
        case: The case, validated.
        vertebra: The vertebra.
        networks: RecM and RegM, on the vertebra's device.
        tell: Called with stage, fraction of this level, and a message.
        nudged: Where a person has brought the vertebra; the case's start is left then.
        beside: Neighbours whose poses are believed: the vertebra is looked for beside them and nowhere else, and what
            they found out about the views serves it too. None: it is searched for from the start.
    """
    began = time.perf_counter()
    clicked = case.start_pose(vertebra.level.name, vertebra.centre)
    start, sigma_mm = clicked, case.initial[vertebra.level.name].sigma_mm or CLICK_SIGMA_MM
    if nudged is not None:
        start, sigma_mm = nudged, NUDGED_SIGMA_MM

    tell("reconstruct", PREPARATION_SHARE, "reconstructing the vertebra from the X-rays")
    reconstruction = reconstruct_level(networks, case.views, vertebra, start.apply(vertebra.centre))
    kabsch, regm = _network_poses(reconstruction, vertebra)

    def refining(done: float, message: str) -> None:
        tell("refine", REFINE_FROM + (JUDGE_FROM - REFINE_FROM) * done, message)

    refinement, flips = _refined(case, vertebra, start, sigma_mm, (regm, kabsch), refining, beside)
    tell("judge", JUDGE_FROM, "judging the result")
    network = _network_pose(regm, networks)
    evidence = gather_evidence(case.views, refinement, vertebra, network=network, flips=flips)
    names = [view.name for view in case.views]
    cautions = [*case.cautions, *_far_from_clicks(vertebra, refinement.ct_to_world, clicked, nudged)]
    judged, grounds = judge(evidence, names)
    verdict, reasons = capped(judged, grounds, cautions)
    tell("judge", 1.0, f"{vertebra.level.name}: {verdict}")
    result = LevelResult(
        ct_to_world=refinement.ct_to_world,
        verdict=verdict,
        predicted_error_mm={"surface_p95": evidence.surface_p95_mm},
        reasons=(*reasons, *_why_stages_are_missing(reconstruction)),
        questions=() if verdict == "reject" else open_questions(evidence),
        similarity=_similarities(evidence, names),
        stages={"start": start, "kabsch": kabsch, "regm": regm, "refined": refinement.ct_to_world},
        seconds=time.perf_counter() - began,
        covariance=pose_covariance(case.views, refinement, vertebra, evidence.wishes),
    )
    return RegisteredLevel(result, evidence, reconstruction, FoundLevel(vertebra, refinement), judged == "accept")


def _refined(
    case: RegistrationCase,
    vertebra: VertebraAnatomy,
    start: RigidTransform,
    sigma_mm: float,
    proposals: Sequence[RigidTransform | None],
    refining: Callable[[float, str], None],
    beside: Sequence[RegisteredLevel],
) -> tuple[Refinement, tuple[FlipTrial, ...] | None]:
    """The refined pose, and the views' orientation where a neighbour has tried it: it is one for all levels."""
    if beside:
        found = [level.found for level in beside]
        return refine_beside(case.views, vertebra, start, found, refining), beside[0].evidence.flips
    given = [pose for pose in proposals if pose is not None]
    return refine(case.views, vertebra, start, refining, proposals=given, start_sigma_mm=sigma_mm), None


def _far_from_clicks(
    vertebra: VertebraAnatomy, found: RigidTransform, clicked: RigidTransform, nudged: RigidTransform | None
) -> list[Reason]:
    """A person who nudges a vertebra may bring it onto another: as from a click, that is asked about."""
    away_mm = float(np.linalg.norm(found.apply(vertebra.centre) - clicked.apply(vertebra.centre)))
    if nudged is None or away_mm <= LEVEL_DOUBT_SPACINGS * vertebra.level_spacing_mm:
        return []
    message = (
        f"The result lies {away_mm:.0f} mm from where the level was marked, and the next level is "
        f"{vertebra.level_spacing_mm:.0f} mm away: confirm the level."
    )
    return [Reason("level", message)]


def _network_poses(
    reconstruction: Reconstruction | None, vertebra: VertebraAnatomy
) -> tuple[RigidTransform | None, RigidTransform | None]:
    """The ct_to_world of Kabsch and of RegM, where there are any."""
    if reconstruction is None or vertebra.frame_to_ct is None:
        return None, None
    found, frame = reconstruction, vertebra.frame_to_ct
    return found.ct_to_world(found.kabsch, frame), found.ct_to_world(found.regm, frame)


def _network_pose(regm: RigidTransform | None, networks: Networks) -> NetworkPose | None:
    """RegM's pose with what is known of its errors; generic networks, which never saw this patient, bear no witness."""
    if regm is None or networks.prepared_for is None or networks.accuracy is None:
        return None
    return NetworkPose(regm, networks.accuracy.regm_p95_mm)


def _why_stages_are_missing(reconstruction: Reconstruction | None) -> tuple[Reason, ...]:
    """A failed stage is null in the result, and has a reason."""
    if reconstruction is None:
        message = "The label has no posterior elements, so the networks had no frame to work in; the clicks were used."
        return (Reason("no_frame", message),)
    if reconstruction.kabsch is None:
        message = "The networks saw no vertebra where the clicks are; the clicks were used."
        return (Reason("no_reconstruction", message),)
    return ()


def _similarities(evidence: Evidence, views: list[str]) -> dict[str, dict[str, float]]:
    pairs = np.column_stack([evidence.similarity_start, evidence.similarity_result])
    return {
        view: {"start": float(before), "result": float(after)}
        for view, (before, after) in zip(views, pairs, strict=True)
    }
