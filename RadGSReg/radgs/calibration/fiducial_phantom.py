"""A C-arm calibrated from X-rays of a phantom with known points: DLT, bundle adjustment, covariance, bad picks.

Rays do not depend on the film's distance, so that a calibration from pixels alone leaves the film's scale open; a
pixel's size settles it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from radgs.calibration.exposure_model import FOCAL, MIDDLE, PARAMETERS, SOURCE, ExposureModel, model_of_projection
from radgs.calibration.linear import MIN_POINTS, agreeing_projection
from radgs.calibration.pick_files import Pick
from radgs.errors import GeometryError
from radgs.geometry import FloatArray, ViewGeometry
from radgs.geometry.sigma import GeometrySigma

#: A pick is bad when it misses by more than this many robust standard deviations, and by more than a pixel.
BAD_PICK_SIGMAS, BAD_PICK_PIXELS = 4.5, 1.0

#: A median absolute distance of a normal deviate in 2D is so many standard deviations (Rayleigh's median).
MEDIAN_OF_RAYLEIGH = 1.1774

#: Standard deviations below which picks are not believed to lie, pixels.
MIN_PICK_SIGMA = 0.02

#: The phantom's points must span this share of their extent in the direction in which they are flattest.
MIN_DEPTH = 0.05


@dataclass(frozen=True, eq=False)
class ViewCalibration:
    """One view as calibrated.

    Attributes:
        name: The view.
        geometry: Source and film.
        sigma: How uncertain both are, together.
        residuals_px: Per pick that was used, its distance from where the calibration projects the point.
        bad_picks: Names of points whose picks contradict the others, the worst first, with their distances in pixels.
        pick_sigma_px: Standard deviation of a pick along one axis, as the residuals have it.
    """

    name: str
    geometry: ViewGeometry
    sigma: GeometrySigma
    residuals_px: dict[str, float]
    bad_picks: dict[str, float]
    pick_sigma_px: float


@dataclass(frozen=True, eq=False)
class PhantomCalibration:
    """All views of a phantom, in the phantom's own frame."""

    views: tuple[ViewCalibration, ...]


def calibrate_phantom(
    phantom: Mapping[str, FloatArray],
    picks: Sequence[Pick],
    sizes: Mapping[str, tuple[int, int]],
    *,
    pixel_mm: Mapping[str, float] | None = None,
    source_to_detector_mm: Mapping[str, float] | None = None,
    middle_px: Mapping[str, tuple[float, float]] | None = None,
    point_sigma_mm: float = 0.0,
) -> PhantomCalibration:
    """Finds every view's source and film from picks of known points.

    Args:
        phantom: Name and (3,) place of every fiducial, mm.
        picks: At least six in each view.
        sizes: Per view, columns and rows of its image.
        pixel_mm: Per view, the size of a pixel on the film; the film's distance is free where it is not known.
        source_to_detector_mm: Per view, a distance that is known and held; needs the pixel's size.
        middle_px: Per view, the (column, row) nearest to the source, where it is known; then it is held. Without it, it
            trades off against the film's tilt, which no ray notices.
        point_sigma_mm: How far, as a standard deviation, the fiducials may lie off their stated places; above 0 they
            are adjusted together with all views.

    Raises:
        GeometryError: Fewer than six picks in a view, all in one plane, or a view whose size is not given.
    """
    views = list(dict.fromkeys(pick.view for pick in picks))
    if not views:
        raise GeometryError("There are no picks.", "Pick the phantom's points in every view.")
    problems = [_first_fit(view, phantom, picks, sizes) for view in views]
    for problem in problems:
        if source_to_detector_mm and problem.name in source_to_detector_mm:
            if not pixel_mm or problem.name not in pixel_mm:
                raise GeometryError(
                    f"View {problem.name} has a known source-detector distance and no pixel size.", "Give both."
                )
            problem.held[FOCAL] = source_to_detector_mm[problem.name] / pixel_mm[problem.name]
        if middle_px and problem.name in middle_px:
            problem.held[MIDDLE.start], problem.held[MIDDLE.start + 1] = middle_px[problem.name]
        problem.parameters = problem.with_held(problem.parameters)
    for _ in range(len(picks)):
        _adjust(problems, point_sigma_mm)
        taken = [problem.set_aside_bad_picks() for problem in problems]
        if not any(taken):
            break
    covariances = _adjust(problems, point_sigma_mm)
    pixel = pixel_mm or {}
    return PhantomCalibration(
        tuple(
            _result(problem, covariance, pixel.get(problem.name))
            for problem, covariance in zip(problems, covariances, strict=True)
        )
    )


