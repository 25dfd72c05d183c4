"""Writing files for others: written aside, read back, compared, and only then moved into place with a sidecar."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path

from radgs.errors import ExportError, RadgsError
from radgs.export.formats import ExportFormat, WrittenFile
from radgs.export.released_poses import ReleasedPoses
from radgs.export.sidecar import sidecar_text
from radgs.geometry import largest_distance
from radgs.io.atomic import UNFINISHED, cannot_write, write_text
from radgs.io.transforms import SAME_POSE_MM


def export_files(
    released: ReleasedPoses, export_format: ExportFormat, folder: str | Path, inputs: Sequence[Path] = ()
) -> list[Path]:
    """Writes released poses in one format; a file gets its name only once its poses have been read back the same.

    Files of the same names are replaced, together: a write cut short leaves none of the earlier ones beside its own.

    Args:
        released: Poses that were let out (``radgs.export.release``).
        export_format: One of ``FILE_FORMATS``, or a ``SpatialRegistration`` that knows the series.
        folder: Where to; made where there is none.
        inputs: Files and folders that are not written over.

    Returns:
        The files, each followed by its sidecar ``<file>.about.txt`` where the file does not say everything itself.

    Raises:
        ExportError: A file is an input, or does not come back as it was written.
        OutputError: The folder or a file cannot be written.
        RadgsError: The format cannot hold the poses.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f"{UNFINISHED}export-", dir=folder) as aside:
            staged = []
            for written in export_format.write(released, Path(aside)):
                staged += _checked(written, export_format)
            _refuse_inputs([folder / path.name for path in staged], inputs)
            for path in staged:
                (folder / path.name).unlink(missing_ok=True)
            return [path.replace(folder / path.name) for path in staged]
    except OSError as problem:
        raise cannot_write(folder, problem) from problem


def _refuse_inputs(files: Sequence[Path], inputs: Sequence[Path]) -> None:
    kept = [path.resolve() for path in inputs]
    for file in files:
        place = file.parent.resolve() / file.name  # a link there is replaced, not followed
        if any(place == path or path in place.parents for path in kept):
            raise ExportError(f"{file} would be written over an input.", "Name another folder with --out.")


def sha256_of(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _checked(written: WrittenFile, export_format: ExportFormat) -> list[Path]:
    """The file, compared with what was to be in it, and its sidecar."""
    name = written.path.name
    doubt = "Do not use an earlier file of that name; please report it."
    try:
        read = export_format.read(written.path)
    except RadgsError as error:
        raise ExportError(f"{name} cannot be read back: {error.problem}", doubt) from error
    if len(read) != len(written.poses):
        raise ExportError(f"{name} reads back with {len(read)} poses instead of {len(written.poses)}.", doubt)
    distance = max(largest_distance(pose.ct_to_world, back) for pose, back in zip(written.poses, read, strict=True))
    if not distance <= SAME_POSE_MM:
        raise ExportError(f"{name} reads back as another pose, {distance:.2g} mm away.", doubt)
    explanation = export_format.explain(written)
    if explanation is None:
        return [written.path]
    sidecar = written.path.with_name(name + ".about.txt")
    text = sidecar_text(written, explanation, sha256_of(written.path), distance)
    write_text(sidecar, text)
    return [written.path, sidecar]
