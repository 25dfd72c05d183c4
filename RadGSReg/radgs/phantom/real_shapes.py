"""A patient's vertebrae in the place of drawn ones: real shapes and places, known from labels alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from radgs.anatomy import label_mask, vertebra_frame
from radgs.errors import CaseError
from radgs.geometry import RigidTransform, Volume, angle_between
from radgs.phantom.curve import SpineCurve
from radgs.phantom.extent import VERSE
from radgs.phantom.shapes import REACH, Distance, Grid, Solid

#: Labels end in steps of a voxel; surfaces are rounded by so much of it (standard deviation).
ROUNDED = 0.6
#: From the lowest vertebra's middle to the endplate below it, mm, and how far that is tilted forward, degrees.
SACRUM_BELOW_MM, SACRUM_TILT_DEG = 23.0, 15.0


@dataclass(frozen=True, eq=False)
class RealVertebrae:
    """What a label map says of a patient.

    Attributes:
        labels: VerSe's numbers, any orientation.
        to_phantom: The patient's RAS to the phantom's, whose L3 has its body's centre at the origin.
        curve: Where the vertebrae stand there; the sacrum, which has no label, is assumed.
    """

    labels: Volume
    to_phantom: RigidTransform
    curve: SpineCurve

    @classmethod
    def of(cls, labels: Volume, column: Sequence[str]) -> RealVertebrae:
        """The vertebrae of a column.

        Args:
            labels: A label map, VerSe's numbers, any orientation.
            column: Its levels, from the head down; L1 and L3 are among them.

        Raises:
            CaseError: A level is not in the map, or too little of it.
        """
        missing = [level for level in column if not (labels.array == VERSE[level]).any()]
        if missing:
            raise CaseError(f"The label map has no {missing[0]}.", "Give one that holds the whole of the column.")
        frames = {level: vertebra_frame(labels, VERSE[level]) for level in reversed(column)}
        to_phantom = RigidTransform(np.eye(3), -frames["L3"].translation)
        frames = {level: to_phantom @ frame for level, frame in frames.items()}
        lowest = frames[column[-1]]
        down = RigidTransform(np.eye(3), np.array([0.0, 0.0, -SACRUM_BELOW_MM]))
        tilt = RigidTransform.from_rotation_vector(np.radians([-SACRUM_TILT_DEG, 0.0, 0.0]))
        sacrum = lowest @ down @ tilt
        lordosis = angle_between(frames["L1"].rotation[:, 2], sacrum.rotation[:, 2])
        return cls(labels, to_phantom, SpineCurve(frames, sacrum, float(np.degrees(lordosis)), 0.0))

    def solid(self, grid: Grid, level: str) -> Solid:
        """A vertebra's shape on the phantom's grid."""
        mask = label_mask(self.labels, VERSE[level], margin_voxels=int(REACH / self.labels.spacing.min()) + 2)
        signed = Volume(signed_distance(mask), self.to_phantom.matrix @ mask.index_to_ras)
        corners = signed.to_ras(np.indices((2, 2, 2)).reshape(3, -1).T * (np.asarray(signed.size) - 1))
        window = grid.window(corners.min(axis=0), corners.max(axis=0))
        if window is None:
            raise ValueError("a vertebra lies wholly outside the phantom's grid")
        solid = Solid(window)
        solid.distance = signed.resampled_to(window.volume(solid.distance), outside=REACH).array.astype(np.float32)
        return solid


def signed_distance(mask: Volume) -> Distance:
    """Distance (mm) from a mask's surface, at most ``REACH``, negative inside, its steps rounded."""
    inside, spacing = mask.array > 0, mask.spacing[::-1]
    distance = ndimage.distance_transform_edt(~inside, spacing) - ndimage.distance_transform_edt(inside, spacing)
    # Between two voxels' centres, one inside and one outside, this jumps by two steps where the surface is half way.
    distance -= np.sign(distance) * 0.5 * spacing.min()
    return np.asarray(ndimage.gaussian_filter(np.minimum(distance, REACH), ROUNDED), np.float32)
