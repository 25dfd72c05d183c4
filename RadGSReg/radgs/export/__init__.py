"""Export of poses: released by their verdict, written, read back and compared.

    released = release(RegistrationResult.load("result"), ReleasePolicy(check=True))
    export_files(released, format_named("tfm"), "to-navigation")

Nothing here imports torch, so that the panel may use it.
"""

from radgs.errors import WithheldError
from radgs.export.autoscoper import AutoscoperFormat
from radgs.export.formats import ExportFormat
from radgs.export.itk_transform import ITK_FORMATS
from radgs.export.matrix_table import MATRIX_TABLE
from radgs.export.record import RECORD
from radgs.export.registration_object import SPATIAL_REGISTRATION, SpatialRegistrationFormat
from radgs.export.release_policy import ReleasePolicy, release
from radgs.export.released_poses import ReleasedPose, ReleasedPoses
from radgs.export.verified_write import export_files

#: In the order in which a person is offered them.
FILE_FORMATS: tuple[ExportFormat, ...] = (*ITK_FORMATS, RECORD, MATRIX_TABLE, SPATIAL_REGISTRATION)

__all__ = [
    "FILE_FORMATS",
    "AutoscoperFormat",
    "ExportFormat",
    "ReleasePolicy",
    "ReleasedPose",
    "ReleasedPoses",
    "SpatialRegistrationFormat",
    "WithheldError",
    "export_files",
    "format_named",
    "release",
]


def format_named(name: str) -> ExportFormat:
    """The file format of that name.

    Raises:
        KeyError: There is none.
    """
    return {known.name: known for known in FILE_FORMATS}[name]
