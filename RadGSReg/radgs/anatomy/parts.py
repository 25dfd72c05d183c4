"""The parts by which a vertebra is read on an X-ray: body, pedicles, spinous process, and the rest of the arch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radgs.anatomy.body import SPACING_MM, posterior_wall, spinal_canal
from radgs.anatomy.surface import label_mask, surface_mesh
from radgs.geometry import FloatArray, RigidTransform, Volume

#: By number, as ``PartsOfVertebra.of`` counts them; a bone without a canal is all of the first.
PARTS = ("bone", "body", "pedicles", "spinous process", "arch")

#: The spinous process is no wider than this on either side of the midline, mm.
SPINOUS_HALF_WIDTH_MM = 7.0
#: Pedicles reach this far back beside the canal, as a share of its depth.
PEDICLE_DEPTH = 0.6
#: Pedicles lie within this distance from the canal's side, mm; further out begins the transverse process.
PEDICLE_WIDTH_MM = 14.0
#: Pedicles spring from the body's upper part: not further down than this below its centre, mm.
PEDICLE_LOWEST_MM = -8.0


@dataclass(frozen=True, eq=False)
class PartsOfVertebra:
    """Where one part of a vertebra ends and the next begins, in its anatomical frame, mm.

    Attributes:
        ct_to_frame: From the CT's RAS to right, anterior, superior from the body's centroid.
        wall: The posterior wall of the body, its anterior coordinate.
        canal_back: The back of the spinal canal, likewise.
        canal_half_width: Half its width.
    """

    ct_to_frame: RigidTransform
    wall: float
    canal_back: float
    canal_half_width: float

    def of(self, points: FloatArray) -> NDArray[np.int64]:
        """(N,) the part, a number of ``PARTS``, that points (N, 3), the CT's RAS, belong to."""
        right, anterior, superior = self.ct_to_frame.apply(points).T
        beside = np.abs(right)
        canal_depth = self.wall - self.canal_back
        pedicle = (anterior > self.wall - PEDICLE_DEPTH * canal_depth) & (superior > PEDICLE_LOWEST_MM)
        pedicle &= beside < self.canal_half_width + PEDICLE_WIDTH_MM
        spinous = (anterior < self.canal_back) & (beside < SPINOUS_HALF_WIDTH_MM)
        return np.select([anterior > self.wall, pedicle, spinous], [1, 2, 3], 4)


def parts_of_vertebra(labels: Volume, label: int, frame_to_ct: RigidTransform) -> PartsOfVertebra | None:
    """Where a labelled vertebra's parts lie; None where no canal is enclosed.

    Args:
        labels: Label map, any orientation.
        label: The vertebra's label.
        frame_to_ct: Its anatomical frame.

    Raises:
        CaseError: The label is not in the map.
    """
    vertices, _ = surface_mesh(labels, label)
    mask = label_mask(labels, label)
    along = frame_to_ct.inverse().apply(vertices)
    low = along.min(axis=0) - 3 * SPACING_MM
    size = np.ceil((along.max(axis=0) + 3 * SPACING_MM - low) / SPACING_MM).astype(int) + 1
    index_to_ras = np.eye(4)
    index_to_ras[:3, :3] = frame_to_ct.rotation * SPACING_MM
    index_to_ras[:3, 3] = frame_to_ct.apply(low)
    grid = Volume(np.zeros(tuple(size[::-1]), dtype=np.float32), index_to_ras)
    whole = Volume(mask.array.astype(np.float32), mask.index_to_ras).resampled_to(grid).array > 0.5
    canal, wall = spinal_canal(whole), posterior_wall(whole)
    if canal is None or wall is None:
        return None
    where = np.argwhere(canal)
    back, right = np.percentile(where[:, 1], 5), where[:, 2]
    return PartsOfVertebra(
        ct_to_frame=frame_to_ct.inverse(),
        wall=float(low[1] + wall * SPACING_MM),
        canal_back=float(low[1] + back * SPACING_MM),
        canal_half_width=float((np.percentile(right, 95) - np.percentile(right, 5)) / 2 * SPACING_MM),
    )
