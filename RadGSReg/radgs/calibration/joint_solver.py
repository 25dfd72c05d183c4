"""Several vertebrae and a view that may stand elsewhere, solved for together: Levenberg-Marquardt, coarse to fine.

The other views are held. What the images say of the moving view is what remains when every part may move as it likes;
a prior says how far off the view is believed to be, another how far parts and vertebrae move against the CT.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from radgs.calibration.joint_body import Body, WatchedBody
from radgs.calibration.joint_view import SHAPE, STEP_NUMBERS, MovingView
from radgs.calibration.view_moves import NUMBERS, numbers_between
from radgs.geometry import FloatArray, RigidTransform, ViewGeometry, XRayView
from radgs.refine import RelativePrior, Resolution
from radgs.refine.solver import TWIST_SCALE, scaled_twist
from radgs.threads import map_concurrently, one_thread

#: Images are wrong by more than their noise, and crops of neighbouring vertebrae overlap: errors were seen to be about
#: three times what the noise of their pixels explains (as variances, nine).
OPTIMISM = 9.0
#: A step is tried so many times, each shorter than the one before.
ATTEMPTS = 5
#: Damping, of the normal matrix's diagonal. A view and all that it shows can move together almost unseen: what would be
#: little damping of one pose alone keeps such a motion from ever arriving.
FIRST_DAMPING, LEAST_DAMPING = 1e-4, 1e-9
#: A resolution ends when a step promises to lower the cost (in squares of standard deviations) by no more than this.
SETTLED = 0.05


@dataclass(frozen=True, eq=False)
class Setting:
    """What does not change while it is solved.

    Attributes:
        views: The X-rays, with the geometry that they are believed to have.
        moving: Which of them may stand elsewhere.
        bodies: The vertebrae, in the order in which they stand.
        precision: (9, 9) inverse covariance of the moving view's numbers about what is believed.
        tie: How far one vertebra may have moved against the next since the CT.
    """

    views: tuple[XRayView, ...]
    moving: int
    bodies: tuple[Body, ...]
    precision: NDArray[np.float64]
    tie: RelativePrior

    @property
    def believed(self) -> ViewGeometry:
        """Where the moving view is believed to stand."""
        return self.views[self.moving].geometry

    def views_with(self, geometry: ViewGeometry) -> tuple[XRayView, ...]:
        """The views with another geometry of the moving one."""
        moved = replace(self.views[self.moving], geometry=geometry)
        return (*self.views[: self.moving], moved, *self.views[self.moving + 1 :])


@dataclass(frozen=True, eq=False)
class JointEstimate:
    """Where everything stands, and what the last linearisation knew.

    Attributes:
        poses: Per body, of its parts, part-to-world.
        geometry: The moving view's.
        information: (9, 9) of the moving view's numbers, as the images have it, all poses free.
        correlation: (B, V) gradient correlation on each vertebra's pixels.
    """

    poses: tuple[tuple[RigidTransform, ...], ...]
    geometry: ViewGeometry
    information: NDArray[np.float64] = field(default_factory=lambda: np.zeros((NUMBERS, NUMBERS)))
    correlation: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))

    @property
    def support(self) -> float:
        """How well the images agree with it."""
        return float(self.correlation.mean()) if self.correlation.size else 0.0


@torch.no_grad()
@one_thread()
def solve(setting: Setting, estimate: JointEstimate, resolutions: Sequence[tuple[Resolution, int]]) -> JointEstimate:
    """Solves for all parts and the moving view, at one resolution after the other.

    Args:
        setting: The problem.
        estimate: Where to begin.
        resolutions: Each with the pixels along a crop's side.
    """
    for resolution, pixels in resolutions:
        estimate = _Descent(setting, estimate, resolution, pixels).run()
    return estimate


@dataclass(frozen=True, eq=False)
class _State:
    """A point of the descent: poses per body, and the moving view."""

    poses: tuple[tuple[RigidTransform, ...], ...]
    view: MovingView


class _Descent:
    """One resolution: the X-rays are cropped where everything stands when it begins."""

    def __init__(self, setting: Setting, estimate: JointEstimate, resolution: Resolution, pixels: int) -> None:
        self._setting, self._resolution = setting, resolution
        views = setting.views_with(estimate.geometry)
        centres = [poses[0].apply(body.centre) for poses, body in zip(estimate.poses, setting.bodies, strict=True)]
        pivot: FloatArray = np.mean(centres, axis=0)
        self._state = _State(estimate.poses, MovingView.at(estimate.geometry, pivot))

        def watched(number: int) -> WatchedBody:
            body, poses = setting.bodies[number], estimate.poses[number]
            return WatchedBody(body, poses, views, setting.moving, pivot, resolution, pixels)

        self._watched = map_concurrently(watched, range(len(setting.bodies)))
        ends = np.cumsum([0, *(body.unknowns for body in self._watched)])
        self._places = [slice(begin, end) for begin, end in pairwise(ends)]
        self._view_place = slice(ends[-1], ends[-1] + STEP_NUMBERS)
        self._size = int(ends[-1]) + STEP_NUMBERS

    def run(self) -> JointEstimate:
        state, damping = self._state, FIRST_DAMPING
        images = self._linearised(state)
        for _ in range(self._resolution.iterations):
            weights = [
                body.match.robust_weight(image.rendered) for body, image in zip(self._watched, images, strict=True)
            ]
            normal, gradient, noises = self._by_images(images, weights)
            cost = self._cost(images, weights, noises)
            by_prior = self._by_priors(state)
            normal, gradient, cost = normal + by_prior[0], gradient + by_prior[1], cost + by_prior[2]
            improved = False
            for _ in range(ATTEMPTS):
                step = self._step(normal, gradient, damping, state.view)
                candidate = self._stepped(state, step)
                trial = self._linearised(candidate)
                if self._cost(trial, weights, noises) + self._by_priors(candidate)[2] < cost:
                    state, images, improved = candidate, trial, True
                    damping = max(damping / 10, LEAST_DAMPING)
                    break
                damping *= 10
            if not improved or float(step @ gradient) < SETTLED:
                break
        return self._summary(state, images)

    def _linearised(self, state: _State) -> list:
        pairs = zip(self._watched, state.poses, strict=True)
        jobs = [(body, poses) for body, poses in pairs]
        return map_concurrently(lambda job: job[0].linearised(job[1], state.view), jobs)

    def _by_images(self, images: Sequence, weights: Sequence) -> tuple[NDArray, NDArray, list[float]]:
        """Normal matrix and gradient in units of the images' noise, and the noise of each body."""
        normal, gradient, noises = np.zeros((self._size, self._size)), np.zeros(self._size), []
        for body, place, image, weight in zip(self._watched, self._places, images, weights, strict=True):
            system = body.match.normal_equations(image, weight)
            at = np.r_[place, self._view_place]
            normal[np.ix_(at, at)] += system.normal / system.noise
            gradient[at] += system.gradient / system.noise
            noises.append(system.noise)
        return normal, gradient, noises

    def _cost(self, images: Sequence, weights: Sequence, noises: Sequence[float]) -> float:
        terms = zip(self._watched, images, weights, noises, strict=True)
        return sum(body.match.cost(image.rendered, weight) / noise for body, image, weight, noise in terms)

    def _by_priors(self, state: _State) -> tuple[NDArray, NDArray, float]:
        """Of the parts, of the vertebrae against each other, and of the view: in standard deviations."""
        normal, gradient, cost = self._by_relative_priors(state)
        change = numbers_between(self._setting.believed, state.view.geometry)
        per_step, precision = state.view.numbers_per_step(), self._setting.precision
        normal[self._view_place, self._view_place] += per_step.T @ precision @ per_step
        gradient[self._view_place] -= per_step.T @ precision @ change
        return normal, gradient, cost + float(change @ precision @ change)

    def _by_relative_priors(self, state: _State) -> tuple[NDArray, NDArray, float]:
        normal, gradient, cost = np.zeros((self._size, self._size)), np.zeros(self._size), 0.0
        for body, place, poses in zip(self._watched, self._places, state.poses, strict=True):
            own = body.prior_terms(poses)
            normal[place, place] += own[0]
            gradient[place] += own[1]
            cost += own[2]
        tie = self._setting.tie
        precision = (TWIST_SCALE / np.array([tie.rotation_rad] * 3 + [tie.shift_mm] * 3)) ** 2
        for first, second in pairwise(range(len(self._watched))):
            centres = [self._watched[number].centre for number in (first, second)]
            middle = np.mean(centres, axis=0)
            offset = scaled_twist(state.poses[second][0] @ state.poses[first][0].inverse(), middle)
            select = np.zeros((6, self._size))
            for number, sign in ((first, -1.0), (second, 1.0)):
                begin = self._places[number].start
                select[:, begin : begin + 6] = sign * _carried(middle - self._watched[number].centre)
            normal += select.T @ (precision[:, None] * select)
            gradient -= select.T @ (precision * offset)
            cost += float(offset @ (precision * offset))
        return normal, gradient, cost

    def _step(self, normal: NDArray, gradient: NDArray, damping: float, view: MovingView) -> NDArray[np.float64]:
        damped = normal + damping * np.diag(np.diag(normal)) + 1e-12 * np.eye(self._size)
        step = np.linalg.solve(damped, gradient)
        # Along its beam, and by the shape of its rays, a view goes far without moving an image far.
        seen = np.delete(step, np.r_[self._view_place][SHAPE])
        shift = seen[-3:]
        seen[-3:] = shift - (shift @ view.base.normal) * view.base.normal
        return step * min(1.0, 2.0 * self._resolution.sigma_mm / (np.abs(seen).max() + 1e-12))

    def _stepped(self, state: _State, step: NDArray[np.float64]) -> _State:
        poses = tuple(
            tuple(body.moved(poses, step[place]))
            for body, place, poses in zip(self._watched, self._places, state.poses, strict=True)
        )
        return _State(poses, state.view.stepped(step[self._view_place]))

    def _summary(self, state: _State, images: Sequence) -> JointEstimate:
        weights = [body.match.robust_weight(image.rendered) for body, image in zip(self._watched, images, strict=True)]
        normal = self._by_images(images, weights)[0] / OPTIMISM + self._by_relative_priors(state)[0]
        poses, view = slice(0, self._view_place.start), self._view_place
        free = normal[poses, poses] + 1e-9 * np.eye(poses.stop)
        left = normal[view, view] - normal[view, poses] @ np.linalg.solve(free, normal[poses, view])
        per_number = np.linalg.inv(state.view.numbers_per_step())
        information = per_number.T @ left @ per_number
        correlation = np.array(
            [body.match.correlation(image.rendered) for body, image in zip(self._watched, images, strict=True)]
        )
        return JointEstimate(state.poses, state.view.geometry, (information + information.T) / 2, correlation)


def _carried(arm: FloatArray) -> NDArray[np.float64]:
    """(6, 6) a twist about a point as one about another, ``arm`` (3,) away, in units of ``TWIST_SCALE``."""
    x, y, z = arm
    lever = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    matrix = np.eye(6)
    matrix[3:, :3] = -lever * TWIST_SCALE[0]
    return matrix
