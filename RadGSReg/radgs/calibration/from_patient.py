"""The second view's geometry from the patient: several vertebrae, and the view they are seen by, solved for together.

The first view is held, because nothing tells where both stand. Coarse to fine: first the CT as it was scanned, as one
rigid thing, with the view free; then every vertebra with its surroundings apart. Directions of the view that the
images do not tell better than what was believed of it are named, and no surer than they were.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radgs.calibration.patient_problem import PatientProblem
from radgs.calibration.view_moves import numbers_between
from radgs.case import SelfCalibratedView
from radgs.geometry import RigidTransform, XRayView
from radgs.geometry.sigma import GeometrySigma
from radgs.vertebra import VertebraAnatomy

#: A view that stands where it is believed to explains the images nearly as well (gradient correlation) as a free one.
TELLING = 0.02

Progress = Callable[[float, str], None]


@dataclass(frozen=True, eq=False)
class SelfCalibration:
    """What was found.

    Attributes:
        found: The view's geometry, how uncertain it is, what changed and what was held.
        ct_to_world: The vertebrae's poses, by level.
        similarity: (B, V) gradient correlation on each vertebra.
    """

    found: SelfCalibratedView
    ct_to_world: dict[str, RigidTransform]
    similarity: NDArray[np.float64]


def calibrate_from_patient(
    views: Sequence[XRayView],
    vertebrae: Sequence[VertebraAnatomy],
    *starts: Mapping[str, RigidTransform],
    moving: int = 1,
    believed: GeometrySigma | None = None,
    progress: Progress = lambda fraction, message: None,
) -> SelfCalibration:
    """Solves for one view's source and detector, the others held.

    Args:
        views: The X-rays with the geometry that is believed.
        vertebrae: Those to be seen in them, in the order in which they stand.
        starts: Poses to begin from, of one level or more, tens of millimetres and degrees off at most; several such
            sets, the likelier first, where one may be wrong.
        moving: Which view is solved for.
        believed: How well its geometry is believed to be known. Where a change within that explains the images, it is
            no larger; where none does, and by default, the view stands where angles and distances were read off.
        progress: Called with the fraction done and what is being done.

    Raises:
        CaseError: No level has a place to start from.
    """
    problem = PatientProblem(views, vertebrae, moving, starts)
    prior = problem.nominal_prior
    progress(0.0, "aligning the CT as it was scanned, the view free")
    aligned = problem.whole(prior)
    begins = [aligned] if problem.sure(aligned) else [aligned, *problem.given()]
    progress(0.4, "refining all vertebrae and the view together")
    ends = [problem.apart(prior, begin) for begin in begins]
    solved, seen = problem.finest(prior, max(ends, key=lambda end: end.support))
    unlikely = believed is not None
    if believed is not None:
        progress(0.8, "asking whether the view can stand where it is believed to")
        known = believed.as_invertible_covariance
        within = problem.within(known, solved)
        explained = within[0].support > solved.support - TELLING
        if explained or not problem.contradicts(solved, seen, known):
            unlikely, (solved, seen) = False, within
    progress(1.0, "calibrated")
    return SelfCalibration(
        SelfCalibratedView(
            view=problem.views[moving].name,
            source_ras=solved.geometry.source_ras,
            detector_to_ras=solved.geometry.detector_to_ras,
            sigma=GeometrySigma.of_covariance(seen.covariance),
            changed=numbers_between(problem.believed, solved.geometry),
            moves=problem.moves(solved, seen),
            held=problem.names(seen),
            beyond_sigma=unlikely,
        ),
        ct_to_world={one.level.name: poses[0] for one, poses in zip(vertebrae, solved.poses, strict=True)},
        similarity=solved.correlation,
    )
