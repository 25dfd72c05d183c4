"""Parts that are cheap to render: smooth ones at half resolution, ones that hardly move by a linear model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from radgs.geometry import FloatArray, RigidTransform, ViewGeometry
from radgs.refine.solver import TWIST_SCALE, Part, scaled_twist

if TYPE_CHECKING:
    from jaxtyping import Float

#: How far a part may move, or a turn may take its surface, until its image is rendered anew, mm.
LINEAR_REACH_MM = 0.5


@dataclass(frozen=True, eq=False)
class HalfResolution:
    """A smooth part rendered on every second pixel and interpolated: a quarter of the cost."""

    part: Part

    def render(self, pose: RigidTransform, geometry: ViewGeometry) -> Float[Tensor, "H W"]:
        """Line integrals (H, W)."""
        return _doubled(self.part.render(pose, geometry.binned(2))[None])[0]

    def render_with_jacobian(
        self, pose: RigidTransform, geometry: ViewGeometry, centre: FloatArray
    ) -> tuple[Float[Tensor, "H W"], Float[Tensor, "6 H W"]]:
        """Line integrals (H, W) and derivative (6, H, W)."""
        image, jacobian = self.part.render_with_jacobian(pose, geometry.binned(2), centre)
        doubled = _doubled(torch.cat([image[None], jacobian]))
        return doubled[0], doubled[1:]


def _doubled(images: Float[Tensor, "C h w"]) -> Float[Tensor, "C H W"]:
    """(C, H, W) to (C, 2H, 2W), pixel areas kept in place."""
    return functional.interpolate(images[None], scale_factor=2, mode="bilinear", align_corners=False)[0]


@dataclass(frozen=True, eq=False)
class LinearisedPart:
    """A part whose image is rendered once and follows small motions to first order, by the image's derivative.

    Near the end of a descent parts move by hundredths of a millimetre: rendering each step anew would show the same.
    It serves one descent, whose twists share one centre.

    Args:
        part: The part.
    """

    part: Part
    _linearisations: dict[ViewGeometry, tuple[RigidTransform, Tensor, Tensor]] = field(default_factory=dict, init=False)

    def render(self, pose: RigidTransform, geometry: ViewGeometry) -> Float[Tensor, "H W"]:
        """Line integrals (H, W), never from an expansion."""
        return self.part.render(pose, geometry)

    def render_with_jacobian(
        self, pose: RigidTransform, geometry: ViewGeometry, centre: FloatArray
    ) -> tuple[Float[Tensor, "H W"], Float[Tensor, "6 H W"]]:
        """Line integrals (H, W) and derivative (6, H, W); within ``LINEAR_REACH_MM`` of where it was rendered."""
        if geometry in self._linearisations:
            linearised_at, image, jacobian = self._linearisations[geometry]
            twist = scaled_twist(pose @ linearised_at.inverse(), centre)
            if np.abs(twist).max() < LINEAR_REACH_MM:
                step = torch.as_tensor(twist * TWIST_SCALE).to(jacobian)
                return image + (step @ jacobian.flatten(1)).view_as(image), jacobian
        image, jacobian = self.part.render_with_jacobian(pose, geometry, centre)
        self._linearisations[geometry] = (pose, image, jacobian)
        return image, jacobian


def linearised(parts: Sequence[Part]) -> tuple[Part, ...]:
    """The parts with all but the first linearised: the vertebra sought is rendered at every pose."""
    return (parts[0], *(LinearisedPart(part) for part in parts[1:]))
