"""ITK's transform files, .tfm, .txt and .h5: for ITK, SimpleITK and 3D Slicer."""

from __future__ import annotations

from radgs.export.formats import PoseFileFormat
from radgs.export.released_poses import TRIAL_POINT, ReleasedPose, point_text
from radgs.io.raster import LPS_TO_RAS
from radgs.io.transforms import read_transform, write_transform

HOLDS = (
    "ITK's resampling map, which runs from the world to the CT, in LPS and millimetres: "
    "TransformPoint(world_lps) gives ct_lps. "
    "3D Slicer turns it round on loading: the node's MatrixToParent is ct_to_world in RAS."
)


def _trial(pose: ReleasedPose) -> str:
    world_lps = LPS_TO_RAS[:3, :3] @ pose.trial_point_in_world
    ct_lps = LPS_TO_RAS[:3, :3] @ TRIAL_POINT
    return f"Try it: TransformPoint({point_text(world_lps)}) must give {point_text(ct_lps)}."


ITK_FORMATS = tuple(
    PoseFileFormat(name, f".{name}", f"ITK transform, {kind} (.{name})", HOLDS, _trial, write_transform, read_transform)
    for name, kind in (("tfm", "text"), ("h5", "HDF5"), ("txt", "text"))
)
