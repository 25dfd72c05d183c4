"""Pose refinement on the X-rays: bodies that move apart, matched by their image gradients.

The moving image is the sum of the bodies' line integrals (vertebra, neighbours, everything else), each at a pose of its own.
A vertebra alone cannot be matched to an image in which ribs and soft tissue outweigh it; a rigid CT lands on the body's pose,
not the vertebra's. Levenberg-Marquardt runs on Gaussian-derivative gradients, from coarse to fine, with one free gain per view
projected out (variable projection) and Cauchy weights for what the model does not contain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from radgs.geometry import FloatArray, RigidTransform
from radgs.xray import ViewGeometry, XRayView

#: A rotation of one unit moves the vertebra's surface about as far as a translation of one unit (1 mm at 25 mm).
LEVER_MM = 25.0
TWIST_SCALE = np.array([1 / LEVER_MM] * 3 + [1.0] * 3)


class Body(Protocol):
    """Something rigid that attenuates."""

    def render(self, pose: RigidTransform, geometry: ViewGeometry) -> Tensor:
        """Line integrals (H, W) at a body-to-world pose."""

    def render_with_jacobian(
        self, pose: RigidTransform, geometry: ViewGeometry, centre: FloatArray
    ) -> tuple[Tensor, Tensor]:
        """Line integrals (H, W) and derivative (6, H, W) in a left twist about ``centre`` (3 rad, 3 mm)."""


@dataclass(frozen=True, eq=False)
class Observation:
    """The X-rays around the vertebra at one resolution.

    Attributes:
        images: (V, n, n) line integrals on virtual detectors through the ROI centre.
        valid: (V, n, n) 1 where the image was measured, 0 outside it.
        geometries: The virtual detectors.
        pixel_mm: Pixel size at the ROI's depth.
    """

    images: Tensor
    valid: Tensor
    geometries: tuple[ViewGeometry, ...]
    pixel_mm: float

    @classmethod
    def around(cls, views: Sequence[XRayView], centre: FloatArray, size_mm: float, pixels: int) -> Observation:
        """Crops the views around a world point."""
        crops = [view.crop(centre, size_mm, pixels) for view in views]
        return cls(
            torch.stack([torch.from_numpy(view.image) for view, _ in crops]),
            torch.stack([torch.from_numpy(valid) for _, valid in crops]),
            tuple(view.geometry for view, _ in crops),
            size_mm / pixels,
        )


@dataclass(frozen=True)
class RelativePrior:
    """How far bodies are believed to move against the vertebra, standard deviations."""

    rotation_rad: float = np.radians(4.0)
    shift_mm: float = 3.0


@dataclass(frozen=True)
class Stage:
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
    """Where the bodies stand, and what the last linearisation knew.

    Attributes:
        poses: Body-to-world, vertebra first.
        information: (6, 6) inverse covariance of the vertebra's twist (units of ``TWIST_SCALE``), others marginalised.
        correlation: (V,) gradient correlation on the vertebra's pixels.
        cost: Weighted residual energy per unit of image energy.
    """

    poses: list[RigidTransform]
    information: NDArray[np.float64] = field(default_factory=lambda: np.zeros((6, 6)))
    correlation: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    cost: float = np.inf


@dataclass
class _Linearisation:
    """Filtered model image (V, 2, n, n) and its Jacobian (V, P, 2, n, n) in scaled twists."""

    model: Tensor
    jacobian: Tensor


class Refiner:
    """Levenberg-Marquardt over the poses of bodies on one observation.

    Args:
        observation: What was seen.
        bodies: Vertebra first.
        moving: Indices of the bodies whose poses are sought; the others stay where they are.
        centre: (3,) centre of all twists, world mm.
        prior: Ties moving bodies to the vertebra's motion.
        tied: All bodies move as one (the CT as it was scanned).
    """

    def __init__(
        self,
        observation: Observation,
        bodies: Sequence[Body],
        moving: Sequence[int],
        centre: FloatArray,
        prior: RelativePrior | None = None,
        tied: bool = False,
    ) -> None:
        self.observation, self.bodies, self.moving = observation, bodies, tuple(moving)
        self.centre, self.prior, self.tied = centre, prior or RelativePrior(), tied

    @torch.no_grad()
    def run(self, estimate: Estimate, stages: Sequence[Stage]) -> Estimate:
        """Refines from coarse to fine."""
        for stage in stages:
            estimate = self._run_stage(estimate, stage)
        return estimate

    def _run_stage(self, estimate: Estimate, stage: Stage) -> Estimate:
        fixed_image = self._fixed_image(estimate.poses)
        sigma = stage.sigma_mm / self.observation.pixel_mm
        target = image_gradient(self.observation.images, sigma)
        poses, damping = list(estimate.poses), 1e-2
        state = self._linearise(poses, fixed_image, sigma)
        pixel_weight = self._pixel_weight(poses[0], stage)
        for _ in range(stage.iterations):
            weight = pixel_weight * cauchy_weight(target, state.model, pixel_weight)
            normal, gradient, cost, noise = _normal_equations(target, state, weight, sigma)
            prior_normal, prior_gradient, prior_cost = self._prior_terms(poses, noise)
            normal, gradient, cost = normal + prior_normal, gradient + prior_gradient, cost + prior_cost
            improved = False
            for _ in range(4):
                step = np.linalg.solve(normal + damping * np.diag(np.diag(normal)) + 1e-12 * np.eye(len(normal)), gradient)
                step *= min(1.0, 2.0 * stage.sigma_mm / np.abs(step).max())
                candidate = self._moved(poses, step)
                trial = self._linearise(candidate, fixed_image, sigma)
                trial_cost = _cost(target, trial.model, weight) + self._prior_terms(candidate, noise)[2]
                if trial_cost < cost:
                    poses, state, improved = candidate, trial, True
                    damping = max(damping / 4, 1e-4)
                    break
                damping *= 6
            if not improved or np.abs(step).max() < 0.02:
                break
        return self._summary(poses, state, target, pixel_weight, sigma)

    def _fixed_image(self, poses: Sequence[RigidTransform]) -> Tensor:
        """(V, n, n) sum of the bodies that do not move."""
        still = [i for i in range(len(self.bodies)) if i not in self.moving]
        image = torch.zeros_like(self.observation.images)
        for view, geometry in enumerate(self.observation.geometries):
            for i in still:
                image[view] += self.bodies[i].render(poses[i], geometry)
        return image

    def _linearise(self, poses: Sequence[RigidTransform], fixed_image: Tensor, sigma: float) -> _Linearisation:
        images, jacobians = [], []
        for view, geometry in enumerate(self.observation.geometries):
            image, columns = fixed_image[view], []
            for i in self.moving:
                part, derivative = self.bodies[i].render_with_jacobian(poses[i], geometry, self.centre)
                image = image + part
                columns.append(derivative)
            images.append(image)
            jacobians.append(sum(columns) if self.tied else torch.cat(columns))
        jacobian = torch.stack(jacobians)
        scale = torch.as_tensor(np.tile(TWIST_SCALE, jacobian.shape[1] // 6), dtype=jacobian.dtype)
        views, parameters, height, width = jacobian.shape
        filtered = image_gradient((jacobian * scale[:, None, None]).reshape(-1, height, width), sigma)
        return _Linearisation(
            image_gradient(torch.stack(images), sigma), filtered.reshape(views, parameters, 2, height, width)
        )

    def _pixel_weight(self, vertebra_pose: RigidTransform, stage: Stage) -> Tensor:
        """(V, n, n): 1 around the vertebra's projection, ``surround_weight`` elsewhere, 0 beyond the image's edge."""
        masks = torch.stack([self.bodies[0].render(vertebra_pose, g).abs() > 0.03 for g in self.observation.geometries])
        reach = 2 * round(stage.dilation_mm / self.observation.pixel_mm) + 1
        near = functional.max_pool2d(masks[:, None].float(), reach, 1, reach // 2)[:, 0]
        # Derivatives near the edge of the measured image see the padding: erode by two sigma.
        margin = 2 * round(2 * stage.sigma_mm / self.observation.pixel_mm) + 1
        invalid = functional.max_pool2d(1.0 - self.observation.valid[:, None], margin, 1, margin // 2)[:, 0]
        return (stage.surround_weight + (1 - stage.surround_weight) * near) * (invalid < 0.01)

    def _moved(self, poses: Sequence[RigidTransform], step: NDArray[np.float64]) -> list[RigidTransform]:
        twists = (step.reshape(-1, 6) * TWIST_SCALE).tolist()
        moved = list(poses)
        for order, i in enumerate(self.moving):
            twist = twists[0 if self.tied else order]
            moved[i] = poses[i].rotated_about(self.centre, twist[:3], twist[3:])
        return moved

    def _prior_terms(self, poses: Sequence[RigidTransform], noise: float) -> tuple[NDArray, NDArray, float]:
        """Normal matrix, gradient and cost of the prior on motion relative to the vertebra, in units of the data's noise."""
        count = 1 if self.tied else len(self.moving)
        normal, gradient, cost = np.zeros((6 * count, 6 * count)), np.zeros(6 * count), 0.0
        if self.tied or 0 not in self.moving:
            return normal, gradient, cost
        deviation = np.array([self.prior.rotation_rad] * 3 + [self.prior.shift_mm] * 3)
        precision = noise * (TWIST_SCALE / deviation) ** 2
        for order, i in enumerate(self.moving[1:], start=1):
            relative = poses[i] @ poses[0].inverse()
            offset = np.concatenate([relative.rotation_vector, relative.apply(self.centre) - self.centre]) / TWIST_SCALE
            select = np.zeros((6, 6 * count))
            select[:, :6], select[:, 6 * order : 6 * order + 6] = -np.eye(6), np.eye(6)
            normal += select.T @ (precision[:, None] * select)
            gradient -= select.T @ (precision * offset)
            cost += float(offset @ (precision * offset))
        return normal, gradient, cost

    def _summary(
        self, poses: list[RigidTransform], state: _Linearisation, target: Tensor, pixel_weight: Tensor, sigma: float
    ) -> Estimate:
        weight = pixel_weight * cauchy_weight(target, state.model, pixel_weight)
        normal, _, cost, noise = _normal_equations(target, state, weight, sigma)
        normal = (normal + self._prior_terms(poses, noise)[0]) / noise
        information = normal[:6, :6]
        if len(normal) > 6:
            information = information - normal[:6, 6:] @ np.linalg.solve(normal[6:, 6:] + 1e-9 * np.eye(len(normal) - 6), normal[6:, :6])
        return Estimate(poses, information, gradient_correlation(target, state.model, pixel_weight), cost)


