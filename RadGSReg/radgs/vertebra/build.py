"""A vertebra's anatomy made from a CT and its labels, or remembered from the last time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from radgs.anatomy import VertebraFrames
from radgs.case import Level
from radgs.errors import CaseError
from radgs.gaussians import fit
from radgs.geometry import FloatArray, RigidTransform, Volume
from radgs.io.cache_folder import CacheFolder
from radgs.vertebra.anatomy import VertebraAnatomy
from radgs.vertebra.completion import completed, unknown_voxels
from radgs.vertebra.remembered_anatomy import remembered_anatomy
from radgs.vertebra.separated_ct import SeparatedCT
from radgs.vertebra.separation import Attenuation, label_box

GAUSSIAN_COUNT = 2000
#: Voxel sizes, mm: the vertebra (for the fit) and its neighbours, everything else, and the CT as it was scanned.
VERTEBRA_VOXEL_MM = 1.0
SURROUNDINGS_VOXEL_MM = 1.5
WHOLE_VOXEL_MM = 2.0
#: How far around a vertebra its CT is looked at, mm: obliquely through the trunk, 45 degrees off its axial plane.
REACH_MM = 250.0
#: Distance between lumbar bodies where the labels hold no neighbour.
TYPICAL_LEVEL_SPACING_MM = 35.0


def build_vertebra_anatomy(
    ct: Volume,
    labels: Volume,
    level: Level,
    progress: Callable[[float], None] | None = None,
    remembered: CacheFolder | None = None,
) -> VertebraAnatomy:
    """Separates a vertebra from its CT and fits radiative Gaussians to it.

    Args:
        ct: Hounsfield units.
        labels: Label map, on any grid.
        level: The vertebra.
        progress: Called with the fraction done, 0 to 1.
        remembered: Where what was made of a vertebra is kept for other processes; None: nowhere.

    Raises:
        CaseError: The label map has no such vertebra, or it is too small to have a body.
    """
    # No ray through the vertebra's region leaves this box inside the patient.
    ct, labels = label_box(labels, level.label, ct, REACH_MM), label_box(labels, level.label, labels, REACH_MM)

    def build() -> VertebraAnatomy:
        return _built(ct, labels, level, progress)

    if remembered is None:
        return build()
    anatomy = remembered_anatomy(ct, labels, level, remembered, build)
    if progress is not None:
        progress(1.0)
    return anatomy


def _built(ct: Volume, labels: Volume, level: Level, progress: Callable[[float], None] | None) -> VertebraAnatomy:
    unknown, alone = unknown_voxels(ct, labels)
    soft = unknown if unknown.any() else None  # soft tissue leaves no excess
    whole = completed(Attenuation(ct, soft), unknown, WHOLE_VOXEL_MM, alone=alone).excess
    separated = SeparatedCT.around(ct, labels, level.label, soft)
    surroundings = completed(separated.remainder, unknown, SURROUNDINGS_VOXEL_MM, alone=alone)
    excess = separated.sampled_excess(level.label, VERTEBRA_VOXEL_MM)
    spacing = separated.frames.level_spacing_mm(level.label) or TYPICAL_LEVEL_SPACING_MM
    return VertebraAnatomy(
        level=level,
        centre=separated.frames.body_centre(level.label),
        frame_to_ct=_frame_or_none(separated.frames, level.label),
        surface=separated.surface(level.label),
        voxel=ct.index_to_ras[:3, :3],
        level_spacing_mm=spacing,
        level_offsets=_level_offsets(separated, level.label, spacing),
        gaussians=fit(excess, GAUSSIAN_COUNT, progress=progress),
        mask=separated.sampled_mask(level.label, VERTEBRA_VOXEL_MM),
        neighbours=tuple(separated.sampled_excess(n, VERTEBRA_VOXEL_MM) for n in separated.neighbours),
        surroundings=surroundings.excess,
        whole=whole,
        doubt=surroundings.doubt,
    )


def _frame_or_none(frames: VertebraFrames, label: int) -> RigidTransform | None:
    try:
        return frames.frame_to_ct(label)
    except CaseError:
        return None


def _level_offsets(separated: SeparatedCT, label: int, spacing_mm: float) -> tuple[FloatArray, FloatArray]:
    """From a body's centre to those above and below: as labelled, else the other's opposite, else along the CT."""
    centres = separated.frames.body_centre
    found = [centres(neighbour) - centres(label) for neighbour in separated.neighbours]
    above = next((offset for offset in found if offset[2] > 0), None)
    below = next((offset for offset in found if offset[2] < 0), None)
    if above is None:
        above = -below if below is not None else np.array([0.0, 0.0, spacing_mm])
    return above, below if below is not None else -above
