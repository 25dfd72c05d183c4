"""The stages of a calibration from the patient: the CT as one, the vertebrae apart, full resolution, what is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri

from radgs.calibration.joint_body import Body
from radgs.calibration.joint_solver import JointEstimate, Setting, solve
from radgs.calibration.observability import KNOWN_BETTER, KNOWN_BETTER_THAN_NOMINAL, Observability, as_moves, names_of
from radgs.calibration.view_moves import (
    MOVES,
    NOMINAL_SIZES,
    move_directions,
    numbers_between,
    prior_covariance,
)
from radgs.case import ViewMove
from radgs.errors import CaseError
from radgs.geometry import LEVER_MM, FloatArray, RigidTransform, ViewGeometry, XRayView, mean_distance
from radgs.refine import Estimate, Part, RelativePrior, Resolution
from radgs.refine.apart import parts_apart, parts_polished
from radgs.refine.candidates import SAME_MM
from radgs.refine.resolutions import (
    APART,
    AS_GIVEN,
    COARSE_PIXELS,
    COARSEST_PIXELS,
    FINE_PIXELS,
    POLISH,
    SEARCH,
    WHOLE_COARSE,
    WHOLE_COARSEST,
)
from radgs.refine.whole_ct import POOR_START, RESTART_TURN_RAD, SURE, intensity_tells_more
from radgs.vertebra import VertebraAnatomy

#: Between the vertebrae of the CT as it was scanned, which moves as one.
TOGETHER = RelativePrior(float(np.radians(0.2)), 0.1)
#: One vertebra against the next, since the CT.
LOOSELY = RelativePrior(float(np.radians(5.0)), 4.0)
#: So rarely does a view that stands where it is believed to look as if it did not.
UNLIKELY = 0.01
#: How much larger or smaller than bones a CT's model of them may be, one standard deviation: voxels blur their edges.
SIZE_SIGMA = 0.006
#: Weight of what is around the vertebrae.
AROUND = 0.5
#: So many times the steps that a single pose needs, at most.
MORE_STEPS = 2
#: So many of several beginnings are followed.
FOLLOWED = 2

Stage = tuple[tuple[Resolution, int], ...]


def _stage(resolutions: Sequence[Resolution], pixels: int) -> Stage:
    """Resolutions of a single pose's refinement, with more steps, for what moves together settles later.

    All that is seen tells of the view, not the vertebra alone.
    """
    more = (replace(one, iterations=MORE_STEPS * one.iterations) for one in resolutions)
    return tuple((replace(one, surround_weight=max(one.surround_weight, AROUND)), pixels) for one in more)


LOOKING = _stage(AS_GIVEN, COARSEST_PIXELS)
SEARCHING = _stage(SEARCH, COARSEST_PIXELS)
ALIGNING = (*_stage(WHOLE_COARSEST, COARSEST_PIXELS), *_stage(WHOLE_COARSE, COARSE_PIXELS))
PARTING = _stage(APART, COARSE_PIXELS)
FINISHING = _stage(POLISH, FINE_PIXELS)


class PatientProblem:
    """Several vertebrae, the views they are seen by, and which of those may stand elsewhere.

    Args:
        views: The X-rays.
        vertebrae: In the order in which they stand.
        moving: Number of the view that is solved for.
        starts: Poses of one level or more, by level; several such sets where one may be wrong, the likelier first.
    """

    def __init__(
        self,
        views: Sequence[XRayView],
        vertebrae: Sequence[VertebraAnatomy],
        moving: int,
        starts: Sequence[Mapping[str, RigidTransform]],
    ) -> None:
        # Where they were measured is found once, not at every crop.
        self.views = tuple(replace(view, field=view.measured) for view in views)
        self.vertebrae, self.moving = tuple(vertebrae), moving
        known = {one.level.name for one in vertebrae}
        self.starts = [{name: pose for name, pose in some.items() if name in known} for some in starts]
        poses = [pose for some in self.starts for pose in some.values()]
        if not poses:
            raise CaseError("No level has a place to start from.", "Click on one's body in every view.")
        # The moves of a view are about where the patient is.
        self._pivot = poses[0].apply(np.mean([one.centre for one in vertebrae], axis=0))
        self._poses = _distinct(poses, self._pivot)

    @property
    def believed(self) -> ViewGeometry:
        """Where the moving view is believed to stand."""
        return self.views[self.moving].geometry

    @cached_property
    def directions(self) -> NDArray[np.float64]:
        """(9, M) how the named moves change the view's numbers."""
        return move_directions(self.believed, self._pivot)

    @property
    def nominal_prior(self) -> NDArray[np.float64]:
        """(9, 9) of a view that stands where angles and distances were read off."""
        return prior_covariance(self.directions, NOMINAL_SIZES)

    def whole(self, prior: NDArray[np.float64]) -> JointEstimate:
        """The CT as it was scanned, and the view free: the best of what the likeliest starts lead to.

        Where none is good, starts that are turned both ways about each axis are tried as well.
        """
        setting = self._setting([self._whole_body(one) for one in self.vertebrae], prior, TOGETHER)

        def best(poses: Sequence[RigidTransform], search: Stage) -> list[JointEstimate]:
            searched = [solve(setting, self._begin([(pose,)] * len(self.vertebrae)), search) for pose in poses]
            searched.sort(key=lambda end: -end.support)
            followed: list[JointEstimate] = []
            while searched[len(followed) : FOLLOWED] and not any(_good(end) for end in followed):
                followed.append(solve(setting, searched[len(followed)], ALIGNING))
            return followed

        ends = best(self._poses, LOOKING)
        if not any(_good(end) for end in ends):
            turns = [sign * RESTART_TURN_RAD * axis for axis in np.eye(3) for sign in (-1.0, 1.0)]
            ends += best([self._poses[0].rotated_about(self._pivot, turn) for turn in turns], SEARCHING)
        found = max(ends, key=lambda end: end.support)
        return replace(
            found,
            poses=tuple(
                (poses[0],) * len(parts_apart(one)) for poses, one in zip(found.poses, self.vertebrae, strict=True)
            ),
        )

    def sure(self, aligned: JointEstimate) -> bool:
        """Whether the CT as it was scanned is where to go on from, and no other beginning need be heard."""
        return bool(aligned.correlation.mean(axis=0).min() >= SURE)

    def given(self) -> list[JointEstimate]:
        """The first starts themselves, where they have every level: a registration may have found them."""
        poses = self.starts[0]
        if len(poses) < len(self.vertebrae):
            return []
        return [self._begin([(poses[one.level.name],) * len(parts_apart(one)) for one in self.vertebrae])]

    def apart(self, prior: NDArray[np.float64], begin: JointEstimate) -> JointEstimate:
        """Every vertebra and what is beside it apart, and the view."""
        bodies = self._bodies(begin, parts_apart)
        return solve(self._setting(bodies, prior, LOOSELY), begin, PARTING)

    def finest(self, prior: NDArray[np.float64], begin: JointEstimate) -> tuple[JointEstimate, Observability]:
        """At full resolution, and what the images tell of a view that was read off a display.

        What they tell little of stays soft: held where it is wrong by centimetres, it would bend what they tell well.
        """
        free = self._finished(prior, begin)
        return free, Observability.of(self._size_in_doubt(free.information), prior, KNOWN_BETTER_THAN_NOMINAL)

    def within(self, believed: NDArray[np.float64], begin: JointEstimate) -> tuple[JointEstimate, Observability]:
        """The same of a view that stands where it is believed to, nearly: what the images do not tell is held there."""
        begin = replace(begin, geometry=self.believed)
        free = self._finished(believed, begin)
        seen = Observability.of(self._size_in_doubt(free.information), believed, KNOWN_BETTER)
        return (self._finished(believed, free, seen.holding) if seen.held.size else free), seen

    def _finished(
        self, prior: NDArray[np.float64], begin: JointEstimate, holding: NDArray[np.float64] | float = 0.0
    ) -> JointEstimate:
        return solve(self._setting(self._bodies(begin, parts_polished), prior, LOOSELY, holding), begin, FINISHING)

    def _size_in_doubt(self, information: NDArray[np.float64]) -> NDArray[np.float64]:
        """The images' (9, 9) information, when vertebrae may be larger or smaller than the CT's model of them.

        All of them then lie nearer to the first view or further from it, and the second has to stand there too.
        """
        if len(self.views) > 2:
            return information  # a third view tells the size
        away = self._pivot - self.views[1 - self.moving].geometry.source_ras
        shift = np.concatenate([away, away, np.zeros(3)]) * SIZE_SIGMA
        told = information @ shift
        return information - np.outer(told, told) / (1.0 + shift @ told)

    def contradicts(self, solved: JointEstimate, seen: Observability, believed: NDArray[np.float64]) -> bool:
        """Whether the view stands elsewhere than its believed uncertainty (9, 9) explains."""
        change = numbers_between(self.believed, solved.geometry)
        squares = float(change @ np.linalg.solve(seen.covariance + believed, change))
        return bool(squares > chdtri(max(int(np.sum(seen.known)), 1), UNLIKELY))

    def moves(self, solved: JointEstimate, seen: Observability) -> tuple[ViewMove, ...]:
        """The likeliest size of every move, and its standard deviation."""
        prior = self.nominal_prior
        values = as_moves(numbers_between(self.believed, solved.geometry), prior, self.directions, NOMINAL_SIZES)
        root = as_moves(np.asarray(np.linalg.cholesky(seen.covariance), float), prior, self.directions, NOMINAL_SIZES)
        deviations = np.linalg.norm(root, axis=1)
        return tuple(
            ViewMove(move.name, move.words, move.unit, float(value), float(deviation))
            for move, value, deviation in zip(MOVES, values, deviations, strict=True)
        )

    def names(self, seen: Observability) -> tuple[str, ...]:
        """What the images do not tell, in words."""
        return names_of(seen.held, self.nominal_prior, self.directions, NOMINAL_SIZES)

    def _setting(
        self,
        bodies: Sequence[Body],
        prior: NDArray[np.float64],
        tie: RelativePrior,
        holding: NDArray[np.float64] | float = 0.0,
    ) -> Setting:
        return Setting(self.views, self.moving, tuple(bodies), np.asarray(np.linalg.inv(prior), float) + holding, tie)

    def _begin(self, poses: Sequence[tuple[RigidTransform, ...]]) -> JointEstimate:
        return JointEstimate(tuple(poses), self.believed)

    def _whole_body(self, vertebra: VertebraAnatomy) -> Body:
        parts = (vertebra.whole_part.sampled_every(4.0),)
        return Body(vertebra.centre, parts, vertebra.vertebra_part, vertebra.doubt_part, device=vertebra.device)

    def _bodies(self, begin: JointEstimate, parts_of: Callable[[VertebraAnatomy], tuple[Part, ...]]) -> list[Body]:
        middle = len(self.vertebrae) // 2
        moved = replace(self.views[self.moving], geometry=begin.geometry)
        views = [*self.views[: self.moving], moved, *self.views[self.moving + 1 :]]
        hazy = intensity_tells_more(views, self.vertebrae[middle], Estimate([begin.poses[middle][0]]))
        return [Body(one.centre, parts_of(one), None, one.doubt_part, hazy, one.device) for one in self.vertebrae]


def _good(end: JointEstimate) -> bool:
    """Whether the CT as it was scanned explains every view."""
    return bool(end.correlation.mean(axis=0).min() >= POOR_START)


def _distinct(poses: Sequence[RigidTransform], pivot: FloatArray) -> list[RigidTransform]:
    """The poses that differ from those before them, there where the patient is."""
    found: list[RigidTransform] = []
    for pose in poses:
        points = pose.inverse().apply(pivot + LEVER_MM * np.vstack([np.zeros(3), np.eye(3)]))
        if all(mean_distance(points, pose, other) > SAME_MM for other in found):
            found.append(pose)
    return found
