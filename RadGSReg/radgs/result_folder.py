"""Everything a registration leaves behind, in one folder."""

from __future__ import annotations

from pathlib import Path

from radgs.case import RegistrationCase
from radgs.errors import InputFileError
from radgs.gaussians.ply import save_ply
from radgs.overlay.figures import save_overlays
from radgs.pipeline import Registration


def prepare_folder(folder: Path) -> Path:
    """Makes a folder for results where there is none.

    Raises:
        InputFileError: A file has that name, or the folder cannot be made.
    """
    if folder.exists() and not folder.is_dir():
        raise InputFileError(f"{folder} is a file, not a folder.", "Name another folder with --out.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise InputFileError(
            f"The folder {folder} cannot be made.", "Name a folder that you may write to with --out."
        ) from problem
    return folder


def write_result_folder(
    folder: Path, case: RegistrationCase, registration: Registration, *, overlays: bool = True
) -> list[Path]:
    """Writes result.json, and per level the pose (.tfm), the Gaussians (.ply, in the CT's RAS) and the overlays (.png).

    Args:
        folder: Where to write.
        case: What was registered.
        registration: What came out.
        overlays: Whether to draw the pictures, which takes longer than everything else.

    Returns:
        The files written, pictures first.

    Raises:
        InputFileError: The folder cannot be made or a file cannot be written.
    """
    prepare_folder(folder)
    pictures, files = [], []
    for name, level in registration.result.levels.items():
        model = registration.models.get(name)
        if model is not None:
            if overlays:
                pictures += save_overlays(folder, name, level, model, case.views)
            comment = f"{name}: excess over soft tissue, 1/mm; frame: the CT's RAS, mm"
            files.append(save_ply(model.gaussians, folder / f"{name}_gaussians.ply", comment))
    result = registration.result.save(folder)
    poses = [folder / f"{name}_ct_to_world.tfm" for name in registration.result.levels]
    return [*pictures, result, *(pose for pose in poses if pose.is_file()), *files]
