"""The case of a planned trial: where it starts, how its X-rays were taken, what of the CT is registered."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from radgs.case import InitialPose, RegistrationCase
from radgs.evaluation.full.plan import FullPlan, PlannedTrial, StartPlan
from radgs.evaluation.metrics import mtre
from radgs.evaluation.trials import BenchmarkSubject, trial_case
from radgs.geometry import FloatArray, RigidTransform, Volume, unit
from radgs.simulation import ArticulatedAnatomy, SimulationSettings
from radgs.simulation.articulated import simulate_clicks
from radgs.simulation.worlds import world_named

#: Draws of a start before one must have come into its bin.
MOST_DRAWS = 20_000
#: Lines along a slice's thickness that are averaged.
LINES_A_SLICE = 8


def settings_of(plan: FullPlan, planned: PlannedTrial) -> SimulationSettings:
    """What varies in a trial's X-rays."""
    cohort = plan.cohorts[planned.cohort]
    settings = SimulationSettings(detector_pixels=plan.detector_pixels, world=world_named(planned.world))
    value = planned.value if planned.value is not None else math.nan
    if cohort.kind == "view angle":
        return replace(settings, view_angle_deg=value, view_tilt_deg=0.0)
    if cohort.kind == "dose":
        return replace(settings, photons=(value, value))
    return settings


def planned_case(
    plan: FullPlan, planned: PlannedTrial, subject: BenchmarkSubject, anatomy: ArticulatedAnatomy, surface: FloatArray
) -> RegistrationCase:
    """The case of a trial, its CT as the world shows it; ``thick_slices`` is another step.

    Args:
        plan: The benchmark.
        planned: The trial.
        subject: Whose.
        anatomy: What ``subject.load`` returned.
        surface: (N, 3) points of the vertebra's surface in the CT, on which errors are measured, mm.
    """
    cohort, level = plan.cohorts[planned.cohort], planned.level
    case = trial_case(subject, anatomy, level, planned.index, plan.seed, settings_of(plan, planned))
    rng = np.random.default_rng([plan.seed, planned.index, 7, *f"{planned.cohort} {subject.name} {level}".encode()])
    truth, centre = case.truth[level], anatomy.centres[level]
    along, spacing_mm = spine_at(anatomy, level)
    along = truth.rotation @ along
    if cohort.kind == "pose":
        at = planned.index % cohort.start.bins
        pose = start_in_bin(truth, centre, surface, cohort.start, at, along, spacing_mm / 2, rng)
        return replace(case, initial={level: InitialPose({}, pose, cohort.start.sigma_mm)})
    if cohort.kind in ("click offset", "along the spine"):
        size = float(planned.value or 0.0)
        if cohort.kind == "along the spine":
            shift = along * size * spacing_mm * rng.choice([-1.0, 1.0])
        else:
            shift = size * direction_beside(along, size, spacing_mm / 2, rng)
        settings = replace(settings_of(plan, planned), click_error_mm=0.0)
        clicks = simulate_clicks(case.views, truth.apply(centre) + shift, settings, rng)
        return replace(case, initial={level: InitialPose(clicks, None)})
    return case


def spine_at(anatomy: ArticulatedAnatomy, level: str) -> tuple[FloatArray, float]:
    """(3,) the spine's direction at a level, towards the head, in the CT; and the distance to the next level, mm."""
    names = list(anatomy.levels)
    at = names.index(level)
    near = [anatomy.centres[name] for name in names[max(0, at - 1) : at + 2]]
    return unit(near[0] - near[-1]), float(np.linalg.norm(near[0] - near[-1]) / (len(near) - 1))


def direction_beside(along: FloatArray, size_mm: float, most_along_mm: float, rng: np.random.Generator) -> FloatArray:
    """(3,) a direction, of which ``size_mm`` leads at most ``most_along_mm`` up or down the spine ``along`` (3,)."""
    for _ in range(MOST_DRAWS):
        drawn = unit(rng.normal(size=3))
        if abs(drawn @ along) * size_mm <= most_along_mm:
            return drawn
    raise ValueError(f"no direction of {size_mm} mm stays within {most_along_mm} mm of the level")


