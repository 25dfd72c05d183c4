"""Everything a registration leaves behind, in one folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from radgs.case import RegistrationCase
from radgs.drr import SOFT_TISSUE, hu_from_attenuation
from radgs.errors import InputFileError
from radgs.gaussians import save_ply, splat
from radgs.geometry import RigidTransform, Volume
from radgs.geometry.roi import crop_geometry, roi_to_world
from radgs.io.volumes import write_volume
from radgs.networks import Reconstruction
from radgs.overlay.figures import save_overlays
from radgs.overlay.reconstruction_figure import ViewOfReconstruction, save_reconstruction_figure
from radgs.pipeline.registration import Registration
from radgs.vertebra import VertebraModel


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
    """Writes result.json and, per level, pose (.tfm), overlays (.png), the CT's Gaussians, and what was reconstructed.

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
        model, reconstruction = registration.models.get(name), registration.reconstructions.get(name)
        if model is None:
            continue
        if overlays:
            pictures += save_overlays(folder, name, level, model, case.views)
        comment = f"{name}: excess over soft tissue, 1/mm; frame: the CT's RAS, mm"
        files.append(save_ply(model.gaussians, folder / f"{name}_gaussians.ply", comment))
        if reconstruction is not None:
            files += _write_reconstruction(folder, name, reconstruction)
            if overlays:
                pose = level.ct_to_world or RigidTransform.identity()
                shown = _views_of(reconstruction, model, pose, case)
                title = f"{name}: {registration.result.models[name]}"
                pictures.append(save_reconstruction_figure(folder / f"{name}_reconstruction.png", title, shown))
    result = registration.result.save(folder)
    poses = [folder / f"{name}_ct_to_world.tfm" for name in registration.result.levels]
    return [*pictures, result, *(pose for pose in poses if pose.is_file()), *files]


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
    reconstruction: Reconstruction, model: VertebraModel, ct_to_world: RigidTransform, case: RegistrationCase
) -> list[ViewOfReconstruction]:
    """Every view with what was reconstructed from it, and the CT's vertebra where the result puts it."""
    ct_to_roi = roi_to_world(reconstruction.roi_centre).inverse() @ ct_to_world
    rotation, translation = torch.from_numpy(ct_to_roi.rotation), torch.from_numpy(ct_to_roi.translation)
    vertebra = model.gaussians.transformed(rotation, translation)
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
            )
        )
    return shown