@dataclass
class _ViewProblem:
    """One view while it is being solved."""

    name: str
    names: list[str]
    points: FloatArray
    pixels: FloatArray
    used: NDArray[np.bool_]
    model: ExposureModel
    parameters: FloatArray
    held: dict[int, float] = field(default_factory=dict)

    def with_held(self, parameters: FloatArray) -> FloatArray:
        """The parameters with those that are known put in."""
        known = parameters.copy()
        for place, value in self.held.items():
            known[place] = value
        return known

    def misses(self) -> FloatArray:
        """(N,) distances of all picks from the projections, pixels."""
        return np.linalg.norm(self.model.project(self.parameters, self.points) - self.pixels, axis=1)

    def pick_sigma(self) -> float:
        """Of the picks in use, along one axis, with the degrees of freedom that the parameters took."""
        free = 2 * int(self.used.sum()) - PARAMETERS + len(self.held)
        squares = float((self.misses()[self.used] ** 2).sum())
        return max(float(np.sqrt(squares / max(free, 1))), MIN_PICK_SIGMA)

    def set_aside_bad_picks(self) -> bool:
        """Takes the worst pick out if it contradicts the rest; whether it did."""
        misses = self.misses()
        if self.used.sum() <= MIN_POINTS + 1:
            return False
        robust = max(float(np.median(misses[self.used])) / MEDIAN_OF_RAYLEIGH, MIN_PICK_SIGMA)
        worst = int(np.argmax(np.where(self.used, misses, -1.0)))
        if misses[worst] <= max(BAD_PICK_SIGMAS * robust, BAD_PICK_PIXELS):
            return False
        self.used[worst] = False
        return True


def _first_fit(
    view: str, phantom: Mapping[str, FloatArray], picks: Sequence[Pick], sizes: Mapping[str, tuple[int, int]]
) -> _ViewProblem:
    own = [pick for pick in picks if pick.view == view]
    if len(own) < MIN_POINTS:
        raise GeometryError(
            f"View {view} has {len(own)} picks.", f"Pick at least {MIN_POINTS} points of the phantom in it."
        )
    if view not in sizes:
        raise GeometryError(f"Nothing says how large the image of view {view} is.", "Give --size columns,rows.")
    points = np.array([phantom[pick.point] for pick in own])
    pixels = np.array([pick.pixel for pick in own])
    extents = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    if extents[2] < MIN_DEPTH * extents[0]:
        raise GeometryError(
            f"The points picked in view {view} lie nearly in one plane.", "Pick points at different depths."
        )
    model, parameters = model_of_projection(agreeing_projection(points, pixels), sizes[view])
    names = [pick.point for pick in own]
    problem = _ViewProblem(view, names, points, pixels, np.ones(len(own), dtype=bool), model, parameters)
    misses = problem.misses()  # picks far off the agreeing half would pull the first adjustment away
    robust = max(float(np.median(misses)) / MEDIAN_OF_RAYLEIGH, MIN_PICK_SIGMA)
    near = misses <= max(10 * BAD_PICK_SIGMAS * robust, 20.0)
    if near.sum() > MIN_POINTS:
        problem.used = near
    return problem


