"""Registration: from two X-rays and a CT to a judged pose per vertebra.

RecM reconstructs the vertebra as radiative Gaussians, the voxelizer makes a volume of them, Kabsch and RegM bring the
CT onto it, refinement matches the pose to the X-rays themselves, and the result is judged.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial

import numpy as np
import torch

from radgs.anatomy import body_centre
from radgs.case import Level, LevelResult, Reason, RegistrationCase, RegistrationResult
from radgs.errors import RadgsError
from radgs.geometry import RigidTransform
from radgs.io.cache_folder import CacheFolder
from radgs.kernels import begin_compiling
from radgs.networks import Networks, Reconstruction, load_generic
from radgs.networks.reconstruction import reconstruct_level
from radgs.pipeline.pose_uncertainty import pose_covariance
from radgs.pipeline.quality import LEVEL_DOUBT_SPACINGS, Evidence, NetworkPose, gather_evidence, judge
from radgs.pipeline.questions import open_questions
from radgs.pipeline.verdict import capped
from radgs.refine import refine
from radgs.refine.candidates import CLICK_SIGMA_MM
from radgs.versions import versions
from radgs.vertebra import VertebraAnatomy, build_vertebra_anatomy

#: Share of a level's progress that separating its vertebra takes; the rest is registration.
PREPARATION_SHARE = 0.7
#: How far off a pose is that a person brought to where the X-rays show the vertebra, one standard deviation.
NUDGED_SIGMA_MM = 2.0
#: Where refinement and judgement begin on the same scale.
REFINE_FROM, JUDGE_FROM = 0.73, 0.95


@dataclass(frozen=True)
class Progress:
    """Where a registration stands.

    Attributes:
        level: The vertebra being worked on.
        stage: "model", "reconstruct", "refine", "judge" or, where a view is solved for, "calibrate".
        fraction: Of the whole registration, 0 to 1.
        message: For people.
    """

    level: str
    stage: str
    fraction: float
    message: str


@dataclass(frozen=True, eq=False)
class Registration:
    """A result, with what led to it.

    Attributes:
        result: Poses and verdicts.
        vertebrae: By level: they serve overlays and further registrations.
        reconstructions: What the networks saw, by level; missing where a vertebra has no anatomical frame.
        evidence: What each level's verdict rests on.
    """

    result: RegistrationResult
    vertebrae: dict[str, VertebraAnatomy]
    reconstructions: dict[str, Reconstruction] = field(default_factory=dict)
    evidence: dict[str, Evidence] = field(default_factory=dict)


def register(
    case: RegistrationCase,
    *,
    device: str = "auto",
    vertebrae: Mapping[str, VertebraAnatomy] | None = None,
    networks: Mapping[str, Networks] | None = None,
    keep: Callable[[dict[str, VertebraAnatomy]], None] | None = None,
    progress: Callable[[Progress], None] | None = None,
    starts: Mapping[str, RigidTransform] | None = None,
    remembered: CacheFolder | None = None,
) -> Registration:
    """Registers every level of a case.

    Args:
        case: CT, labels, calibrated X-rays and a start per level.
        device: "auto", "cpu" or "cuda".
        vertebrae: Vertebrae of this CT separated earlier, by level; missing ones are built.
        networks: Networks prepared for this patient, by level; elsewhere the bundled generic ones serve.
        keep: Given each level's vertebra as soon as it is there, so that it outlives a registration cut short.
        progress: Told where things stand.
        starts: Poses to begin from in place of the case's starts, by level: a person brought them near the true ones,
            to ``NUDGED_SIGMA_MM``. Which level it is, the case's starts still say.
        remembered: Where what is made of a vertebra is kept for other processes; None: nowhere.

    Raises:
        RadgsError: The case cannot be registered as it is; the message says why and what to do.
    """
    case.validate()
    torch_device = choose_device(device)
    begin_compiling()  # beside the vertebra's model
    vertebrae = dict(vertebrae or {})
    chosen = {level.name: (networks or {}).get(level.name) or generic_networks() for level in case.levels}
    for level in case.levels:
        if chosen[level.name].prepared_for is not None:  # refused before the work, not after it
            made = vertebrae.get(level.name)
            centre = body_centre(case.labels, level.label) if made is None else made.centre
            chosen[level.name].check_fits(case.ct, level, centre)
    results: dict[str, LevelResult] = {}
    reconstructions: dict[str, Reconstruction] = {}
    evidence: dict[str, Evidence] = {}
    report = progress or _ignore
    for index, level in enumerate(case.levels):

        def tell(stage: str, fraction: float, message: str, level: Level = level, index: int = index) -> None:
            report(Progress(level.name, stage, (index + fraction) / len(case.levels), message))

        tell("model", 0.0, f"separating {level.name} from the CT")
        if level.name not in vertebrae:
            vertebrae[level.name] = build_vertebra_anatomy(
                case.ct,
                case.labels,
                level,
                partial(_tell_fitting, tell),
                remembered,
            )
        vertebra = vertebrae[level.name] = vertebrae[level.name].to(torch_device)
        if keep is not None:
            keep({level.name: vertebra})
        results[level.name], evidence[level.name], reconstruction = register_level(
            case, vertebra, chosen[level.name].to(torch_device), tell, (starts or {}).get(level.name)
        )
        if reconstruction is not None:
            reconstructions[level.name] = reconstruction
    result = RegistrationResult(
        levels=results,
        case_sha256=case.sha256,
        models={name: chosen[name].description for name in results},
        versions=versions(),
        device=str(torch_device),
    )
    return Registration(result, vertebrae, reconstructions, evidence)


@cache
def generic_networks() -> Networks:
    """The bundled networks, read once."""
    return load_generic()


def register_level(
    case: RegistrationCase,
    vertebra: VertebraAnatomy,
    networks: Networks,
    tell: Callable[[str, float, str], None] = lambda stage, fraction, message: None,
    nudged: RigidTransform | None = None,
) -> tuple[LevelResult, Evidence, Reconstruction | None]:
    """One vertebra, from the start that the user gave to a judged pose; what its verdict rests on, and what was seen.

    Args:
        case: The case, validated.
        vertebra: The vertebra.
        networks: RecM and RegM, on the vertebra's device.
        tell: Called with stage, fraction of this level, and a message.
        nudged: Where a person has brought the vertebra; the case's start is left then.
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

    proposals = [pose for pose in (regm, kabsch) if pose is not None]
    refinement = refine(case.views, vertebra, start, refining, proposals=proposals, start_sigma_mm=sigma_mm)
    tell("judge", JUDGE_FROM, "judging the result")
    evidence = gather_evidence(case.views, refinement, vertebra, network=_network_pose(regm, networks))
    names = [view.name for view in case.views]
    cautions = [*case.cautions, *_far_from_clicks(vertebra, refinement.ct_to_world, clicked, nudged)]
    verdict, reasons = capped(*judge(evidence, names), cautions)
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
    return result, evidence, reconstruction


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


def _tell_fitting(tell: Callable[[str, float, str], None], done: float) -> None:
    tell("model", PREPARATION_SHARE * done, "fitting radiative Gaussians")


def _ignore(_: Progress) -> None:
    """Progress that nobody watches."""


def choose_device(wanted: str) -> torch.device:
    """The device to compute on.

    Raises:
        RadgsError: The name is unknown, or there is no such device.
    """
    if wanted not in ("auto", "cpu", "cuda"):
        raise RadgsError(f'There is no device called "{wanted}".', "Choose auto, cpu or cuda.")
    if wanted == "cuda" and not torch.cuda.is_available():
        raise RadgsError(
            "PyTorch finds no CUDA device here.", "Choose auto or cpu, or install a CUDA build of PyTorch."
        )
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


def _similarities(evidence: Evidence, views: list[str]) -> dict[str, dict[str, float]]:
    pairs = np.column_stack([evidence.similarity_start, evidence.similarity_result])
    return {
        view: {"start": float(before), "result": float(after)}
        for view, (before, after) in zip(views, pairs, strict=True)
    }
