"""Do the views agree on the pose? What each still wants in its own plane, once they have agreed on one.

A patient who moved between the shots, or a detector that stands elsewhere than its calibration says, leaves views that
no pose can satisfy together. In its own plane a view can want the vertebra further down, turned, or larger. What it
wants across is not seen: with views at right angles, the vertebra's depth in the other view absorbs it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from radgs.case import Reason, Verdict
from radgs.geometry import LEVER_MM, FloatArray
from radgs.refine import Observation, Refinement
from radgs.refine.matching import GAIN_REACH_MM, MISFIT_INFLATION, GradientFilter, LinearisedImages, Match
from radgs.refine.solver import SILHOUETTE_THRESHOLD
from radgs.threads import map_concurrently, one_thread
from radgs.vertebra import VertebraAnatomy

#: Pixels of refinement's finest resolution taken together, and the scales of gradients, coarse to fine, mm.
BINNING, SCALES_MM = 2, (4.0, 2.5, 2.0)
#: Steps at each scale; the last one no longer than this ends them, mm.
STEPS, SETTLED_MM = 4, 0.05
#: Weight of what lies around the vertebrae.
AROUND = 0.1
#: A wish within so many of its standard deviations is none.
DOUBTFUL_SIGMA = 3.0
#: Log-odds that a pose is more than 2 mm off, of poses whose inputs can show it: per mm by which the views contradict
#: each other, up to ``FULL_MM``, per standard deviation of that, and per e-fold of the distinction: the same
#: contradiction weighs more where the images hardly single out a pose. Fitted by ``Testing/benchmarks/fit_verdict.py``,
#: docs/safety.md says on what.
ODDS_PER_MM, FULL_MM, ODDS_PER_SIGMA, ODDS_PER_DISTINCTION, ODDS_OF_NOTHING = 1.47, 2.5, 1.40, -0.38, -7.35
#: From which on a pose is not accepted.
CHECK_ODDS = -2.4
#: A contradiction from which on it is rejected, both of these. Of a bone alone among tissues that its CT does not show,
#: right poses on real X-rays come to 4 to 8 mm and 5 to 17.
REJECT_MM, REJECT_SQUARES = 1.5, 20.0
#: Distinctions below this count as this.
MIN_DISTINCTION = 0.01
#: Further than this a view is not followed, mm.
FARTHEST_MM = 12.0


@dataclass(frozen=True)
class ViewWish:
    """What a view wants of the vertebra's image that the pose does not give it; lengths at the vertebra.

    Attributes:
        view: Which.
        down_mm: Further down the image, towards the feet.
        turn_mm: Turned clockwise: how far a point 25 mm from the centre moves.
        grow_mm: Larger: how far a point 25 mm from the centre moves outward.
        sigma_mm: (3,) standard deviations of the three.
    """

    view: str
    down_mm: float
    turn_mm: float
    grow_mm: float
    sigma_mm: tuple[float, float, float]

    @property
    def values_mm(self) -> FloatArray:
        """(3,) down, turned, larger."""
        return np.array([self.down_mm, self.turn_mm, self.grow_mm])

    @property
    def size_mm(self) -> float:
        """How far the view is from being satisfied, as one length."""
        return float(np.linalg.norm(self.values_mm))

    @property
    def squares(self) -> float:
        """The sum of squares of the three, in standard deviations."""
        return float(np.sum((self.values_mm / np.array(self.sigma_mm)) ** 2))

    @property
    def sure_mm(self) -> float:
        """The same without what is within its uncertainty."""
        sure = np.abs(self.values_mm) > DOUBTFUL_SIGMA * np.array(self.sigma_mm)
        return float(np.linalg.norm(self.values_mm * sure))

    @property
    def words(self) -> str:
        """What it wants, in words."""
        down, turn, grow = self.values_mm
        wants = [
            (abs(down), f"{abs(down):.1f} mm further {'down' if down > 0 else 'up'}"),
            (abs(turn), f"turned by {np.degrees(abs(turn) / LEVER_MM):.1f} degrees"),
            (abs(grow), f"{abs(grow) / LEVER_MM:.1%} {'larger' if grow > 0 else 'smaller'}"),
        ]
        return max(wants)[1]


def disagreement_mm(wishes: Sequence[ViewWish]) -> float:
    """By how much the views surely contradict each other: what they want of the pose, together."""
    return float(sum(wish.sure_mm for wish in wishes))


def log_odds(apart_mm: float, squares: float, distinction: float) -> float:
    """Log-odds that a pose is more than 2 mm off, by what the views still want of it.

    Args:
        apart_mm: By how much they contradict each other.
        squares: The sum of squares of what they want, in standard deviations.
        distinction: By what fraction the unexplained part of the images rises at poses 4 mm away.
    """
    return float(
        ODDS_OF_NOTHING
        + ODDS_PER_MM * min(apart_mm, FULL_MM)
        + ODDS_PER_SIGMA * np.sqrt(squares)
        + ODDS_PER_DISTINCTION * np.log(max(distinction, MIN_DISTINCTION))
    )


def view_findings(wishes: Sequence[ViewWish], distinction: float) -> list[tuple[Verdict, Reason]]:
    """What the views say against a pose that they agreed on; the one that is least satisfied is named.

    Args:
        wishes: What they still want.
        distinction: By what fraction the unexplained part of the images rises at poses 4 mm away.
    """
    apart = sum(wish.size_mm for wish in wishes)
    squares = sum(wish.squares for wish in wishes)
    if not wishes or log_odds(apart, squares, distinction) <= CHECK_ODDS:
        return []
    worst = max(wishes, key=lambda wish: wish.size_mm)
    message = (
        f"The views contradict each other by {apart:.1f} mm: view {worst.view} wants the vertebra {worst.words}. The "
        "patient moved between the shots, that view's geometry is wrong, or the CT is another patient's."
    )
    surely = apart > REJECT_MM and squares > REJECT_SQUARES
    return [("reject" if surely else "check", Reason("views", message))]


@torch.no_grad()
@one_thread()
def view_wishes(refinement: Refinement, vertebra: VertebraAnatomy, names: Sequence[str]) -> tuple[ViewWish, ...]:
    """Moves each view's image of the vertebra and its neighbours in its plane until the X-ray is matched best.

    Args:
        refinement: The pose that the views agreed on.
        vertebra: The vertebra.
        names: The views'.
    """
    observation = refinement.observation.binned(BINNING)
    poses, moving = refinement.final.poses, refinement.parts
    centre = refinement.ct_to_world.apply(vertebra.centre)

    def wish_of(number: int) -> ViewWish:
        one = observation.view(number)
        geometry = one.geometries[0]
        parts = [part.render(pose, geometry) for part, pose in zip(moving, poses, strict=True)]
        # The neighbours' poses were found with the vertebra's, and in both views: they bear witness as it does.
        bones = torch.stack([parts[0], *parts[2:]]).abs().amax(dim=0)
        drawn = torch.stack(parts).sum(dim=0)
        plane = _Plane(geometry.project(centre), one.pixel_mm, drawn.shape[-1])
        return _wish(names[number], one, plane, drawn, bones)

    return tuple(map_concurrently(wish_of, range(len(names))))


@dataclass(frozen=True, eq=False)
class _Plane:
    """Moves of an image about a pixel: across, down, turned, larger; each in mm, the last two at ``LEVER_MM``."""

    centre: FloatArray
    pixel_mm: float
    pixels: int

    def moved(self, image: Tensor, wish: NDArray[np.float64]) -> Tensor:
        """(n, n) the image moved by (4,) across, down, turned, larger."""
        across, down, turn, grow = wish
        angle, scale = turn / LEVER_MM, 1.0 + grow / LEVER_MM
        cos, sin = np.cos(angle), np.sin(angle)
        # Where a pixel of the moved image comes from.
        back = np.array([[cos, sin], [-sin, cos]]) / scale
        shift = self.centre - back @ (self.centre + np.array([across, down]) / self.pixel_mm)
        unit = 2.0 / self.pixels  # grid_sample: -1..1 over the pixels' outer edges
        edge = np.full(2, (self.pixels - 1) / 2)
        theta = np.column_stack([back, (back @ edge + shift - edge) * unit])
        grid = functional.affine_grid(
            torch.as_tensor(theta[None], dtype=image.dtype, device=image.device), [1, 1, *image.shape], False
        )
        return functional.grid_sample(image[None, None], grid, padding_mode="border", align_corners=False)[0, 0]


def _wish(name: str, one: Observation, plane: _Plane, drawn: Tensor, bones: Tensor) -> ViewWish:
    wish, covariance = np.zeros(4), np.full((4, 4), np.inf)
    for sigma_mm in SCALES_MM:
        sigma = sigma_mm / one.pixel_mm
        (kernel,) = one.gradient_filters(sigma)
        shared = max(1.0, 4 * np.pi * sigma**2) * MISFIT_INFLATION
        target = one.gradients(one.images, (kernel,))
        near = functional.max_pool2d((bones > SILHOUETTE_THRESHOLD).float()[None], 3, 1, 1)
        weight = (AROUND + (1 - AROUND) * near) * (one.valid > 0.99)
        match = Match(target, weight, GAIN_REACH_MM / one.pixel_mm, shared)
        for _ in range(STEPS):
            state = _linearised(one, plane, drawn, wish, kernel)
            system = match.normal_equations(state, match.robust_weight(state.rendered))
            normal = system.normal + 1e-9 * np.eye(4) * np.trace(system.normal)
            step = np.linalg.solve(normal, system.gradient)
            step *= min(1.0, sigma_mm / (np.abs(step).max() + 1e-12))
            wish, covariance = wish + step, np.linalg.inv(normal) * system.noise
            if np.abs(step).max() < SETTLED_MM or np.abs(wish).max() > FARTHEST_MM:
                break
    deviation = np.sqrt(np.diag(covariance))
    _, down, turn, grow = (float(value) for value in wish)
    return ViewWish(name, down, turn, grow, tuple(float(value) for value in deviation[1:]))  # type: ignore[arg-type]


def _linearised(
    one: Observation, plane: _Plane, drawn: Tensor, wish: NDArray[np.float64], kernel: GradientFilter
) -> LinearisedImages:
    """The moved image's gradients and their derivatives in the four moves, by differences of half a millimetre."""
    step = 0.5
    here = plane.moved(drawn, wish)
    moves = [
        (plane.moved(drawn, wish + step * axis) - plane.moved(drawn, wish - step * axis)) / (2 * step)
        for axis in np.eye(4)
    ]
    both = one.compared(torch.stack([here, *moves]), kernel)
    return LinearisedImages(both[:1], both[None, 1:])
