"""The covariance of a refined pose, from the same grounds as its predicted error."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from radgs.case.pose_covariance import ELLIPSOID_95, PoseCovariance
from radgs.geometry import XRayView
from radgs.pipeline.geometry_uncertainty import geometry_covariance
from radgs.pipeline.view_consistency import ViewWish, disagreement_mm
from radgs.refine import Refinement
from radgs.refine.solver import TWIST_SCALE
from radgs.vertebra import VertebraAnatomy

#: So much of a computed standard deviation is predicted: by all of it 95 of 96 errors lay within what was predicted for
#: 95 % of a surface, by this 92; docs/safety.md says of which trials.
CALIBRATION = 0.85


def pose_covariance(
    views: Sequence[XRayView], refinement: Refinement, vertebra: VertebraAnatomy, wishes: Sequence[ViewWish] = ()
) -> PoseCovariance | None:
    """What the images leave open, what the geometry's own uncertainty adds, and what the views cannot agree on.

    Args:
        views: The X-rays.
        refinement: The pose, with the information that the images give.
        vertebra: The vertebra.
        wishes: What each view still wants; as far as anybody knows, that is as large in every direction.

    Returns:
        The covariance about the body's centre; None where the images leave a direction wholly open.
    """
    information = refinement.final.information
    if not np.isfinite(information).all():
        return None
    pose = refinement.ct_to_world
    centre = pose.apply(vertebra.centre)
    try:
        by_images = np.linalg.inv(information + 1e-9 * np.eye(6))
        in_units = by_images + geometry_covariance(views, pose.apply(vertebra.surface), centre)
        np.linalg.cholesky(in_units)
    except np.linalg.LinAlgError:
        return None
    matrix = TWIST_SCALE[:, None] * in_units * TWIST_SCALE
    contradiction = disagreement_mm(wishes)
    matrix[3:, 3:] += (contradiction / ELLIPSOID_95) ** 2 * np.eye(3)
    return PoseCovariance(centre, CALIBRATION**2 * (matrix + matrix.T) / 2)
