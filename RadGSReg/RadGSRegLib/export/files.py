"""A scene's levels as files, in the engine's formats; a CT that Slicer loaded from DICOM brings its own series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from radgs.errors import ExportError
from radgs.export import (
    ExportFormat,
    ReleasedPoses,
    ReleasePolicy,
    SpatialRegistrationFormat,
    export_files,
    format_named,
)
from radgs.io.dicom_series import DicomSeries, read_dicom_series
from radgs.io.raster import LPS_TO_RAS
from RadGSRegLib.export.registered_levels import KeptLevel, release_levels
from RadGSRegLib.scene.placement import ijk_to_own_ras

#: A voxel that is less than this many voxels off is where it should be.
CLOSE_VOXELS = 0.05

#: Slices may lie unevenly, but the first and the last are where the volume ends.
HALF_A_SLICE = 0.5


@dataclass(frozen=True)
class FileExport:
    """How levels are to leave.

    Attributes:
        folder: Where to; made where there is none.
        formats: Names of ``radgs.export.FILE_FORMATS``.
        policy: What a person has agreed to; nothing by default.
        ct_dicom: The CT's DICOM files or folders, in whose frame of reference it stands.
        xray_dicom: The X-rays' DICOM files or folders. Their frame of reference then counts as the world.
    """

    folder: Path
    formats: tuple[str, ...]
    policy: ReleasePolicy = field(default_factory=ReleasePolicy)
    ct_dicom: tuple[Path, ...] = ()
    xray_dicom: tuple[Path, ...] = ()


@dataclass(frozen=True, eq=False)
class Exported:
    """What has left: the poses, and the files, each written, read back and found the same."""

    released: ReleasedPoses
    files: tuple[Path, ...]


def export_levels(ct: Any, levels: Sequence[KeptLevel], export: FileExport) -> Exported:
    """Writes levels of a CT into files.

    Raises:
        WithheldError: A verdict needs a consent that was not given.
        RadgsError: A level is not as it was registered, or a file cannot be written or read back.
    """
    released = release_levels(levels, export.policy)
    formats = [_format(name, ct, export) for name in dict.fromkeys(export.formats)]
    return Exported(
        released, tuple(file for chosen in formats for file in export_files(released, chosen, export.folder))
    )


def _format(name: str, ct: Any, export: FileExport) -> ExportFormat:
    if name != "dicom":
        return format_named(name)
    ct_series = read_dicom_series(export.ct_dicom) if export.ct_dicom else None
    if ct_series is not None and not _stands_where(ct_series, ct):
        raise ExportError(
            f"{ct.GetName()} does not stand where its DICOM files say: their frame of reference is not its own.",
            "Leave the files out, or load the CT from them as it is, and register again.",
        )
    return SpatialRegistrationFormat(ct_series, read_dicom_series(export.xray_dicom) if export.xray_dicom else None)


def _stands_where(series: DicomSeries, ct: Any) -> bool:
    """Whether the slices' first voxels run along an edge of the volume, from end to end; True where no file says."""
    if not series.positions_lps:
        return True
    places = np.column_stack([series.positions_lps, np.ones(len(series.positions_lps))]) @ LPS_TO_RAS.T
    index = np.linalg.solve(ijk_to_own_ras(ct), places.T)[:3].T
    last = np.array(ct.GetImageData().GetDimensions()) - 1
    along = int(np.ptp(index, axis=0).argmax())
    across = [axis for axis in range(3) if axis != along]
    off_edge = np.minimum(np.abs(index - last), np.abs(index))[:, across].max()
    off_ends = max(abs(index[:, along].min()), abs(index[:, along].max() - last[along]))
    return bool(off_edge < CLOSE_VOXELS and off_ends < HALF_A_SLICE)
