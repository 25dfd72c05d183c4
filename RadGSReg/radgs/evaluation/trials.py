"""Registrations of simulated X-rays, one after the other, each scored against the truth it was made from."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from radgs.case import STAGES, LevelResult, Reason, RegistrationCase, RegistrationResult, Verdict
from radgs.drr import WATER
from radgs.errors import RadgsError
from radgs.evaluation.metrics import mtre, rotation_error, target_errors, volume_similarity
from radgs.geometry import FloatArray, RigidTransform, Volume
from radgs.geometry.roi import roi_index_to_ras, roi_to_world
from radgs.io.json_fields import nan_for_null, null_for_nan
from radgs.networks import Networks, Reconstruction
from radgs.networks.recm.loss import OCCUPIED
from radgs.overlay.contours import Contours
from radgs.pipeline import Registration, register
from radgs.simulation import ArticulatedAnatomy, SimulationSettings, simulate_case
from radgs.simulation.worlds import CLEAN_NAME
from radgs.vertebra import PosedVertebra, VertebraAnatomy, build_vertebra_anatomy

TrialKey = tuple[str, str, str, int, int, str]
#: Fields of a trial that name numbers, any of which may not exist: where nothing is reconstructed, nothing correlates.
OF_NUMBERS = ("stages_mm", "reconstruction", "grounds")


@dataclass(frozen=True, eq=False)
class BenchmarkSubject:
    """One CT to run trials on.

    Attributes:
        name: Who it is; trials are split by it.
        cohort: What kind of data, e.g. "phantom" or "real CT"; cohorts are reported apart.
        levels: Vertebrae to register.
        load: Reads or makes the anatomy; called once, and only when trials are due.
        networks: Networks prepared for this subject, by level; elsewhere the generic ones serve.
    """

    name: str
    cohort: str
    levels: tuple[str, ...]
    load: Callable[[], ArticulatedAnatomy]
    networks: Mapping[str, Networks] = field(default_factory=dict)


@dataclass(frozen=True)
class Trial:
    """One registration and its score; lengths in mm, angles in degrees, NaN where there is none.

    Attributes:
        cohort, patient, level, index, seed: Which trial it is; with the world, they always mean the same images.
        mtre_mm: Of the result; NaN without a pose.
        surface_p95_mm: 95th percentile of the surface's true error.
        predicted_p95_mm: What the registration said that would be.
        rotation_deg: Rotation error of the result.
        start_rotation_deg: Rotation error of the start.
        click_offset_mm: Distance of the triangulated clicks from the body's centre.
        stages_mm: mTRE after each stage that ran.
        reconstruction: Scores of RecM's volume against the CT's vertebra at its true pose: "ssim_3d" and "psnr_3d_db"
            over the ROI, "ssim_inside" and "psnr_inside_db" inside the mask dilated by 3 mm; "ghost_share" and
            "correlation" as in ``evaluation.diagnosis``; empty without one.
        verdict: The registration's.
        reasons: Codes of its grounds.
        seconds: Registration, the vertebra's anatomy at hand.
        preparation_seconds: Separating the vertebra from the CT, and fitting Gaussians to it.
        grounds: What the verdict rests on, see ``Evidence.grounds``; empty for a case that was refused.
        pedicle_mm: Error at the middle of a pedicle, the one of the two that is further off for what was predicted.
        predicted_pedicle_mm: Within which distance the registration said it lies, with a probability of 95 %.
        world: Where the images come from; patient, poses and views of one index are the same in every world.
    """

    cohort: str
    patient: str
    level: str
    index: int
    seed: int
    mtre_mm: float
    surface_p95_mm: float
    predicted_p95_mm: float
    rotation_deg: float
    start_rotation_deg: float
    click_offset_mm: float
    stages_mm: dict[str, float]
    reconstruction: dict[str, float]
    verdict: Verdict
    reasons: tuple[str, ...]
    seconds: float
    preparation_seconds: float
    world: str = CLEAN_NAME
    grounds: dict[str, float] = field(default_factory=dict)
    pedicle_mm: float = math.nan
    predicted_pedicle_mm: float = math.nan

    @property
    def group(self) -> str:
        """Cohort and world, as reported: what is measured in different worlds is never pooled."""
        return self.cohort if self.world == CLEAN_NAME else f"{self.cohort}, {self.world}"

    @property
    def vertebra(self) -> str:
        """The vertebra, unique over patients."""
        return f"{self.patient} {self.level}"

    @property
    def key(self) -> TrialKey:
        """Which trial it is."""
        return self.cohort, self.patient, self.level, self.index, self.seed, self.world

    @property
    def start_mm(self) -> float:
        """MTRE of the start."""
        return self.stages_mm.get("start", math.nan)

    def to_json_dict(self) -> dict[str, Any]:
        """The trial's fields; numbers that do not exist become null."""
        values = asdict(self)
        for part in OF_NUMBERS:
            values[part] = {name: null_for_nan(value) for name, value in values[part].items()}
        return {name: null_for_nan(value) if isinstance(value, float) else value for name, value in values.items()}

    @classmethod
    def from_json_dict(cls, values: dict[str, Any]) -> Trial:
        """Reads what ``to_json_dict`` wrote."""
        # Logs are older than the last fields, which have a default.
        given = {field.name: values[field.name] for field in fields(cls) if field.name in values}
        given = {name: nan_for_null(value) for name, value in given.items()}
        for part in given.keys() & OF_NUMBERS:
            given[part] = {name: nan_for_null(value) for name, value in given[part].items()}
        return cls(**{**given, "reasons": tuple(given["reasons"])})


