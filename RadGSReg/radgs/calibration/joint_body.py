"""One vertebra and what moves beside it, in the joint problem of several vertebrae and a moving view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from radgs.calibration.joint_view import STEP_NUMBERS, MovingView, shaped, through
from radgs.geometry import FloatArray, RigidTransform, ViewGeometry, XRayView
from radgs.geometry.roi import ROI_SIZE_MM
from radgs.refine import Observation, Part, Refiner, Resolution
from radgs.refine.matching import GAIN_REACH_MM, MISFIT_INFLATION, GradientFilter, LinearisedImages, Match
from radgs.refine.parts import linearised
from radgs.refine.solver import TWIST_SCALE


@dataclass(frozen=True, eq=False)
class Body:
    """What is watched around one vertebra.

    Attributes:
        centre: (3,) the vertebra's, in the CT's RAS, mm.
        parts: Each moves on its own; the vertebra first.
        silhouette: Whose projection tells where the vertebra is; by default the first part's.
        doubt: What was invented beyond the CT: rays through it weigh less.
        in_intensity: How X-rays and parts are compared.
        device: Where the parts are rendered.
    """

    centre: FloatArray
    parts: tuple[Part, ...]
    silhouette: Part | None = None
    doubt: Part | None = None
    in_intensity: bool = False
    device: torch.device | str = "cpu"


class WatchedBody:
    """A body seen at one resolution, around where it stands when that begins.

    Args:
        body: What is watched.
        poses: Of its parts, to begin with.
        views: The X-rays, each with its present geometry.
        moving: Which of the views moves.
        pivot: (3,) centre of that view's twists.
        resolution: How finely it is looked at.
        pixels: Of the crops.
    """

    def __init__(
        self,
        body: Body,
        poses: Sequence[RigidTransform],
        views: Sequence[XRayView],
        moving: int,
        pivot: FloatArray,
        resolution: Resolution,
        pixels: int,
    ) -> None:
        self.moving, self.centre = moving, poses[0].apply(body.centre)
        observation = Observation.around(views, self.centre, ROI_SIZE_MM, pixels, body.device)
        observation = replace(observation, in_intensity=body.in_intensity)
        self._refiner = Refiner(
            observation, linearised(body.parts), self.centre, silhouette=body.silhouette, doubt=body.doubt
        )
        sigma = resolution.sigma_mm / observation.pixel_mm
        self._filters = observation.gradient_filters(sigma)
        self.match = Match(
            target=observation.gradients(observation.images, self._filters),
            pixel_weight=self._refiner.pixel_weight(poses[0], resolution, self._filters),
            reach=GAIN_REACH_MM / observation.pixel_mm,
            shared_samples=max(1.0, 4 * np.pi * sigma**2) * MISFIT_INFLATION,
        )
        self._by_shape = self._shape_derivatives(poses, views[moving].geometry, pivot)

    @property
    def unknowns(self) -> int:
        """Of its parts' poses."""
        return 6 * len(self._refiner.parts)

    def prior_terms(self, poses: Sequence[RigidTransform]) -> tuple[NDArray, NDArray, float]:
        """Normal matrix, gradient and cost of the parts' motion against the vertebra, in standard deviations."""
        return self._refiner.prior_terms(poses, 1.0)

    def moved(self, poses: Sequence[RigidTransform], step: NDArray[np.float64]) -> list[RigidTransform]:
        """The parts after a step of ``unknowns`` numbers."""
        twists = step.reshape(-1, 6) * TWIST_SCALE
        return [
            pose.rotated_about(self.centre, twist[:3], twist[3:]) for pose, twist in zip(poses, twists, strict=True)
        ]

    def linearised(self, poses: Sequence[RigidTransform], view: MovingView) -> LinearisedImages:
        """Gradients of what is rendered, and their derivatives: the parts' twists, then the moving view's step."""
        images = [
            self._seen_moving(poses, view, number) if number == self.moving else self._seen(poses, number)
            for number in range(len(self._filters))
        ]
        return LinearisedImages(
            torch.stack([image for image, _ in images]), torch.stack([jacobian for _, jacobian in images])
        )

    def _seen(self, poses: Sequence[RigidTransform], number: int) -> tuple[Tensor, Tensor]:
        """Through a view that is held: nothing depends on the moving one."""
        geometry = self._refiner.observation.geometries[number]
        image, derivatives = self._drawn(poses, geometry)
        by_poses = torch.cat([_combined(derivative, np.diag(TWIST_SCALE)) for derivative in derivatives])
        return self._compared(image, torch.cat([by_poses, _nothing(by_poses)]), number)

    def _seen_moving(self, poses: Sequence[RigidTransform], view: MovingView, number: int) -> tuple[Tensor, Tensor]:
        geometry = self._refiner.observation.geometries[number]
        image, derivatives = self._drawn([view.pose_seen(pose) for pose in poses], geometry)
        seen = view.twist_seen(self.centre) * TWIST_SCALE
        by_poses = torch.cat([_combined(derivative, seen) for derivative in derivatives])
        own = view.own_twist_seen(self.centre) * TWIST_SCALE
        together = torch.stack(derivatives).sum(dim=0)
        by_view = torch.cat([_combined(together, own), self._by_shape])
        shape = torch.as_tensor(view.shape).to(image)
        image = image + (shape[:, None, None] * self._by_shape).sum(dim=0)
        return self._compared(image, torch.cat([by_poses, by_view]), number)

    def _drawn(self, poses: Sequence[RigidTransform], geometry: ViewGeometry) -> tuple[Tensor, list[Tensor]]:
        drawn = [
            part.render_with_jacobian(pose, geometry, self.centre)
            for part, pose in zip(self._refiner.parts, poses, strict=True)
        ]
        return torch.stack([image for image, _ in drawn]).sum(dim=0), [derivative for _, derivative in drawn]

    def _compared(self, image: Tensor, derivatives: Tensor, number: int) -> tuple[Tensor, Tensor]:
        gradient_filter: GradientFilter = self._filters[number]
        both = self._refiner.observation.compared(torch.cat([image[None], derivatives]), gradient_filter)
        return both[0], both[1:]

    def _shape_derivatives(self, poses: Sequence[RigidTransform], geometry: ViewGeometry, pivot: FloatArray) -> Tensor:
        """(3, n, n) how the image changes with the moving view's shape, by differences of one unit either way."""
        crop = self._refiner.observation.geometries[self.moving]

        def image(shape: NDArray[np.float64]) -> Tensor:
            rays = through(crop, geometry, shaped(geometry, pivot, shape))
            images = [part.render(pose, rays) for part, pose in zip(self._refiner.parts, poses, strict=True)]
            return torch.stack(images).sum(dim=0)

        return torch.stack([(image(axis) - image(-axis)) / 2 for axis in np.eye(3)])


def _combined(derivative: Tensor, matrix: NDArray[np.float64]) -> Tensor:
    """(6, n, n) derivatives in other twists, which ``matrix`` (6, 6) takes to those of the derivative (6, n, n)."""
    columns = torch.as_tensor(np.ascontiguousarray(matrix.T)).to(derivative)
    return (columns @ derivative.flatten(1)).view_as(derivative)


def _nothing(like: Tensor) -> Tensor:
    """Derivatives in the moving view's step of an image that does not show it."""
    return like.new_zeros(STEP_NUMBERS, *like.shape[1:])