def image_gradient(images: Tensor, sigma: float) -> Tensor:
    """Scale-normalised Gaussian-derivative gradients (K, 2, H, W) of images (K, H, W); sigma in pixels."""
    radius = max(2, int(3 * sigma + 0.5))
    x = torch.arange(-radius, radius + 1, dtype=images.dtype, device=images.device)
    smooth = torch.exp(-0.5 * (x / sigma) ** 2)
    smooth = smooth / smooth.sum()
    derivative = -x * smooth / sigma
    padded = functional.pad(images[:, None], (radius,) * 4, mode="replicate")
    across = functional.conv2d(functional.conv2d(padded, derivative[None, None, None, :]), smooth[None, None, :, None])
    down = functional.conv2d(functional.conv2d(padded, smooth[None, None, None, :]), derivative[None, None, :, None])
    return torch.cat([across, down], dim=1)


def view_gain(target: Tensor, model: Tensor, weight: Tensor) -> Tensor:
    """(V, 1, 1, 1) least-squares gain of the model's gradients onto the image's."""
    numerator = (weight[:, None] * target * model).sum(dim=(1, 2, 3), keepdim=True)
    return (numerator / ((weight[:, None] * model * model).sum(dim=(1, 2, 3), keepdim=True) + 1e-12)).clamp_min(1e-3)