def trial_case(
    subject: BenchmarkSubject,
    anatomy: ArticulatedAnatomy,
    level: str,
    index: int,
    seed: int,
    settings: SimulationSettings,
) -> RegistrationCase:
    """The case of one trial, for a closer look at it.

    Args:
        subject: Whose trial.
        anatomy: What ``subject.load`` returned.
        level: The vertebra.
        index: The trial's number.
        seed: The run's seed.
        settings: The run's settings.
    """
    rng = np.random.default_rng([seed, index, *f"{subject.cohort} {subject.name} {level}".encode()])
    return simulate_case(anatomy, level, rng, settings)


def append_line(path: Path, line: str) -> None:
    """Adds a line to a file; one that an interruption cut off stays a line of its own."""
    cut_off = path.is_file() and not path.read_bytes().endswith(b"\n")
    with path.open("a", encoding="utf-8") as stream:
        stream.write("\n" * cut_off + line + "\n")


def append_trial(path: Path, trial: Trial) -> None:
    """Adds a trial to a file of JSON lines."""
    append_line(path, json.dumps(trial.to_json_dict(), allow_nan=False))


def read_trials(path: Path) -> list[Trial]:
    """The trials in a file of JSON lines, none without the file; a last line cut off by an interruption is left out."""
    if not path.is_file():
        return []
    trials = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            trials.append(Trial.from_json_dict(json.loads(line)))
        except json.JSONDecodeError:
            continue
    return trials


@dataclass(frozen=True, eq=False)
class TimedAnatomy:
    """A vertebra's anatomy, how long it took to build (s), and the middles (P, 3) of its pedicles, the CT's RAS."""

    vertebra: VertebraAnatomy
    seconds: float
    pedicles: FloatArray

    @classmethod
    def of(cls, case: RegistrationCase, level: str) -> TimedAnatomy:
        """Builds it."""
        begin = time.perf_counter()
        vertebra = build_vertebra_anatomy(case.ct, case.labels, case.level(level))
        # Parts are made at first use: that, too, is preparation.
        _ = vertebra.vertebra_part, vertebra.neighbour_parts, vertebra.surroundings_part, vertebra.whole_part
        seconds = time.perf_counter() - begin
        contours = Contours.of(case.labels, vertebra.level.label, vertebra.frame_to_ct)
        landmarks = contours.landmarks(vertebra.frame_to_ct)
        pedicles = [point for name, point in landmarks.items() if name.endswith("pedicle")]
        return cls(vertebra, seconds, np.reshape(pedicles, (-1, 3)))


def run_trial(
    subject: BenchmarkSubject,
    anatomy: ArticulatedAnatomy,
    case: RegistrationCase,
    prepared: TimedAnatomy,
    index: int,
    seed: int,
    device: str = "auto",
    world: str = CLEAN_NAME,
) -> Trial:
    """Registers one case and scores it.

    Args:
        subject: Whose case.
        anatomy: What ``subject.load`` returned.
        case: With its truth.
        prepared: The vertebra's anatomy.
        index: The trial's number.
        seed: The run's seed.
        device: Where to register.
        world: Name of the one that the case comes from.
    """
    level = prepared.vertebra.level.name
    begin = time.perf_counter()
    outcome = _register(case, prepared.vertebra, subject.networks, device)
    seconds = time.perf_counter() - begin
    trial = _scored(
        subject, index, seed, case, outcome.result.levels[level], prepared.vertebra, (seconds, prepared.seconds)
    )
    known = outcome.evidence.get(level)
    trial = replace(trial, world=world, grounds={} if known is None else known.grounds)
    trial = _with_pedicles(trial, outcome.result.levels[level], case.truth[level], prepared.pedicles)
    seen = outcome.reconstructions.get(level)
    if seen is None:
        return trial
    return replace(trial, reconstruction=_reconstruction_scores(seen, case, anatomy, level))


