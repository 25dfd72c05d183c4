"""Judging a pose: its predicted error, whether the images single it out, whether it is where the user clicked.

A residual is not an accuracy: on X-rays full of ribs and bowel a wrong pose can leave a small one. The verdict rests on
several grounds that fail differently, and "check" or "reject" always says which.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from radgs.case import Reason, Verdict
from radgs.case.result import ACCEPT_P95_MM
from radgs.geometry import FloatArray, RigidTransform, XRayView, mean_distance, unit
from radgs.pipeline.geometry_uncertainty import geometry_covariance
from radgs.pipeline.orientation import FlipTrial, flip_findings, telling, try_flips
from radgs.pipeline.pose_uncertainty import CALIBRATION
from radgs.pipeline.view_consistency import ViewWish, disagreement_mm, lost_edges, view_findings, view_wishes
from radgs.refine import OtherLevel, Refinement
from radgs.refine.matching import GAIN_REACH_MM, Match
from radgs.refine.solver import SILHOUETTE_THRESHOLD, TWIST_SCALE
from radgs.refine.whole_ct import POOR_START
from radgs.threads import map_concurrently, one_thread
from radgs.vertebra import VertebraAnatomy

#: Predicted 95th-percentile surface error (mm) beyond which a pose is rejected; ``ACCEPT_P95_MM`` is what is accepted.
REJECT_P95_MM = 5.0
#: Robust gradient correlation on the vertebra, worst view. Where a CT is cut or scatter is strong, the right pose
#: explains less of the images, 0.65 at times; what tells a wrong pose then are the views, see ``view_consistency``.
ACCEPT_SIMILARITY, REJECT_SIMILARITY = 0.65, 0.5
#: Scatter and metal make right poses resemble little: where nothing else speaks against one, it is rejected below this.
#: Of 3,900 logged trials, right and wrong inputs, seven were rejected for their similarity alone, all of them right.
ALONE_SIMILARITY = 0.3
#: By what fraction the unexplained part of the images must rise, on average, at wrong poses.
ACCEPT_DISTINCTION, REJECT_DISTINCTION = 0.10, 0.02
#: How far (mean over the surface, mm) the vertebra moved against the CT as scanned.
ACCEPT_ARTICULATION_MM, REJECT_ARTICULATION_MM = 6.0, 12.0
#: Further than this from every pose that refinement could begin at (mean over the surface, mm), it went astray.
REJECT_STRAY_MM = 10.0
#: RegM may differ from the result by this many times what 95 % of its poses were off by in training; and by this much
#: at least, mm.
DISAGREEMENT_FACTOR, MIN_DISAGREEMENT_MM = 2.0, 4.0
#: Further from the click than this fraction of the distance between neighbouring levels, the next level is as near.
LEVEL_DOUBT_SPACINGS = 0.5
#: By how much more the images may resemble the CT with the vertebra one level away: not at all; this much rejects.
ACCEPT_OTHER_LEVEL, REJECT_OTHER_LEVEL = 0.0, 0.1

#: So many grounds for a check at once, which fail differently, reject.
MANY_GROUNDS = 3

#: The scale at which similarities are compared, mm, and how many of refinement's pixels show as much together.
SIMILARITY_SIGMA_MM, SIMILARITY_BINNING = 2.0, 2
#: Wrong poses: this many, displaced by this much (mean over the surface), within the reach of a careful eye's doubt.
WRONG_POSES = 24
WRONG_POSE_MM = 4.0
#: So many of them are drawn in one pass, at two thirds of what one at a time takes; more outgrow a core's cache.
POSES_AT_ONCE = 4


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known about a refined pose.

    Attributes:
        surface_p95_mm: 95th percentile over surface and pose uncertainty of the predicted error.
        similarity_start, similarity_result: (V,) gradient correlation on the vertebra's pixels.
        similarity_robust: (V,) the result's, pixels weighed down that something else crosses, such as a screw.
        distinction: Mean rise of the unexplained gradient energy at wrong poses, as a fraction of the result's.
        beaten_by: Fraction of wrong poses that leave no more unexplained.
        articulation_mm: Mean surface distance between the pose and that of the CT as scanned.
        whole_similarity: Gradient correlation of the CT as scanned, worst view: how far its pose can be believed.
        from_click_mm: Distance of the body's centre from where the user placed it.
        level_spacing_mm: Distance between neighbouring levels.
        other_level: What a start one level above or below leads to.
        network_mm: Mean surface distance between the networks' pose and the result; NaN without one.
        network_usual_mm: What to expect of that distance.
        stray_mm: Distance of the result from the nearest of the poses that refinement could begin at.
        flips: Every view compared with the CT turned over.
        wishes: What each view still wants in its own plane.
    """

    surface_p95_mm: float
    similarity_start: NDArray[np.float64]
    similarity_result: NDArray[np.float64]
    similarity_robust: NDArray[np.float64]
    distinction: float
    beaten_by: float
    articulation_mm: float
    from_click_mm: float
    level_spacing_mm: float
    other_level: OtherLevel
    whole_similarity: float = 1.0
    network_mm: float = float("nan")
    network_usual_mm: float = float("inf")
    stray_mm: float = 0.0
    flips: tuple[FlipTrial, ...] = ()
    wishes: tuple[ViewWish, ...] = ()

    @property
    def grounds(self) -> dict[str, float]:
        """What a verdict is made of, a number each, so that it can be logged and limits be set from many of them."""
        flips = [trial for trial in telling(self.flips) if trial.hidden]
        worst = max(flips, key=lambda trial: trial.advantage, default=None)
        return {
            "uncertain_mm": self.surface_p95_mm,
            "similarity": float(np.min(self.similarity_result)),
            "similarity_robust": float(np.min(self.similarity_robust)),
            "distinction": self.distinction,
            "beaten_by": self.beaten_by,
            "articulation_mm": self.articulation_mm,
            "whole_similarity": self.whole_similarity,
            "click_spacings": self.from_click_mm / self.level_spacing_mm,
            "other_level": self.other_level.advantage,
            "stray_mm": self.stray_mm,
            "network_mm": self.network_mm,
            "views_mm": float(sum(wish.size_mm for wish in self.wishes)),
            "views_squares": float(sum(wish.squares for wish in self.wishes)),
            "views_squares_of_all": float(sum(wish.squares_of_all * wish.explained**2 for wish in self.wishes)),
            "likeness_lost": lost_edges(self.wishes),
            "flip_advantage": float("nan") if worst is None else worst.advantage,
            "flip_flipped": float("nan") if worst is None else worst.flipped,
            "flip_power": max((trial.power for trial in flips), default=0.0),
            "around_similarity": min((trial.as_given for trial in flips), default=float("nan")),
        }


