"""ct_to_world in ITK's transform files (.tfm, .h5), where it stands as the map that resamples the CT.

The file holds ITK's resampling direction: SimpleITK's ``TransformPoint(world_lps)`` gives ``ct_lps``. 3D Slicer shows
the inverse in RAS, so that a loaded node's MatrixToParent is ``ct_to_world``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK

from radgs.errors import GeometryError, InputFileError
from radgs.geometry import FloatArray, RigidTransform
from radgs.io.raster import LPS_TO_RAS


def write_transform(path: Path, ct_to_world: RigidTransform) -> None:
    """Writes ``ct_to_world`` (RAS, mm) as ITK's resampling map from world to CT in LPS.

    Raises:
        InputFileError: The file cannot be written.
    """
    world_to_ct_lps = LPS_TO_RAS @ ct_to_world.inverse().matrix @ LPS_TO_RAS
    transform = SimpleITK.AffineTransform(3)
    transform.SetMatrix(world_to_ct_lps[:3, :3].ravel().tolist())
    transform.SetTranslation(world_to_ct_lps[:3, 3].tolist())
    try:
        SimpleITK.WriteTransform(transform, str(path))
    except RuntimeError as problem:
        raise InputFileError(
            f"{path} cannot be written.", "Check the folder, and use the suffix .tfm or .h5."
        ) from problem


def read_transform(path: Path) -> RigidTransform:
    """Reads ``ct_to_world`` (RAS, mm) from a file that holds ITK's resampling map; any linear ITK transform will do.

    Raises:
        InputFileError: Missing or unreadable, or not a linear 3D transform.
        GeometryError: Not rigid.
    """
    if not path.is_file():
        raise InputFileError(f"There is no file {path}.", "Check the path.")
    try:
        transform = SimpleITK.ReadTransform(str(path))
    except RuntimeError as problem:
        raise InputFileError(
            f"{path} is not a transform file that can be read.", "Give an ITK transform, .tfm or .h5."
        ) from problem
    if transform.GetDimension() != 3 or not transform.IsLinear():
        raise InputFileError(f"{path} does not hold a linear 3D transform.", "Give a rigid transform.")
    try:
        world_to_ct = RigidTransform.from_matrix(LPS_TO_RAS @ _matrix(transform) @ LPS_TO_RAS)
    except GeometryError as error:
        raise GeometryError(f"{path}: {error.problem}", error.remedy) from error
    return world_to_ct.inverse()


def _matrix(transform: SimpleITK.Transform) -> FloatArray:
    """(4, 4) matrix of a linear transform, whatever its parametrization, from where it sends four points."""
    origin = np.array(transform.TransformPoint((0.0, 0.0, 0.0)))
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack(
        [np.array(transform.TransformPoint(axis)) - origin for axis in np.eye(3).tolist()], axis=1
    )
    matrix[:3, 3] = origin
    return matrix
