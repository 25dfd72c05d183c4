"""Writing a registration's result as one folder."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from radgs.case import RegistrationCase, RegistrationResult
from radgs.drr import SOFT_TISSUE, hu_from_attenuation
from radgs.errors import OutputError, RadgsError, UnwrittenResultError
from radgs.gaussians import save_ply, splat
from radgs.geometry import RigidTransform, Volume
from radgs.geometry.roi import crop_geometry, roi_to_world
from radgs.io.atomic import not_as_written
from radgs.io.folder_swap import FolderToBe, folder_to_be
from radgs.io.json_fields import json_text
from radgs.io.volumes import write_volume
from radgs.networks import Reconstruction
from radgs.overlay import Contours, projected_lines, shadow
from radgs.overlay.figures import save_overlays
from radgs.overlay.picture_names import reconstruction_name, view_names
from radgs.overlay.reconstruction_figure import ViewOfReconstruction, save_reconstruction_figure
from radgs.pipeline.registration import Registration
from radgs.vertebra import VertebraAnatomy

#: Of the files beside result.json.
SUFFIXES = frozenset({".tfm", ".png", ".ply", ".nrrd"})


def prepare_folder(folder: Path) -> Path:
    """Makes a folder for results where there is none.

    Raises:
        OutputError: A file has that name, or the folder cannot be made.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file, not a folder.", "Name another folder with --out.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise OutputError(
            f"The folder {folder} cannot be made.", "Name a folder that you may write to with --out."
        ) from problem
    return folder


def result_folder(folder: Path) -> AbstractContextManager[FolderToBe]:
    """Begins the folder of a registration: see ``radgs.io.folder_swap``; ``write_result_folder`` completes it.

    Args:
        folder: Where the result goes; what it holds of an earlier registration is marked as such from now on.

    Raises:
        OutputError: The folder cannot be used, holds anything but an earlier result, or is being written to.
    """
    return folder_to_be(folder, _files_without_list)


def naming_case(registration: Registration, to_be: FolderToBe, case_path: Path) -> Registration:
    """The same registration, whose result says which case it is of.

    Args:
        registration: What came out.
        to_be: Where its result will be.
        case_path: The case.json that will stay, or its folder.
    """
    file = case_path / "case.json" if case_path.is_dir() else case_path
    return replace(registration, result=replace(registration.result, case=_path_from(to_be.folder, file)))


def write_result_folder(
    to_be: FolderToBe, case: RegistrationCase, registration: Registration, *, overlays: bool = True
) -> list[Path]:
    """Writes result.json and, per level, pose (.tfm), overlays (.png), the CT's Gaussians, and what was reconstructed.

    They are written aside, read back, and take the place of the earlier result at once and together.

    Args:
        to_be: Where to write, from ``result_folder``.
        case: What was registered.
        registration: What came out.
        overlays: Whether to draw the pictures, which takes longer than everything else.

    Returns:
        The files written, pictures first.

    Raises:
        UnwrittenResultError: A file cannot be written; the folder is as it was.
    """
    try:
        written = _write_aside(to_be.aside, case, registration, overlays)
        to_be.swap_in()
    except OutputError as error:
        result = registration.result.to_json_dict()
        raise UnwrittenResultError(error.problem, error.remedy, result) from error
    return [to_be.named / path.name for path in written]


def _path_from(folder: Path, path: Path) -> str:
    """A path from a folder on, so that both can move; whole where there is no way, as between Windows' drives."""
    try:
        return Path(os.path.relpath(path.resolve(), folder)).as_posix()
    except ValueError:
        return str(path.resolve())


