"""Registration: from two X-rays and a CT to a judged pose per vertebra.

RecM reconstructs the vertebra as radiative Gaussians, the voxelizer makes a volume of them, Kabsch and RegM bring the
CT onto it, refinement matches the pose to the X-rays themselves, and the result is judged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial

import torch

from radgs.anatomy import body_centre
from radgs.case import Level, RegistrationCase, RegistrationResult
from radgs.errors import CaseError, RadgsError
from radgs.geometry import RigidTransform
from radgs.io.cache_folder import CacheFolder
from radgs.kernels import begin_compiling
from radgs.networks import Networks, Reconstruction, load_generic
from radgs.pipeline.one_level import PREPARATION_SHARE, RegisteredLevel, register_level
from radgs.pipeline.quality import Evidence
from radgs.pipeline.several_levels import Tell, believed_neighbours, register_beside_or_alone, register_each
from radgs.versions import versions
from radgs.vertebra import VertebraAnatomy, build_vertebra_anatomy


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
        result: Poses and verdicts, of levels that could not be registered too.
        vertebrae: By level that could be registered: they serve overlays and further registrations.
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
    """Registers every level of a case, each beside those that were found before it (``several_levels``).

    A level that cannot be registered keeps no other from it: its result has no pose, and says why.

    Args:
        case: CT, labels, calibrated X-rays and a start per level.
        device: "auto", "cpu" or "cuda".
        vertebrae: Vertebrae of this CT separated earlier, by level; missing ones are built.
        networks: Networks prepared for this patient, by level; elsewhere the bundled generic ones serve.
        keep: Given each level's vertebra as soon as it is there, so that it outlives a registration cut short.
        progress: Told where things stand.
        starts: Poses to begin from in place of the case's starts, by level: a person brought them near the true ones,
            to ``one_level.NUDGED_SIGMA_MM``. Which level it is, the case's starts still say.
        remembered: Where what is made of a vertebra is kept for other processes; None: nowhere.

    Raises:
        RadgsError: The case cannot be registered as it is, or none of its levels can, and then the first error's
            message says why and what to do; or a prepared network is not of this patient.
    """
    refused = case.problems_of_levels()
    usable = [level for level in case.levels if level.name not in refused]
    torch_device = choose_device(device)
    begin_compiling()  # beside the vertebra's model
    vertebrae = dict(vertebrae or {})
    chosen = {level.name: (networks or {}).get(level.name) or generic_networks() for level in usable}
    for level in usable:
        _refuse_misfit(case, level, chosen[level.name], vertebrae.get(level.name))
    report = progress or _ignore

    def separated(level: Level, tell: Tell) -> VertebraAnatomy:
        tell("model", 0.0, f"separating {level.name} from the CT")
        if level.name not in vertebrae:
            fitting = partial(_tell_fitting, tell)
            vertebrae[level.name] = build_vertebra_anatomy(case.ct, case.labels, level, fitting, remembered)
        vertebra = vertebrae[level.name] = vertebrae[level.name].to(torch_device)
        if keep is not None:
            keep({level.name: vertebra})
        return vertebra

    def register_one(level: Level, beside: Sequence[RegisteredLevel], tell: Tell) -> RegisteredLevel:
        return register_level(
            case,
            vertebrae[level.name],
            chosen[level.name].to(torch_device),
            tell,
            (starts or {}).get(level.name),
            beside,
        )

    def register_in_turn(level: Level, before: Mapping[str, RegisteredLevel], tell: Tell) -> RegisteredLevel:
        vertebra = separated(level, tell)
        beside = [] if level.name in (starts or {}) else believed_neighbours(vertebra, before)
        return register_beside_or_alone(level, beside, register_one, tell)

    def telling(level: Level, done: int) -> Tell:
        return _telling(report, level.name, done, len(case.levels))

    registered, failed = register_each(case.levels, refused, register_in_turn, telling)
    in_order = {level.name: registered[level.name] for level in case.levels if level.name in registered}
    results = {**failed, **{name: level.result for name, level in in_order.items()}}
    result = RegistrationResult(
        levels={level.name: results[level.name] for level in case.levels},
        case_sha256=case.sha256,
        models={name: chosen[name].description for name in in_order},
        versions=versions(),
        device=str(torch_device),
    )
    seen = {name: level.reconstruction for name, level in in_order.items()}
    return Registration(
        result,
        {name: vertebrae[name] for name in in_order},
        {name: reconstruction for name, reconstruction in seen.items() if reconstruction is not None},
        {name: level.evidence for name, level in in_order.items()},
    )


@cache
def generic_networks() -> Networks:
    """The bundled networks, read once."""
    return load_generic()


def _refuse_misfit(case: RegistrationCase, level: Level, networks: Networks, made: VertebraAnatomy | None) -> None:
    """Refuses networks that were prepared for another vertebra before the work, not after it.

    Raises:
        CaseError: They do not fit.
    """
    if networks.prepared_for is None:
        return
    try:
        centre = body_centre(case.labels, level.label) if made is None else made.centre
    except CaseError:
        return  # a fault of the level, not of the networks: it is told when the level's turn has come
    networks.check_fits(case.ct, level, centre)


def _telling(report: Callable[[Progress], None], name: str, done: int, levels: int) -> Tell:
    """Tells of one level's stages as shares of the whole, which never falls: a level may be begun anew."""
    told = 0.0

    def tell(stage: str, fraction: float, message: str) -> None:
        nonlocal told
        told = max(told, fraction)
        report(Progress(name, stage, (done + told) / levels, message))

    return tell


def _tell_fitting(tell: Tell, done: float) -> None:
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