def start_in_bin(
    truth: RigidTransform,
    centre_ct: FloatArray,
    surface: FloatArray,
    start: StartPlan,
    at: int,
    along: FloatArray,
    most_along_mm: float,
    rng: np.random.Generator,
) -> RigidTransform:
    """A start whose mTRE lies in a bin: shift and rotation of any size up to the largest, in any direction.

    Van de Kraats et al. (IEEE TMI 24, 2005) draw starts so that every interval of mTRE holds the same number.

    Args:
        truth: The true ct_to_world.
        centre_ct: (3,) the body's centre, about which it turns, in the CT, mm.
        surface: (N, 3) points in the CT, on which mTRE is measured, mm.
        start: How far off starts may be.
        at: Number of the bin, from 0.
        along: (3,) the spine's direction in the world.
        most_along_mm: A shift goes at most so far along it, so that the level stays the nearest.
        rng: Source of chance.

    Raises:
        ValueError: No draw came into the bin.
    """
    low, high = at * start.bin_mm, (at + 1) * start.bin_mm
    centre, few = truth.apply(centre_ct), surface[:: max(1, len(surface) // 200)]
    for _ in range(MOST_DRAWS):
        # No further than the bin, or hardly a draw would come into the nearest ones.
        shift = unit(rng.normal(size=3)) * rng.uniform(0.0, min(start.shift_mm, high + start.bin_mm))
        rotation = unit(rng.normal(size=3)) * np.radians(rng.uniform(0.0, start.rotation_deg))
        if abs(shift @ along) > most_along_mm:
            continue
        pose = truth.rotated_about(centre, rotation, shift)
        if low <= mtre(few, truth, pose) < high and low <= mtre(surface, truth, pose) < high:
            return pose
    raise ValueError(f"no start of {low} to {high} mm was drawn")


def thick_slices(ct: Volume, labels: Volume, thickness_mm: float) -> tuple[Volume, Volume]:
    """CT and labels in slices of a thickness along k, without gaps: means of the CT, labels of the slices' middles.

    Args:
        ct: (D, H, W) Hounsfield units.
        labels: Label map on any grid.
        thickness_mm: At least the CT's own, which leaves it as it is.

    Raises:
        ValueError: The CT's own slices are thicker.
    """
    own = float(ct.spacing[2])
    if thickness_mm < own - 1e-6:
        raise ValueError(f"slices of {own} mm cannot be made {thickness_mm} mm thin")
    if thickness_mm < own + 1e-6:
        return ct, labels
    step = thickness_mm / own
    count = int(ct.array.shape[0] / step)
    lines = (np.arange(LINES_A_SLICE) + 0.5) / LINES_A_SLICE
    at = ((np.arange(count)[:, None] + lines[None, :]) * step - 0.5).clip(0, ct.array.shape[0] - 1)
    below = np.minimum(at.astype(int), ct.array.shape[0] - 2)
    share = (at - below) / LINES_A_SLICE
    weights = np.zeros((count, ct.array.shape[0]), np.float32)
    rows = np.broadcast_to(np.arange(count)[:, None], at.shape)
    np.add.at(weights, (rows, below), 1.0 / LINES_A_SLICE - share)
    np.add.at(weights, (rows, below + 1), share)
    thick = np.tensordot(weights, ct.array.astype(np.float32), axes=1)
    index_to_own = np.diag([1.0, 1.0, step, 1.0])
    index_to_own[2, 3] = (step - 1.0) / 2
    index_to_ras = ct.index_to_ras @ index_to_own
    shown = Volume(thick, index_to_ras)
    return shown, Volume(labels.resampled_to(shown, order=0).array.astype(labels.array.dtype), index_to_ras)