@dataclass(frozen=True, eq=False)
class NetworkPose:
    """A pose that the networks found before refinement, and how far off such poses usually are (95 %), mm."""

    ct_to_world: RigidTransform
    usual_p95_mm: float


@torch.no_grad()
@one_thread()
def gather_evidence(
    views: Sequence[XRayView],
    refinement: Refinement,
    vertebra: VertebraAnatomy,
    seed: int = 0,
    network: NetworkPose | None = None,
    flips: tuple[FlipTrial, ...] | None = None,
) -> Evidence:
    """Measures everything the verdict rests on.

    Args:
        views: The X-rays.
        refinement: The pose to be judged, and what led to it.
        vertebra: The vertebra.
        seed: Of the wrong poses that are tried.
        network: The networks' pose, where there is one: found on another way, it should agree.
        flips: How every view compares with the CT turned over, where that is known already; None: it is tried.
    """
    result = refinement.ct_to_world
    observation = refinement.observation.binned(SIMILARITY_BINNING)
    parts, poses = refinement.parts, refinement.final.poses
    filters = observation.gradient_filters(SIMILARITY_SIGMA_MM / observation.pixel_mm)

    def gradients(images: torch.Tensor) -> torch.Tensor:
        return observation.gradients(images, filters)

    target = gradients(observation.images)

    def image(pose_of_part: Sequence[RigidTransform], which: Sequence[int]) -> torch.Tensor:
        images = [torch.stack([parts[i].render(pose_of_part[i], g) for g in observation.geometries]) for i in which]
        return torch.stack(images).sum(dim=0)

    surroundings = image(poses, range(1, len(parts)))
    sought = image(poses, [0])
    on_vertebra = (observation.valid > 0.99) * (sought.abs() > SILHOUETTE_THRESHOLD)
    match = Match(target, on_vertebra, GAIN_REACH_MM / observation.pixel_mm, shared_samples=1.0)

    found = gradients(surroundings + sought)
    started = gradients(image([refinement.start] * len(parts), range(len(parts))))
    weight = match.robust_weight(found)
    unexplained = match.cost(found, weight)

    def unexplained_at(wrong: Sequence[RigidTransform]) -> list[float]:
        drawn = [vertebra.vertebra_part.render_poses(wrong, geometry) for geometry in observation.geometries]
        return [match.cost(gradients(surroundings + one), weight) for one in torch.stack(drawn, dim=1)]

    centre = result.apply(vertebra.centre)
    elsewhere = wrong_poses(result, centre, vertebra.surface, np.random.default_rng(seed))
    batches = [elsewhere[first : first + POSES_AT_ONCE] for first in range(0, len(elsewhere), POSES_AT_ONCE)]
    wrong = np.concatenate(map_concurrently(unexplained_at, batches))
    wishes = view_wishes(refinement, vertebra, [view.name for view in views])
    lever_arms = result.apply(vertebra.surface) - centre
    by_geometry = geometry_covariance(views, result.apply(vertebra.surface), centre)
    # What the views cannot agree on is, as far as anybody knows, as large in the directions that no view can show.
    predicted = predicted_surface_error(refinement.final.information, lever_arms, seed, by_geometry)
    return Evidence(
        surface_p95_mm=CALIBRATION * float(np.hypot(predicted, disagreement_mm(wishes))),
        similarity_start=match.correlation(started),
        similarity_result=match.correlation(found),
        similarity_robust=replace(match, pixel_weight=weight).correlation(found),
        distinction=float(wrong.mean() / max(unexplained, 1e-12) - 1.0),
        beaten_by=float((wrong <= unexplained).mean()),
        articulation_mm=mean_distance(vertebra.surface, refinement.whole.poses[0], result),
        from_click_mm=float(np.linalg.norm(centre - refinement.start.apply(vertebra.centre))),
        level_spacing_mm=vertebra.level_spacing_mm,
        other_level=refinement.other_level,
        whole_similarity=float(refinement.whole.correlation.min()),
        network_mm=float("nan") if network is None else mean_distance(vertebra.surface, network.ct_to_world, result),
        network_usual_mm=float("inf") if network is None else network.usual_p95_mm,
        stray_mm=refinement.stray_mm,
        flips=try_flips(views, vertebra, refinement) if flips is None else flips,
        wishes=wishes,
    )