def _adjust(problems: Sequence[_ViewProblem], point_sigma_mm: float) -> list[FloatArray]:
    """Solves all views together, the phantom's points with them where they may be off.

    Returns:
        Per view, the (9, 9) covariance of its parameters.
    """
    names = sorted({name for problem in problems for name in problem.names}) if point_sigma_mm > 0 else []
    place = {name: number for number, name in enumerate(names)}
    count = len(problems) * PARAMETERS

    def unpack(x: FloatArray) -> tuple[list[FloatArray], FloatArray]:
        views = []
        for number, problem in enumerate(problems):
            views.append(problem.with_held(x[number * PARAMETERS : (number + 1) * PARAMETERS]))
        return views, x[count:].reshape(-1, 3)

    def residuals(x: FloatArray) -> FloatArray:
        views, shifts = unpack(x)
        parts = []
        for problem, own in zip(problems, views, strict=True):
            points = problem.points
            if names:
                points = points + shifts[[place[name] for name in problem.names]]
            errors = (problem.model.project(own, points) - problem.pixels)[problem.used]
            parts.append(errors.ravel() / scales[problem.name])
        if names:
            parts.append(shifts.ravel() / point_sigma_mm)
        return np.concatenate(parts)

    start = np.concatenate([*(problem.parameters for problem in problems), np.zeros(3 * len(names))])
    scales = {problem.name: 1.0 for problem in problems}
    if names:  # picks and points weigh by what each is worth
        scales = {problem.name: max(problem.pick_sigma(), 0.1) for problem in problems}
    solved = least_squares(residuals, start, method="lm", x_scale="jac", xtol=1e-11, ftol=1e-11, gtol=1e-11)
    views, _ = unpack(solved.x)
    for problem, solution in zip(problems, views, strict=True):
        problem.parameters = solution
    information = solved.jac.T @ solved.jac
    covariance = np.linalg.pinv(information, rcond=1e-14, hermitian=True)
    found = []
    for number, problem in enumerate(problems):
        own = slice(number * PARAMETERS, (number + 1) * PARAMETERS)
        block = covariance[own, own]
        found.append(block if names else block * problem.pick_sigma() ** 2)
    return found


def _result(problem: _ViewProblem, covariance: FloatArray, pixel_mm: float | None) -> ViewCalibration:
    size = pixel_mm if pixel_mm is not None else _film_behind(problem)
    misses = problem.misses()
    bad = {name: float(miss) for name, miss, used in zip(problem.names, misses, problem.used, strict=True) if not used}
    return ViewCalibration(
        name=problem.name,
        geometry=problem.model.view(problem.parameters, size),
        sigma=_sigma(problem, covariance, size),
        residuals_px={
            name: float(miss) for name, miss, used in zip(problem.names, misses, problem.used, strict=True) if used
        },
        bad_picks=dict(sorted(bad.items(), key=lambda item: -item[1])),
        pick_sigma_px=problem.pick_sigma(),
    )


def _film_behind(problem: _ViewProblem) -> float:
    """The pixel size of a film 1.3 times as far from the source as the phantom, where no size is known."""
    view = problem.model.view(problem.parameters, 1.0)
    depth = float(view.normal @ (problem.points.mean(axis=0) - view.source_ras))
    return 1.3 * depth / float(problem.parameters[FOCAL])


def _sigma(problem: _ViewProblem, covariance: FloatArray, pixel_mm: float) -> GeometrySigma:
    """Of source, film and its rotation together, by their derivatives with the parameters.

    Picks tell the rays far better than how far away the source is along them: source and film are uncertain together,
    and three standard deviations alone would make a vertebra seem millimetres less certain than it is.
    """

    def film(parameters: FloatArray) -> tuple[FloatArray, FloatArray]:
        view = problem.model.view(parameters, pixel_mm)
        return view.centre_ras, view.detector_to_ras

    centre, axes = film(problem.parameters)
    jacobian = np.zeros((9, PARAMETERS))
    jacobian[:3, SOURCE] = np.eye(3)
    for number in range(PARAMETERS):
        step = 1e-6 * max(1.0, abs(float(problem.parameters[number])))
        moved = problem.parameters.copy()
        moved[number] += step
        centre_moved, axes_moved = film(moved)
        jacobian[3:6, number] = (centre_moved - centre) / step
        turn = _rotation(axes_moved) @ _rotation(axes).T
        about = np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]])
        jacobian[6:, number] = np.degrees(about / (2 * step))
    return GeometrySigma.of_covariance(jacobian @ covariance @ jacobian.T)


def _rotation(detector_to_ras: FloatArray) -> FloatArray:
    """(3, 3) orthonormal axes of a film; improper where the image is mirrored."""
    axes = detector_to_ras[:3, :3]
    return axes / np.linalg.norm(axes, axis=0)