def cauchy_weight(target: Tensor, model: Tensor, weight: Tensor) -> Tensor:
    """(V, H, W) down-weighting of pixels whose residual is large against the view's mean residual."""
    residual = (target - view_gain(target, model, weight) * model).square().sum(dim=1).sqrt()
    scale = 1.5 * (residual * weight).sum(dim=(1, 2), keepdim=True) / (weight.sum(dim=(1, 2), keepdim=True) + 1e-9)
    return 1.0 / (1.0 + (residual / (scale + 1e-9)) ** 2)


def gradient_correlation(target: Tensor, model: Tensor, weight: Tensor) -> NDArray[np.float64]:
    """(V,) weighted correlation of gradient fields, -1..1."""
    w = weight[:, None]
    cross = (w * target * model).sum(dim=(1, 2, 3))
    return (cross / ((w * target**2).sum(dim=(1, 2, 3)) * (w * model**2).sum(dim=(1, 2, 3)) + 1e-12).sqrt()).double().numpy()


def _scaled_residual(target: Tensor, model: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Residual (V, 2, H, W) in units of each view's image energy, and the gain over that unit (V, 1, 1, 1)."""
    energy = (weight[:, None] * target * target).sum(dim=(1, 2, 3), keepdim=True).sqrt() + 1e-12
    gain = view_gain(target, model, weight)
    return (target - gain * model) / energy, gain / energy


def _cost(target: Tensor, model: Tensor, weight: Tensor) -> float:
    residual, _ = _scaled_residual(target, model, weight)
    return float((weight[:, None] * residual.square()).sum())


def _normal_equations(target: Tensor, state: _Linearisation, weight: Tensor, sigma: float):
    """Gauss-Newton system with each view's gain projected out (Kaufman's form of variable projection).

    Returns:
        J'J (P, P), J'r (P,), cost, and the variance of one residual sample times the samples that share it: neighbouring
        pixels of a sigma-smoothed image are not independent.
    """
    residual, gain = _scaled_residual(target, state.model, weight)
    root = weight.sqrt()[:, None]
    views, parameters = state.jacobian.shape[:2]
    jacobian = (state.jacobian * (gain[:, None] * root[:, None])).reshape(views, parameters, -1)
    flat_residual = (residual * root).reshape(views, -1)
    direction = functional.normalize((state.model * root).reshape(views, -1), dim=1)
    jacobian = jacobian - torch.einsum("vpn,vn->vp", jacobian, direction)[..., None] * direction[:, None]
    normal = torch.einsum("vpn,vqn->pq", jacobian, jacobian).double().numpy()
    gradient = torch.einsum("vpn,vn->p", jacobian, flat_residual).double().numpy()
    cost = float(flat_residual.square().sum())
    shared = max(1.0, 4 * np.pi * sigma**2)
    noise = cost / max(2.0 * float(weight.sum()) - normal.shape[0], 1.0) * shared
    return normal, gradient, cost, noise