def predicted_surface_error(
    information: NDArray[np.float64],
    lever_arms: FloatArray,
    seed: int = 0,
    by_geometry: NDArray[np.float64] | None = None,
) -> float:
    """95th percentile of the surface's displacement (mm) under the pose's covariance.

    Args:
        information: (6, 6) inverse covariance of the twist about the body's centre, in units of ``TWIST_SCALE``.
        lever_arms: (N, 3) surface points relative to that centre, mm.
        seed: Of the sampling.
        by_geometry: (6, 6) covariance that the views' own uncertainty adds, in the same units.
    """
    if not np.isfinite(information).all():
        return float("inf")
    try:
        covariance = np.linalg.inv(information + 1e-9 * np.eye(6))
        root = np.linalg.cholesky(covariance if by_geometry is None else covariance + by_geometry)
    except np.linalg.LinAlgError:
        return float("inf")
    twists = np.random.default_rng(seed).normal(size=(256, 6)) @ root.T * TWIST_SCALE
    points = lever_arms[:: max(1, len(lever_arms) // 200)]
    displacement = np.cross(twists[:, None, :3], points[None]) + twists[:, None, 3:]
    return float(np.percentile(np.linalg.norm(displacement, axis=-1), 95))


def wrong_poses(
    pose: RigidTransform, centre: FloatArray, surface: FloatArray, rng: np.random.Generator
) -> list[RigidTransform]:
    """Poses around a pose whose surface is displaced by ``WRONG_POSE_MM`` on average, in random directions."""
    poses = []
    for _ in range(WRONG_POSES):
        twist = unit(rng.normal(size=6)) * TWIST_SCALE
        candidate = pose.rotated_about(centre, twist[:3], twist[3:])
        scale = WRONG_POSE_MM / mean_distance(surface, pose, candidate)
        poses.append(pose.rotated_about(centre, twist[:3] * scale, twist[3:] * scale))
    return poses


def judge(evidence: Evidence, views: Sequence[str]) -> tuple[Verdict, tuple[Reason, ...]]:
    """The verdict, and a reason for every ground on which it is not "accept"."""
    findings: list[tuple[Verdict, Reason]] = []

    def weigh(value: float, accept: float, reject: float, code: str, message: str) -> None:
        """Larger is worse; equal to ``accept`` still passes."""
        if not value <= accept:
            findings.append(("reject" if not value <= reject else "check", Reason(code, message)))

    weigh(
        evidence.surface_p95_mm,
        ACCEPT_P95_MM,
        REJECT_P95_MM,
        "uncertain",
        f"The images leave the pose uncertain: the vertebra's surface may be off by {evidence.surface_p95_mm:.1f} mm.",
    )
    worst = int(np.argmin(evidence.similarity_robust))
    lowest = float(evidence.similarity_robust[worst])
    weigh(
        -lowest,
        -ACCEPT_SIMILARITY,
        -REJECT_SIMILARITY,
        "dissimilar",
        f"The model explains view {views[worst]} poorly: gradient correlation {lowest:.2f} on the vertebra.",
    )
    weigh(
        -evidence.distinction,
        -ACCEPT_DISTINCTION,
        -REJECT_DISTINCTION,
        "indistinct",
        f"The pose barely stands out: moved by {WRONG_POSE_MM:.0f} mm, the vertebra leaves only "
        f"{evidence.distinction:.0%} more of the X-rays unexplained.",
    )
    weigh(
        evidence.beaten_by,
        0.0,
        0.1,
        "beaten",
        f"{evidence.beaten_by:.0%} of poses {WRONG_POSE_MM:.0f} mm away match the X-rays no worse.",
    )
    weigh(
        # Where the whole CT, cut, under haze or a bone alone, hardly resembles the X-rays, its own pose is wrong: right
        # ones were seen 34 mm from it.
        evidence.articulation_mm if evidence.whole_similarity >= POOR_START else 0.0,
        ACCEPT_ARTICULATION_MM,
        REJECT_ARTICULATION_MM,
        "articulation",
        f"The vertebra moved {evidence.articulation_mm:.1f} mm against the rest of the CT.",
    )
    weigh(
        evidence.from_click_mm,
        LEVEL_DOUBT_SPACINGS * evidence.level_spacing_mm,
        np.inf,
        "level",
        f"The result lies {evidence.from_click_mm:.0f} mm from the start, where the next level is "
        f"{evidence.level_spacing_mm:.0f} mm away: confirm the level.",
    )
    weigh(
        evidence.other_level.advantage,
        ACCEPT_OTHER_LEVEL,
        REJECT_OTHER_LEVEL,
        "other_level",
        f"The X-rays fit better with the vertebra one level {evidence.other_level.name}: confirm the level.",
    )
    weigh(
        evidence.stray_mm,
        REJECT_STRAY_MM,
        REJECT_STRAY_MM,
        "stray",
        f"Refinement carried the vertebra {evidence.stray_mm:.0f} mm away from every pose that it could begin at.",
    )
    if np.isfinite(evidence.network_mm):
        weigh(
            evidence.network_mm,
            max(MIN_DISAGREEMENT_MM, DISAGREEMENT_FACTOR * evidence.network_usual_mm),
            np.inf,
            "disagreement",
            f"The reconstruction's pose lies {evidence.network_mm:.1f} mm from the refined one: they should agree.",
        )
    findings += view_findings(evidence.wishes, lowest)
    findings += flip_findings(evidence.flips, float(np.min(evidence.similarity_result)))
    if not findings:
        return "accept", ()
    # What views contradict each other in has entered the predicted error: one ground, not two. A click that was far off
    # asks for the level; it says nothing of the images.
    grounds = {"views" if reason.code == "uncertain" else reason.code for _, reason in findings} - {"level"}
    rejected = any(level == "reject" for level, _ in findings) or len(grounds) >= MANY_GROUNDS
    doubted = grounds == {"dissimilar"} and lowest >= ALONE_SIMILARITY
    verdict: Verdict = "reject" if rejected and not doubted else "check"
    return verdict, tuple(reason for _, reason in findings)
