"""ct_to_world in ITK's transform files (.tfm, .h5), where it stands as the map that resamples the CT.

The file holds ITK's resampling direction: SimpleITK's ``TransformPoint(world_lps)`` gives ``ct_lps``. 3D Slicer shows
the inverse in RAS, so that a loaded node's MatrixToParent is ``ct_to_world``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK

from radgs.errors import GeometryError, InputFileError
from radgs.geometry import FloatArray, RigidTransform, largest_distance
from radgs.io.atomic import not_as_written, sync, write_atomically
from radgs.io.input_files import head_of
from radgs.io.raster import LPS_TO_RAS
from radgs.io.transform_child import as_text

#: A pose read back may take a point within half a metre of the origin this far from where it was.
SAME_POSE_MM = 1e-6
#: A transform in HDF5 is not larger: the space is taken first, because ITK's HDF5 crashes where it finds none.
HDF5_SUFFIXES, HDF5_BYTES = frozenset({".h5", ".hdf5"}), 65536
#: How such files begin.
HDF5_BEGINS = b"\x89HDF\r\n\x1a\n"
#: The first line of ITK's text files, and no such file is longer than this, bytes.
TEXT_BEGINS, LONGEST_TEXT = b"#Insight Transform File V1.0", 100_000
#: Parameters of ITK's linear 3D transforms, by what their names begin with.
PARAMETERS = {
    "AffineTransform": 12,
    "MatrixOffsetTransformBase": 12,
    "ScaleSkewVersor3DTransform": 15,
    "ScaleVersor3DTransform": 9,
    "Similarity3DTransform": 7,
    "VersorRigid3DTransform": 6,
    "VersorTransform": 3,
    "Euler3DTransform": 6,
    "TranslationTransform": 3,
}


def write_transform(path: Path, ct_to_world: RigidTransform) -> None:
    """Writes ``ct_to_world`` (RAS, mm) as ITK's resampling map from world to CT in LPS; read back before it is there.

    Raises:
        OutputError: The file cannot be written.
    """
    world_to_ct_lps = LPS_TO_RAS @ ct_to_world.inverse().matrix @ LPS_TO_RAS
    transform = SimpleITK.AffineTransform(3)
    transform.SetMatrix(world_to_ct_lps[:3, :3].ravel().tolist())
    transform.SetTranslation(world_to_ct_lps[:3, 3].tolist())
    with write_atomically(path) as aside:
        # ITK writes what fits on a full disk, and says nothing.
        if path.suffix in HDF5_SUFFIXES:
            aside.write_bytes(bytes(HDF5_BYTES))
            sync(aside)
        try:
            SimpleITK.WriteTransform(transform, str(aside))
            distance = largest_distance(ct_to_world, _read_here(aside))
        except (RuntimeError, InputFileError, GeometryError) as problem:
            raise not_as_written(path) from problem
        if not distance <= SAME_POSE_MM:
            raise not_as_written(path)


def read_transform(path: Path) -> RigidTransform:
    """Reads ``ct_to_world`` (RAS, mm) from a file that holds ITK's resampling map; any linear ITK transform will do.

    Raises:
        InputFileError: Missing or unreadable, or not a linear 3D transform.
        GeometryError: Not rigid.
    """
    if head_of(path, len(HDF5_BEGINS)) != HDF5_BEGINS:
        return _read_here(path)
    with as_text(path) as copy:
        if not copy.stat().st_size:
            raise InputFileError(
                f"{path} is not a transform file that can be read.", "Give an ITK transform, .tfm or .h5."
            )
        return _read_here(copy)


def _read_here(path: Path) -> RigidTransform:
    """``read_transform`` of a text, or of a file just written, in this process."""
    _check_text_is_whole(path)
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


def _check_text_is_whole(path: Path) -> None:
    """Refuses a text file that was cut off: ITK takes zeros for the numbers that are missing.

    Raises:
        InputFileError: A line of numbers is short, or the last one does not end.
    """
    try:
        with path.open("rb") as file:
            text = file.read(LONGEST_TEXT + 1)
    except OSError as problem:
        raise InputFileError(f"{path} cannot be read.", "Check the file.") from problem
    if not text.startswith(TEXT_BEGINS):
        return
    fields = [(key.strip(), value.split()) for key, _, value in (line.partition(b":") for line in text.splitlines())]
    kinds = [value[0].decode("ascii", "replace").partition("_")[0] for key, value in fields if key == b"Transform"]
    kinds = [kind for kind in kinds if kind != "CompositeTransform"]  # which has no numbers of its own
    counts = [len(value) for key, value in fields if key == b"Parameters"]
    fixed = sum(key == b"FixedParameters" for key, _ in fields)
    whole = len(kinds) == len(counts) == fixed and text.endswith(b"\n")
    if not whole or any(PARAMETERS.get(kind, count) != count for kind, count in zip(kinds, counts, strict=True)):
        raise InputFileError(f"{path} is cut off.", "Write or copy it again.")


def _matrix(transform: SimpleITK.Transform) -> FloatArray:
    """(4, 4) matrix of a linear transform, whatever its parametrization, from where it sends four points."""
    origin = np.array(transform.TransformPoint((0.0, 0.0, 0.0)))
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack(
        [np.array(transform.TransformPoint(axis)) - origin for axis in np.eye(3).tolist()], axis=1
    )
    matrix[:3, 3] = origin
    return matrix