def _write_aside(folder: Path, case: RegistrationCase, registration: Registration, overlays: bool) -> list[Path]:
    result = registration.result
    names = view_names(list(result.levels), [view.name for view in case.views])
    pictures, files = [], []
    for name, level in result.levels.items():
        anatomy, reconstruction = registration.vertebrae.get(name), registration.reconstructions.get(name)
        if anatomy is None:
            continue
        if overlays:
            contours = Contours.of(case.labels, anatomy.level.label, anatomy.frame_to_ct)
            pictures += save_overlays(folder, name, level, anatomy, contours, case.views, names[name])
        comment = f"{name}: excess over soft tissue, 1/mm; frame: the CT's RAS, mm"
        files.append(save_ply(anatomy.gaussians, folder / f"{name}_gaussians.ply", comment))
        if reconstruction is not None:
            files += _write_reconstruction(folder, name, reconstruction)
            if overlays:
                pose = level.ct_to_world or RigidTransform.identity()
                shown = _views_of(reconstruction, anatomy, contours, pose, case)
                title = f"{name}: {result.models[name]}"
                pictures.append(save_reconstruction_figure(folder / reconstruction_name(name), title, shown))
    saved = result.save(folder)
    poses = [folder / f"{name}_ct_to_world.tfm" for name in result.levels]
    written = [*pictures, saved, *(pose for pose in poses if pose.is_file()), *files]
    _check_read_back(result, saved)
    return written


def _check_read_back(result: RegistrationResult, path: Path) -> None:
    """result.json says what it should and can be read; the other files were compared as they were written."""
    try:
        RegistrationResult.load(path)
        same = path.read_text(encoding="utf-8") == json_text(result.to_json_dict())
    except (OSError, RadgsError) as problem:
        raise not_as_written(path) from problem
    if not same:
        raise not_as_written(path)


def _files_without_list(folder: Path) -> frozenset[str]:
    """The files that an earlier version's registration left, which kept no list of them."""
    try:
        levels = RegistrationResult.load(folder).levels
    except RadgsError:
        return frozenset()
    names = (path.name for path in folder.iterdir() if path.is_file() and path.suffix in SUFFIXES)
    return frozenset({"result.json", *(name for name in names if name.startswith(tuple(f"{n}_" for n in levels)))})


def _write_reconstruction(folder: Path, name: str, reconstruction: Reconstruction) -> list[Path]:
    """The reconstruction in the world: Gaussians, and a volume in Hounsfield units, so that CT presets show it."""
    volume = reconstruction.world_volume()
    hounsfield = np.rint(hu_from_attenuation(volume.array + SOFT_TISSUE)).astype(np.int16)
    path = folder / f"{name}_reconstruction.nrrd"
    write_volume(path, Volume(hounsfield, volume.index_to_ras))
    comment = f"{name}: reconstructed from the X-rays; excess over soft tissue, 1/mm; frame: world RAS, mm"
    return [path, save_ply(reconstruction.world_gaussians(), folder / f"{name}_reconstruction.ply", comment)]


@torch.no_grad()
def _views_of(
    reconstruction: Reconstruction,
    anatomy: VertebraAnatomy,
    contours: Contours,
    ct_to_world: RigidTransform,
    case: RegistrationCase,
) -> list[ViewOfReconstruction]:
    """Every view with what was reconstructed from it, and the CT's vertebra where the result puts it."""
    ct_to_roi = roi_to_world(reconstruction.roi_centre).inverse() @ ct_to_world
    rotation, translation = torch.from_numpy(ct_to_roi.rotation), torch.from_numpy(ct_to_roi.translation)
    vertebra = anatomy.gaussians.transformed(rotation, translation)
    reconstructed = reconstruction.gaussians.to("cpu")
    seen, attention = reconstruction.views, reconstruction.attention
    shown = []
    for number, view in enumerate(case.views):
        geometry = crop_geometry(seen.sources[0, number].cpu().numpy())
        shown.append(
            ViewOfReconstruction(
                name=view.name,
                xray=seen.images[0, number].cpu().numpy(),
                valid=seen.valid[0, number].cpu().numpy() > 0.5,
                attention=None if attention is None else attention[number].cpu().numpy(),
                reconstruction=splat(reconstructed, geometry).numpy(),
                vertebra=splat(vertebra, geometry).numpy(),
                inside=shadow(anatomy, ct_to_roi, geometry),
                contour=projected_lines(contours, ct_to_roi, geometry),
            )
        )
    return shown
