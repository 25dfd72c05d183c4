"""The whole story: two X-rays and a CT go in, a judged pose per vertebra comes out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from radgs.case import Level, RegistrationCase
from radgs.errors import RadgsError
from radgs.quality import Evidence, gather_evidence, judge
from radgs.refine import refine
from radgs.result import LevelResult, RegistrationResult
from radgs.versions import versions
from radgs.vertebra_model import VertebraModel, build_vertebra_model

#: Share of a level's progress that preparing its model takes; the rest is registration.
PREPARATION_SHARE = 0.7


@dataclass(frozen=True)
class Progress:
    """Where a registration stands.

    Attributes:
        level: The vertebra being worked on.
        stage: "model", "refine" or "judge".
        fraction: Of the whole registration, 0 to 1.
        message: For people.
    """

    level: str
    stage: str
    fraction: float
    message: str


@dataclass(frozen=True, eq=False)
class Registration:
    """A result, with the vertebra models that led to it: they serve overlays and further registrations."""

    result: RegistrationResult
    models: dict[str, VertebraModel]


def register(
    case: RegistrationCase,
    *,
    device: str = "auto",
    models: Mapping[str, VertebraModel] | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Registration:
    """Registers every level of a case.

    Args:
        case: CT, labels, calibrated X-rays and a start per level.
        device: "auto", "cpu" or "cuda".
        models: Vertebra models of this CT made earlier, by level; missing ones are built.
        progress: Told where things stand.

    Raises:
        RadgsError: The case cannot be registered as it is; the message says why and what to do.
    """
    case.validate()
    torch_device = choose_device(device)
    models = dict(models or {})
    results: dict[str, LevelResult] = {}
    report = progress or _ignore
    for index, level in enumerate(case.levels):

        def tell(stage: str, fraction: float, message: str, level: Level = level, index: int = index) -> None:
            report(Progress(level.name, stage, (index + fraction) / len(case.levels), message))

        tell("model", 0.0, f"taking the CT apart around {level.name}")
        if level.name not in models:
            models[level.name] = build_vertebra_model(
                case.ct,
                case.labels,
                level,
                partial(_tell_fitting, tell),
            )
        models[level.name] = models[level.name].to(torch_device)
        results[level.name] = register_level(case, models[level.name], tell)
    result = RegistrationResult(
        levels=results,
        case_sha256=case.sha256,
        models=dict.fromkeys(results, "articulated refinement; no network"),
        versions=versions(),
        device=str(torch_device),
    )
    return Registration(result, models)


def register_level(
    case: RegistrationCase,
    model: VertebraModel,
    tell: Callable[[str, float, str], None] = lambda stage, fraction, message: None,
) -> LevelResult:
    """One vertebra, from the start that the user gave to a judged pose.

    Args:
        case: The case, validated.
        model: The vertebra.
        tell: Called with stage, fraction of this level, and a message.
    """
    began = time.perf_counter()
    start = case.start_pose(model.level.name, model.centre)

    # RecM will reconstruct the vertebra here, and Kabsch and RegM turn the reconstruction into a better start.

    def refining(done: float, message: str) -> None:
        tell("refine", PREPARATION_SHARE + (0.95 - PREPARATION_SHARE) * done, message)

    refinement = refine(case.views, model, start, refining)
    tell("judge", 0.95, "judging the result")
    evidence = gather_evidence(refinement, model)
    names = [view.name for view in case.views]
    verdict, reasons = judge(evidence, names)
    tell("judge", 1.0, f"{model.level.name}: {verdict}")
    return LevelResult(
        ct_to_world=refinement.ct_to_world,
        verdict=verdict,
        predicted_error_mm={"surface_p95": evidence.surface_p95_mm},
        reasons=reasons,
        similarity=_similarities(evidence, names),
        stages={"start": start, "kabsch": None, "regm": None, "refined": refinement.ct_to_world},
        seconds=time.perf_counter() - began,
    )


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
