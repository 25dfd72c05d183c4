"""Pose refinement on the X-rays: parts that move apart, matched by their image gradients.

The moving image is the sum of the parts' line integrals (vertebra, neighbours, everything else), each at a pose of its
own. A vertebra alone cannot be matched to an image in which ribs and soft tissue outweigh it; a rigid CT lands on the
trunk's pose, not the vertebra's. Levenberg-Marquardt runs on Gaussian-derivative gradients, from coarse to fine; the
parts' motion against the vertebra has a prior, without which low-contrast parts drift.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from radgs.geometry import LEVER_MM, FloatArray, RigidTransform, ViewGeometry
from radgs.refine.matching import (
    GAIN_REACH_MM,
    MISFIT_INFLATION,
    GradientFilter,
    LinearisedImages,
    Match,
)
from radgs.refine.observation import Observation
from radgs.threads import map_concurrently, one_thread

if TYPE_CHECKING:
    from jaxtyping import Float

#: Where a vertebra's line integral exceeds this, its projection is (dimensionless; about 1.5 mm of cortical bone).
SILHOUETTE_THRESHOLD = 0.03
#: A pixel whose ray runs through this much invented attenuation (line integral) weighs half.
DOUBT_HALF = 0.5
#: A resolution ends with a step shorter than this share of its scale: the finer ones go on from there.
CONVERGED_SHARE = 0.025
#: A rotation of one unit moves the vertebra's surface about as far as a translation of one unit, 1 mm.
TWIST_SCALE = np.array([1 / LEVER_MM] * 3 + [1.0] * 3)


def scaled_twist(motion: RigidTransform, centre: FloatArray) -> NDArray[np.float64]:
    """(6,) the twist about ``centre`` that moves as ``motion`` does, in units of ``TWIST_SCALE``."""
    return np.concatenate([motion.rotation_vector, motion.apply(centre) - centre]) / TWIST_SCALE


class Part(Protocol):
    """Something rigid that attenuates."""

    def render(self, pose: RigidTransform, geometry: ViewGeometry) -> Float[Tensor, "H W"]:
        """Line integrals (H, W) at a part-to-world pose."""

    def render_with_jacobian(
        self, pose: RigidTransform, geometry: ViewGeometry, centre: FloatArray
    ) -> tuple[Float[Tensor, "H W"], Float[Tensor, "6 H W"]]:
        """Line integrals (H, W) and derivative (6, H, W) in a left twist about ``centre`` (3 rad, 3 mm)."""


@dataclass(frozen=True, eq=False)
class RememberedPart:
    """A part that keeps its last image of every view.

    A resolution begins where the one before it ended, and a silhouette is wanted where the part was drawn already: of
    the vertebra's renderings in a registration a third are asked for twice.
    """

    part: Part
    _last: dict[ViewGeometry, tuple[RigidTransform, Tensor, Tensor | None]] = field(default_factory=dict, init=False)

    def render(self, pose: RigidTransform, geometry: ViewGeometry) -> Float[Tensor, "H W"]:
        """Line integrals (H, W)."""
        last = self._last.get(geometry)
        if last is None or last[0] is not pose:
            last = self._last[geometry] = (pose, self.part.render(pose, geometry), None)
        return last[1]

    def render_with_jacobian(
        self, pose: RigidTransform, geometry: ViewGeometry, centre: FloatArray
    ) -> tuple[Float[Tensor, "H W"], Float[Tensor, "6 H W"]]:
        """Line integrals (H, W) and derivative (6, H, W) in a left twist about ``centre``, always the same point."""
        at, image, jacobian = self._last.get(geometry, (None, None, None))
        if image is None or jacobian is None or at is not pose:
            image, jacobian = self.part.render_with_jacobian(pose, geometry, centre)
            self._last[geometry] = (pose, image, jacobian)
        return image, jacobian


@dataclass(frozen=True)
class RelativePrior:
    """How far parts are believed to move against the vertebra, standard deviations."""

    rotation_rad: float = float(np.radians(2.3))
    shift_mm: float = 1.2


#: How far off a part's pose may be that was found elsewhere, about the centre of this problem's twists.
KNOWN = RelativePrior(rotation_rad=float(np.radians(0.3)), shift_mm=0.3)


@dataclass(frozen=True)
class Resolution:
    """One resolution level of the refinement.

    Attributes:
        sigma_mm: Scale of the Gaussian derivatives, at the ROI's depth.
        iterations: Most Gauss-Newton steps.
        surround_weight: Weight of pixels away from the vertebra, relative to those on it.
        dilation_mm: How far around the vertebra's projection pixels count fully.
    """

    sigma_mm: float
    iterations: int
    surround_weight: float
    dilation_mm: float


@dataclass
class Estimate:
    """Where the parts stand, and what the last linearisation knew.

    Attributes:
        poses: Part-to-world, vertebra first.
        information: (6, 6) inverse covariance of the vertebra's twist (units of ``TWIST_SCALE``), others marginalised.
        correlation: (V,) gradient correlation on the vertebra's pixels.
        cost: Weighted residual energy per unit of image energy.
    """

    poses: list[RigidTransform]
    information: NDArray[np.float64] = field(default_factory=lambda: np.zeros((6, 6)))
    correlation: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    cost: float = np.inf


def _reliability(valid: Tensor, gradient_filter: GradientFilter) -> Tensor:
    """(n, n) 0..1: none where nothing was measured, less where much of what the filter would see was not."""
    if gradient_filter.valid is None:
        return torch.ones_like(valid)
    return (valid > 0.99) * gradient_filter.support.square()


class Refiner:
    """Levenberg-Marquardt over the poses of rigid parts on one observation.

    Args:
        observation: What was seen.
        parts: Each moves on its own; the vertebra first.
        centre: (3,) centre of all twists, world mm.
        prior: Ties the other parts to the vertebra's motion.
        silhouette: Whose projection tells where the vertebra is; by default the first part's.
        doubt: What was invented beyond the CT, moving with the vertebra: rays through it weigh less.
        known: Poses that parts were found at elsewhere, by the part's number; they stay within ``KNOWN`` of them.
    """

    def __init__(
        self,
        observation: Observation,
        parts: Sequence[Part],
        centre: FloatArray,
        prior: RelativePrior | None = None,
        silhouette: Part | None = None,
        doubt: Part | None = None,
        known: Mapping[int, RigidTransform] | None = None,
    ) -> None:
        self.observation, self.centre = observation, centre
        self.parts: tuple[Part, ...] = (RememberedPart(parts[0]), *parts[1:])
        self.prior = prior or RelativePrior()
        self.silhouette = self.parts[0] if silhouette is None else RememberedPart(silhouette)
        self.doubt = doubt
        self.known = dict(known or {})
        self._trusted: Tensor | None = None
        #: Filtered derivatives by the derivative (a tensor is its own key), of one resolution.
        self._filtered: dict[Tensor, Tensor] = {}

    @torch.no_grad()
    @one_thread()
    def run(self, estimate: Estimate, resolutions: Sequence[Resolution]) -> Estimate:
        """Refines from coarse to fine."""
        for resolution in resolutions:
            estimate = self._run_resolution(estimate, resolution)
        return estimate

    def _run_resolution(self, estimate: Estimate, resolution: Resolution) -> Estimate:
        sigma = resolution.sigma_mm / self.observation.pixel_mm
        filters = self.observation.gradient_filters(sigma)
        self._filtered.clear()
        poses, damping = list(estimate.poses), 1e-2
        state = self._linearise(poses, filters)
        match = Match(
            target=self.observation.gradients(self.observation.images, filters),
            pixel_weight=self.pixel_weight(estimate.poses[0], resolution, filters),
            reach=GAIN_REACH_MM / self.observation.pixel_mm,
            shared_samples=max(1.0, 4 * np.pi * sigma**2) * MISFIT_INFLATION,
        )
        for _ in range(resolution.iterations):
            weight = match.robust_weight(state.rendered)
            system = match.normal_equations(state, weight)
            prior = self.prior_terms(poses, system.noise)
            normal, gradient, cost = system.normal + prior[0], system.gradient + prior[1], system.cost + prior[2]
            improved = False
            for _ in range(4):
                step = np.linalg.solve(
                    normal + damping * np.diag(np.diag(normal)) + 1e-12 * np.eye(len(normal)), gradient
                )
                step *= min(1.0, 2.0 * resolution.sigma_mm / (np.abs(step).max() + 1e-12))
                candidate = self._moved(poses, step)
                trial = self._linearise(candidate, filters)
                if match.cost(trial.rendered, weight) + self.prior_terms(candidate, system.noise)[2] < cost:
                    poses, state, improved = candidate, trial, True
                    damping = max(damping / 4, 1e-4)
                    break
                damping *= 6
            if not improved or np.abs(step).max() < CONVERGED_SHARE * resolution.sigma_mm:
                break
        return self._summary(poses, state, match)

    def _linearise(self, poses: Sequence[RigidTransform], filters: Sequence[GradientFilter]) -> LinearisedImages:
        def linearise_view(view: int) -> tuple[Tensor, Tensor]:
            geometry = self.observation.geometries[view]
            rendered = [
                part.render_with_jacobian(pose, geometry, self.centre)
                for part, pose in zip(self.parts, poses, strict=True)
            ]
            image = torch.stack([image for image, _ in rendered]).sum(dim=0)
            derivatives = [derivative for _, derivative in rendered]
            return self._compared(image, derivatives, filters[view])

        views = map_concurrently(linearise_view, range(len(self.observation.geometries)))
        return LinearisedImages(
            torch.stack([image for image, _ in views]), torch.stack([jacobian for _, jacobian in views])
        )

    def _compared(
        self, image: Tensor, derivatives: Sequence[Tensor], gradient_filter: GradientFilter
    ) -> tuple[Tensor, Tensor]:
        """Gradients (2, n, n) of the rendered image, and (P, 2, n, n) of its derivatives in scaled twists."""
        scale = torch.as_tensor(TWIST_SCALE).to(image)[:, None, None]
        if self.observation.in_intensity:
            both = torch.cat([image[None], *(derivative * scale for derivative in derivatives)])
            filtered = self.observation.compared(both, gradient_filter)
            return filtered[0], filtered[1:]
        # Line integrals are filtered linearly: what a linearised part's derivative becomes, it stays.
        for derivative in derivatives:
            if derivative not in self._filtered:
                self._filtered[derivative] = self.observation.compared(derivative * scale, gradient_filter)
        filtered = self.observation.compared(image[None], gradient_filter)[0]
        return filtered, torch.cat([self._filtered[derivative] for derivative in derivatives])

    def pixel_weight(
        self, vertebra_pose: RigidTransform, resolution: Resolution, filters: Sequence[GradientFilter]
    ) -> Tensor:
        """(V, n, n): 1 around the vertebra's projection, ``surround_weight`` elsewhere, 0 where nothing was seen."""
        masks = torch.stack(
            [self.silhouette.render(vertebra_pose, g).abs() > SILHOUETTE_THRESHOLD for g in self.observation.geometries]
        )
        reach = 2 * round(resolution.dilation_mm / self.observation.pixel_mm) + 1
        near = functional.max_pool2d(masks[:, None].float(), reach, 1, reach // 2)[:, 0]
        weight = resolution.surround_weight + (1 - resolution.surround_weight) * near
        if self.doubt is not None:
            weight = weight * self._trust(vertebra_pose)
        reliable = [_reliability(mask, one) for mask, one in zip(self.observation.valid, filters, strict=True)]
        return weight * torch.stack(reliable)

    def _trust(self, vertebra_pose: RigidTransform) -> Tensor:
        """(V, n, n) 0..1: less where rays run through what was invented; the first pose serves all."""
        if self._trusted is None:
            assert self.doubt is not None
            invented = torch.stack([self.doubt.render(vertebra_pose, g) for g in self.observation.geometries])
            self._trusted = 1.0 / (1.0 + (invented / DOUBT_HALF).square())
        return self._trusted

    def _moved(self, poses: Sequence[RigidTransform], step: NDArray[np.float64]) -> list[RigidTransform]:
        twists = step.reshape(-1, 6) * TWIST_SCALE
        return [
            pose.rotated_about(self.centre, twist[:3], twist[3:]) for pose, twist in zip(poses, twists, strict=True)
        ]

    def prior_terms(self, poses: Sequence[RigidTransform], noise: float) -> tuple[NDArray, NDArray, float]:
        """Normal matrix, gradient and cost of the prior on relative motion, in units of the data's noise."""
        size = 6 * len(poses)
        normal, gradient, cost = np.zeros((size, size)), np.zeros(size), 0.0
        deviation = np.array([self.prior.rotation_rad] * 3 + [self.prior.shift_mm] * 3)
        precision = noise * (TWIST_SCALE / deviation) ** 2
        for order, pose in enumerate(poses[1:], start=1):
            offset = scaled_twist(pose @ poses[0].inverse(), self.centre)
            select = np.zeros((6, size))
            select[:, :6], select[:, 6 * order : 6 * order + 6] = -np.eye(6), np.eye(6)
            normal += select.T @ (precision[:, None] * select)
            gradient -= select.T @ (precision * offset)
            cost += float(offset @ (precision * offset))
        sure = noise * (TWIST_SCALE / np.array([KNOWN.rotation_rad] * 3 + [KNOWN.shift_mm] * 3)) ** 2
        for order, pose in self.known.items():
            offset = scaled_twist(poses[order] @ pose.inverse(), self.centre)
            block = slice(6 * order, 6 * order + 6)
            normal[block, block] += np.diag(sure)
            gradient[block] -= sure * offset
            cost += float(offset @ (sure * offset))
        return normal, gradient, cost

    def _summary(self, poses: list[RigidTransform], state: LinearisedImages, match: Match) -> Estimate:
        system = match.normal_equations(state, match.robust_weight(state.rendered))
        normal = (system.normal + self.prior_terms(poses, system.noise)[0]) / system.noise
        information = normal[:6, :6]
        if len(normal) > 6:
            others = normal[6:, 6:] + 1e-9 * np.eye(len(normal) - 6)
            information = information - normal[:6, 6:] @ np.linalg.solve(others, normal[6:, :6])
        return Estimate(poses, information, match.correlation(state.rendered), system.cost)