def _with_pedicles(trial: Trial, result: LevelResult, truth: RigidTransform, pedicles: FloatArray) -> Trial:
    pose, covariance = result.ct_to_world, result.covariance
    if pose is None or covariance is None or not len(pedicles):
        return trial
    found = pose.apply(pedicles)
    off, predicted = np.linalg.norm(found - truth.apply(pedicles), axis=1), covariance.distances_95(found)
    worse = int(np.argmax(off / predicted))
    return replace(trial, pedicle_mm=float(off[worse]), predicted_pedicle_mm=float(predicted[worse]))


def _register(
    case: RegistrationCase, vertebra: VertebraAnatomy, networks: Mapping[str, Networks], device: str
) -> Registration:
    """The registration; a case that is refused counts as one without a pose."""
    vertebrae = {vertebra.level.name: vertebra}
    try:
        return register(case, device=device, vertebrae=vertebrae, networks=networks)
    except RadgsError as error:
        refused = LevelResult(None, "reject", reasons=(Reason("refused", str(error)),))
        return Registration(RegistrationResult({vertebra.level.name: refused}), vertebrae)


def _reconstruction_scores(
    seen: Reconstruction, case: RegistrationCase, anatomy: ArticulatedAnatomy, level: str
) -> dict[str, float]:
    voxels = seen.volume.shape[0]
    ct_to_roi = roi_to_world(seen.roi_centre).inverse() @ case.truth[level]
    grid = roi_index_to_ras(voxels)
    truth = Volume(PosedVertebra(anatomy.excess[level], voxels).posed(ct_to_roi).numpy(), grid)
    like = volume_similarity(Volume(seen.volume.cpu().numpy(), grid), truth, truth.array > OCCUPIED * WATER)
    return {
        "ssim_3d": like.roi.ssim,
        "psnr_3d_db": like.roi.psnr_db,
        "ssim_inside": like.inside.ssim,
        "psnr_inside_db": like.inside.psnr_db,
        "ghost_share": like.ghost_share,
        "correlation": like.correlation,
    }


def _scored(
    subject: BenchmarkSubject,
    index: int,
    seed: int,
    case: RegistrationCase,
    result: LevelResult,
    vertebra: VertebraAnatomy,
    seconds: tuple[float, float],
) -> Trial:
    level = vertebra.level.name
    truth = case.truth[level]
    start = case.start_pose(level, vertebra.centre)
    clicked = case.triangulated_centre(level)
    pose = result.ct_to_world
    return Trial(
        cohort=subject.cohort,
        patient=subject.name,
        level=level,
        index=index,
        seed=seed,
        mtre_mm=math.nan if pose is None else mtre(vertebra.surface, truth, pose),
        surface_p95_mm=math.nan if pose is None else target_errors(vertebra.surface, truth, pose).p95,
        predicted_p95_mm=result.predicted_error_mm.get("surface_p95", math.nan),
        rotation_deg=math.nan if pose is None else math.degrees(rotation_error(truth, pose)),
        start_rotation_deg=math.degrees(rotation_error(truth, start)),
        click_offset_mm=math.nan if clicked is None else float(np.linalg.norm(clicked - truth.apply(vertebra.centre))),
        stages_mm=_stage_errors(result, truth, vertebra) | {"start": mtre(vertebra.surface, truth, start)},
        reconstruction={},
        verdict=result.verdict,
        reasons=tuple(reason.code for reason in result.reasons),
        seconds=seconds[0],
        preparation_seconds=seconds[1],
    )


def _stage_errors(result: LevelResult, truth: RigidTransform, vertebra: VertebraAnatomy) -> dict[str, float]:
    poses = {stage: result.stages.get(stage) for stage in STAGES}
    return {stage: mtre(vertebra.surface, truth, pose) for stage, pose in poses.items() if pose is not None}
