"""The whole phantom: anatomy drawn at random from a seed, and the CT that a scanner would make of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from radgs.errors import CaseError
from radgs.geometry import FloatArray, RigidTransform, Volume
from radgs.phantom.bone import BoneQuality, Hounsfield, blend_bone, refine_distance, vertebra_inside
from radgs.phantom.curve import SpineCurve, draw_curve
from radgs.phantom.extent import LUMBAR_SPINE, Extent
from radgs.phantom.facets import upper_joints
from radgs.phantom.instruments import draw_screws
from radgs.phantom.morphometry import VertebraShape, draw_shapes
from radgs.phantom.neighbours import (
    draw_discs,
    draw_sacrum,
    draw_thin_bones,
    iliac_pieces,
    rib_pieces,
    sacral_frame,
    shell_and_sponge,
)
from radgs.phantom.pathology import Pathology
from radgs.phantom.real_shapes import RealVertebrae
from radgs.phantom.shapes import FAR, Grid, Solid
from radgs.phantom.thorax import Thorax, paint_chest, texture_of_lungs, thoracic_bones
from radgs.phantom.torso import Torso, draw_torso
from radgs.phantom.vertebra import draw_vertebra, in_sight

#: Least space between the bones of neighbouring vertebrae, mm.
BONE_GAP_MM = 1.2
#: HU range of the image: 12-bit scanners clip metal at the upper end.
HU_RANGE = (-1024, 3071)


@dataclass(frozen=True)
class PhantomSpine:
    """A synthetic CT of a part of the spine with everything known about it.

    Attributes:
        ct: int16 HU, axes along right, anterior, superior.
        labels: uint8 on the same grid, VerSe numbering: T12 19, L1 20 ... L5 24; everything else 0.
        levels: Names and labels of the vertebrae that lie whole in the image and are meant to be registered: L1-L5 by
            default, between T12 and the sacrum.
        frames: True frame_to_ct of every labelled level (origin: body centre; axes right, anterior, superior).
        shapes: Their measures.
        lordosis_deg: L1-S1 lordosis.
        scoliosis_deg: Cobb angle of the lumbar curve, positive where it bends to the right.
    """

    ct: Volume
    labels: Volume
    levels: dict[str, int]
    frames: dict[str, RigidTransform]
    shapes: dict[str, VertebraShape]
    lordosis_deg: float
    scoliosis_deg: float


def make_spine(
    seed: int,
    *,
    spacing_mm: float | Sequence[float] = 1.0,
    osteoporosis: float = 0.0,
    screws: Sequence[str] = (),
    lordosis_deg: float | None = None,
    scoliosis_deg: float | None = None,
    body_size: float = 1.0,
    soft_tissue: bool = True,
    noise_hu: float = 14.0,
    extent: Extent = LUMBAR_SPINE,
    pathology: Pathology | None = None,
    real_labels: Volume | None = None,
) -> PhantomSpine:
    """Makes a spine from a seed; the same arguments always give the same voxels.

    The anatomy depends on the seed alone, not on the spacing: one patient can be scanned twice.

    Args:
        seed: Chooses the patient.
        spacing_mm: Voxel size, one number or three along right, anterior, superior.
        osteoporosis: 0 (healthy adult) to 1 (severe): thinner shells, emptier trabecular bone, dished endplates.
        screws: Levels with a pair of pedicle screws, for example ("L3", "L4").
        lordosis_deg: L1-S1 lordosis; drawn from 44 +- 8 degrees when None.
        scoliosis_deg: Cobb angle; drawn from 0 +- 4 degrees when None.
        body_size: 1 for a slim to average trunk, about 1.3 for a large one.
        soft_tissue: False leaves everything but bone, discs and metal at water (0 HU).
        noise_hu: Standard deviation of the image noise.
        extent: Which part of the spine; the lumbar spine by default.
        pathology: Fractures and fused levels; none by default.
        real_labels: A patient's label map in VerSe's numbers, all of the extent's column in it: shapes and places of
            the vertebrae are the patient's; what they are made of, and all around them, is the phantom's.

    Raises:
        CaseError: A level of ``screws`` is unknown, the spacing is not usable, ``osteoporosis`` is outside 0 to 1, or a
            level is not in ``real_labels``.
    """
    spacing = _checked(spacing_mm, osteoporosis, screws, extent)
    pathology = pathology or Pathology()
    pathology.check(extent.drawn)
    person, arches, tissue, grain = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(4))
    whole_column = pathology.applied(draw_shapes(person, osteoporosis, extent.column))
    wedges = pathology.wedges_deg(whole_column)
    curve = draw_curve(person, whole_column, lordosis_deg, scoliosis_deg, extent.column, wedges)
    real = None if real_labels is None else RealVertebrae.of(real_labels, extent.column)
    curve = curve if real is None else real.curve
    quality = BoneQuality.draw(person, osteoporosis)
    torso = Torso.around(whole_column, curve, body_size, person)
    torso = torso.along_the_spine(person) if extent.ribs else torso
    shapes = {level: whole_column[level] for level in extent.drawn}
    grid = _grid(spacing, shapes, curve, torso, extent)
    shapes = {level: shape for level, shape in shapes.items() if in_sight(grid, shape, curve.frames[level])}
    thorax = Thorax.around(torso, curve, person) if extent.ribs else None
    image = _soft_parts(grid, torso, thorax, tissue) if soft_tissue else np.zeros(grid.shape, dtype=np.float32)
    draw_discs(image, grid, whole_column, curve, pathology.fused, quality.arch_hu)
    ribs, others = (rib_pieces(curve, torso), []) if thorax is None else thoracic_bones(thorax, whole_column, curve)
    for pieces in (ribs, others, iliac_pieces(curve)):
        if pieces:
            draw_thin_bones(image, grid, pieces, quality, tissue)
    solids, sacrum = _vertebrae(grid, shapes, curve, arches, extent, real)
    bones = [*solids.values(), *([] if sacrum is None else [sacrum])]
    for upper, lower in pairwise(bones):
        if real is None or lower is sacrum:  # a patient's own vertebrae stay as they are
            upper.keep_clear_of(lower, BONE_GAP_MM)
    if sacrum is not None:
        shell_and_sponge(image, grid, sacrum, quality, tissue)
    labels = _draw_bones(image, grid, shapes, curve, quality, solids, extent.labels, grain)
    draw_screws(image, grid, shapes, curve, screws, arches)
    ct = _scan(image, spacing, noise_hu, grain)
    return PhantomSpine(
        ct=grid.volume(ct),
        labels=grid.volume(labels),
        levels={level: extent.labels[level] for level in extent.whole},
        frames={level: curve.frames[level] for level in extent.labels},
        shapes={level: shapes[level] for level in extent.labels},
        lordosis_deg=curve.lordosis_deg,
        scoliosis_deg=curve.scoliosis_deg,
    )


def _soft_parts(grid: Grid, torso: Torso, thorax: Thorax | None, rng: np.random.Generator) -> Hounsfield:
    """HU of the trunk without its bones, with a chest where there is one."""
    if thorax is None:
        return draw_torso(grid, torso, rng)
    image = draw_torso(
        grid, torso, rng, lambda painter, height: paint_chest(painter, thorax, height), chest_from=torso.landmarks[2]
    )
    texture_of_lungs(image, grid, rng)
    return image


def _checked(
    spacing_mm: float | Sequence[float], osteoporosis: float, screws: Sequence[str], extent: Extent
) -> FloatArray:
    spacing = np.broadcast_to(np.asarray(spacing_mm, dtype=float), 3).copy() if np.ndim(spacing_mm) < 2 else np.zeros(3)
    if not (np.isfinite(spacing) & (spacing >= 0.3) & (spacing <= 5.0)).all():
        raise CaseError("The phantom's voxel size is not usable.", "Give one to three numbers between 0.3 and 5 mm.")
    if not 0.0 <= osteoporosis <= 1.0:
        raise CaseError(f"The osteoporosis of a phantom is {osteoporosis}.", "Give a number between 0 and 1.")
    unknown = [level for level in screws if level not in extent.whole]
    if unknown:
        raise CaseError(f"The phantom has no level {unknown[0]} for screws.", f"Choose from {', '.join(extent.whole)}.")
    return spacing


def _grid(
    spacing: FloatArray, shapes: dict[str, VertebraShape], curve: SpineCurve, torso: Torso, extent: Extent
) -> Grid:
    """A grid around the trunk, from below the sacral endplate, or the lowest label, to above the highest one."""
    highest, *_, lowest = extent.labels
    top = (
        curve.frames[highest]
        .apply([[x, y, shapes[highest].height / 2 + 14] for x in (-22.0, 22.0) for y in (-42.0, 0.0)])[:, 2]
        .max()
    )
    bottom = curve.sacrum.apply([0, 0, -38])[2] if extent.sacrum else _lowest_point(shapes[lowest], curve)
    low = np.array([torso.centre[0] - torso.half_width - 8, torso.centre[1] - torso.half_depth - 8, bottom])
    high = np.array([torso.centre[0] + torso.half_width + 8, torso.centre[1] + torso.half_depth + 8, top])
    width, height, depth = (int(n) for n in np.ceil((high - low) / spacing) + 1)
    return Grid(low, spacing, (width, height, depth))


def _lowest_point(shape: VertebraShape, curve: SpineCurve) -> float:
    """Superior coordinate, mm, just below a vertebra: its spinous process or its lower articular processes."""
    hanging = [0.0, shape.back_wall - shape.spinous_length, -shape.spinous_drop - shape.spinous_height / 2 - 6.0]
    processes = [[x, shape.back_wall - 20.0, -shape.height / 2 - shape.disc_below - 14.0] for x in (-18.0, 18.0)]
    return float(curve.frames[shape.name].apply([hanging, *processes])[:, 2].min())


def _vertebrae(
    grid: Grid,
    shapes: dict[str, VertebraShape],
    curve: SpineCurve,
    rng: np.random.Generator,
    extent: Extent,
    real: RealVertebrae | None,
) -> tuple[dict[str, Solid], Solid | None]:
    """Every vertebra's solid, drawn or a patient's, and the sacrum's; drawn ones share facet joints with neighbours."""
    drawn = tuple(shapes)
    lowest = shapes[drawn[-1]]
    frames = {level: frame for level, frame in curve.frames.items() if level in shapes}
    frames["S1"] = sacral_frame(lowest, curve) if extent.sacrum else _frame_below(lowest, curve)
    joints = {level: upper_joints(shapes.get(level, lowest), frame, rng) for level, frame in frames.items()}
    below = dict(zip(drawn, (*drawn[1:], "S1"), strict=True))
    solids = {
        level: draw_vertebra(grid, shapes[level], frames[level], joints[level], joints[below[level]], rng)
        if real is None
        else real.solid(grid, level)
        for level in drawn
    }
    return solids, draw_sacrum(grid, lowest, curve, joints["S1"]) if extent.sacrum else None


def _frame_below(shape: VertebraShape, curve: SpineCurve) -> RigidTransform:
    """Where the vertebra below stands that is not drawn."""
    step = np.array([0.0, 0.0, -shape.height - shape.disc_below])
    return curve.frames[shape.name] @ RigidTransform(np.eye(3), step)


def _draw_bones(
    image: Hounsfield,
    grid: Grid,
    shapes: dict[str, VertebraShape],
    curve: SpineCurve,
    quality: BoneQuality,
    solids: dict[str, Solid],
    numbers: dict[str, int],
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """Draws the vertebrae into the image and returns their labels."""
    labels = np.zeros(grid.shape, dtype=np.uint8)
    for level, solid in solids.items():
        keep_largest(solid)
        inside, shell = vertebra_inside(solid.grid, shapes[level], curve.frames[level], quality, rng)
        distance, width = refine_distance(solid)
        at = grid.slices_of(solid.grid)
        blend_bone(image[at], distance, width, shell, quality.cortical_hu, inside)
        if level in numbers:
            labels[at][solid.distance < 0] = numbers[level]
    return labels


def keep_largest(solid: Solid) -> None:
    """Removes crumbs: whatever is not joined, face to face, to the largest part of the solid."""
    parts, count = ndimage.label(solid.distance < 0)
    if count > 1:
        sizes = np.bincount(parts.ravel())
        sizes[0] = 0
        solid.distance[(parts > 0) & (parts != sizes.argmax())] = FAR


def _scan(image: Hounsfield, spacing: FloatArray, noise_hu: float, rng: np.random.Generator) -> NDArray[np.int16]:
    """What a scanner makes of the image: a point spread of about a millimetre, correlated noise, 12 bits."""
    blur_mm = np.array([0.45, 0.40, 0.40]) * np.array([max(1.0, spacing[2]), 1.0, 1.0])
    blurred = ndimage.gaussian_filter(image, blur_mm / spacing[::-1], truncate=3.0)
    if noise_hu > 0:
        noise = rng.standard_normal(image.shape, dtype=np.float32)
        noise = ndimage.gaussian_filter(noise, 0.6, truncate=2.0)
        blurred += noise * np.float32(noise_hu / noise.std())
    return np.clip(np.rint(blurred), *HU_RANGE).astype(np.int16)
