"""Named settings of simulated X-rays and CTs: how hospital images differ from a clean simulation.

A world changes what an X-ray shows (its field, scatter, beam, processing, the tissue around the spine), what is known
of it (calibration), and what the registered CT shows (its field of view); the anatomy and the truth stay the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from radgs.errors import InputFileError
from radgs.geometry import RigidTransform, ViewGeometry, Volume, XRayView, unit
from radgs.geometry.sigma import GeometrySigma
from radgs.simulation.xray_physics import XRayPhysics, expose, line_integrals_from_intensity

FieldShape = Literal["blades", "rotated blades", "round"]
CTExtent = Literal["square", "circle", "stack", "bone"]
Bools = NDArray[np.bool_]

#: Hounsfield units that scanners write where nothing was reconstructed.
PADDING_HU = -1024.0
#: A stack of vertebrae reaches this far around its labels, mm.
STACK_MARGIN_MM = 15.0
#: Effective attenuation of a beam's components against that of its mean energy, and their shares.
BEAM = ((0.72, 0.3), (1.0, 0.45), (1.4, 0.25))
#: Scale on which soft tissue's displacements vary, mm on the detector.
WARP_SCALE_MM = 40.0
#: Line integral of a screw across, and its diameter on the detector, mm.
SCREW, SCREW_MM = 2.5, 8.0


@dataclass(frozen=True)
class World:
    """How hospital images differ from clean ones; lengths in mm, standard deviations where errors are meant.

    Attributes:
        fields: Shapes of the field of measurement, one drawn per view; none leaves the detector open.
        scatter_to_primary: Range of scattered over primary intensity; none keeps the clean simulation's.
        scatter_sigma_mm: Width of the scatter's spread on the detector.
        polychromatic: The beam hardens.
        displayed: The image is what a C-arm shows: logarithm, detail enhanced, 8 bit.
        warp_mm: Soft tissue lies up to this far from where the CT shows it.
        screws: Screws cross the image beside the vertebra.
        source_mm, detector_mm, detector_deg: Errors of the calibration.
        stated: The calibration says how large its errors are.
        extent: What the CT shows; none keeps all of it.
        extent_mm: Side or diameter of its field of view, for a square or a circle across the spine.
    """

    fields: tuple[FieldShape, ...] = ()
    scatter_to_primary: tuple[float, float] | None = None
    scatter_sigma_mm: float = 45.0
    polychromatic: bool = False
    displayed: bool = False
    warp_mm: float = 0.0
    screws: bool = False
    source_mm: float = 0.0
    detector_mm: float = 0.0
    detector_deg: float = 0.0
    stated: bool = False
    extent: CTExtent | None = None
    extent_mm: float = 150.0


#: A calibration as no careful one is.
_BAD_CALIBRATION = World(source_mm=2.0, detector_mm=0.7, detector_deg=0.2)
#: The world that nothing is different in.
CLEAN_NAME = "clean"
CLEAN = World()
_MIXTURE = World(
    fields=("blades", "rotated blades", "round"),
    scatter_to_primary=(0.4, 1.2),
    polychromatic=True,
    displayed=True,
    warp_mm=5.0,
)
WORLDS: dict[str, World] = {
    CLEAN_NAME: CLEAN,
    "ct-150": World(extent="square", extent_mm=150.0),
    "ct-120": World(extent="square", extent_mm=120.0),
    "ct-circle-150": World(extent="circle", extent_mm=150.0),
    "ct-stack": World(extent="stack"),
    "ct-bone": World(extent="bone"),
    "blades": World(fields=("blades",)),
    "rotated-blades": World(fields=("rotated blades",)),
    "round": World(fields=("round",)),
    "scatter-1.6": World(scatter_to_primary=(0.8, 1.6)),
    "scatter-3": World(scatter_to_primary=(1.6, 3.0)),
    "polychromatic": World(polychromatic=True),
    "display": World(displayed=True),
    "warped": World(warp_mm=10.0),
    "screws": World(screws=True),
    # As good as is taken for granted where a case says nothing of its geometry.
    "calibration-usual": World(source_mm=0.7, detector_mm=0.3, detector_deg=0.1),
    "calibration": _BAD_CALIBRATION,
    "calibration-stated": replace(_BAD_CALIBRATION, stated=True),
    "mixture": _MIXTURE,
    "mixture-ct-150": replace(_MIXTURE, extent="square"),
}


def world_named(name: str) -> World:
    """The world of that name.

    Raises:
        InputFileError: There is none.
    """
    if name not in WORLDS:
        raise InputFileError(f'There is no world "{name}".', f"Choose one of {', '.join(WORLDS)}, or all.")
    return WORLDS[name]


def take_xray(
    vertebrae: NDArray[np.float32],
    rest: NDArray[np.float32],
    name: str,
    geometry: ViewGeometry,
    world: World,
    physics: XRayPhysics,
    rng: np.random.Generator,
) -> XRayView:
    """One view of the anatomy as a world shows it.

    Args:
        vertebrae: (H, W) line integrals of the vertebrae's excess.
        rest: (H, W) line integrals of everything else.
        name: The view's.
        geometry: Where source and detector truly stand.
        world: What is different.
        physics: The exposure; the world's scatter replaces its own.
        rng: Source of chance.
    """
    pixel_mm = geometry.pixel_spacing[0]
    clean = vertebrae + (warped(rest, world.warp_mm, pixel_mm, rng) if world.warp_mm else rest)
    if world.screws:
        clean = clean + screws(clean.shape, pixel_mm, rng)
    if world.polychromatic:
        clean = hardened(clean)
    if world.scatter_to_primary is not None:
        ratio = rng.uniform(*world.scatter_to_primary)
        physics = replace(physics, scatter_to_primary=ratio, scatter_sigma_mm=world.scatter_sigma_mm)
    field = draw_field(clean.shape, world.fields, rng)
    intensity = expose(clean, physics, pixel_mm, rng)
    dark = np.abs(rng.normal(0.0, physics.electronic_noise, clean.shape))
    intensity = np.where(field, intensity, dark).astype(np.float32)
    image = line_integrals_from_intensity(intensity, physics.photons)
    how = "simulated: ray-cast CT, Poisson noise, scatter, blur; -log(I / I0)"
    if world.displayed:
        image = displayed(image, field, pixel_mm)
        how = "simulated: ray-cast CT as a C-arm displays it"
    believed = with_calibration_error(geometry, world, rng)
    return XRayView(name, image, believed, how, geometry_sigma=stated_sigma(world))


def warped(
    image: NDArray[np.float32], largest_mm: float, pixel_mm: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """(H, W) the image displaced smoothly, by at most ``largest_mm`` on the detector."""
    sigma = WARP_SCALE_MM / pixel_mm
    shift = [ndimage.gaussian_filter(rng.normal(size=image.shape), sigma, mode="wrap") for _ in range(2)]
    scale = largest_mm / pixel_mm / max(np.hypot(*shift).max(), 1e-12)
    rows, columns = np.meshgrid(*(np.arange(n) for n in image.shape), indexing="ij")
    at = [rows + shift[0] * scale, columns + shift[1] * scale]
    return ndimage.map_coordinates(image, at, order=1, mode="nearest").astype(np.float32)


def hardened(line_integrals: NDArray[np.float32]) -> NDArray[np.float32]:
    """(H, W) what a polychromatic beam makes of monochromatic line integrals: contrast falls with thickness."""
    through = sum(share * np.exp(-factor * np.maximum(line_integrals, 0.0)) for factor, share in BEAM)
    return -np.log(through).astype(np.float32)


def screws(shape: tuple[int, ...], pixel_mm: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """(H, W) line integrals of two screws above and two below the middle."""
    rows, columns = np.meshgrid(*(np.arange(n) * pixel_mm for n in shape), indexing="ij")
    metal = np.zeros(shape, dtype=np.float32)
    middle = np.array(shape) * pixel_mm / 2
    for up in (-1, -1, 1, 1):
        start = middle + [up * rng.uniform(45, 60), rng.uniform(-40, 40)]
        along = unit(np.append(rng.normal(size=2) * [0.3, 1.0], 0.0))[:2]
        across = (rows - start[0]) * along[1] - (columns - start[1]) * along[0]
        forward = (rows - start[0]) * along[0] + (columns - start[1]) * along[1]
        thickness = np.sqrt(np.maximum(1.0 - (2 * across / SCREW_MM) ** 2, 0.0))
        metal += (SCREW * thickness * ((forward > 0) & (forward < 55.0))).astype(np.float32)
    return metal


def draw_field(shape: tuple[int, ...], shapes: Sequence[FieldShape], rng: np.random.Generator) -> Bools:
    """(H, W) where a field of a shape drawn from those named lets the beam through; everywhere, where none is named."""
    if not shapes:
        return np.ones(shape, dtype=bool)
    kind = shapes[int(rng.integers(len(shapes)))]
    rows, columns = np.meshgrid(*(np.linspace(-0.5, 0.5, n) for n in shape), indexing="ij")
    if kind == "round":
        row, column = rng.uniform(-0.02, 0.02, 2)
        return np.asarray(np.hypot(rows - row, columns - column) < rng.uniform(0.44, 0.5))
    angle = rng.uniform(-0.35, 0.35) if kind == "rotated blades" else 0.0
    right = columns * np.cos(angle) + rows * np.sin(angle)
    down = rows * np.cos(angle) - columns * np.sin(angle)
    open_field = np.ones(shape, dtype=bool)
    sides = [right, -right, down, -down]
    chosen = rng.permutation(4)[: rng.integers(2, 5)] if kind == "blades" else range(rng.choice([2, 4]))
    for side in chosen:
        open_field &= sides[side] < 0.5 - rng.uniform(0.12, 0.2)
    return open_field


def displayed(image: NDArray[np.float32], field: Bools, pixel_mm: float) -> NDArray[np.float32]:
    """(H, W) line integrals as a C-arm shows them: detail enhanced, windowed to the field, 8 bit; black beyond it."""
    shown, sigma = field.astype(np.float32), 6.0 / pixel_mm
    mean = ndimage.gaussian_filter(image * shown, sigma) / np.maximum(ndimage.gaussian_filter(shown, sigma), 1e-3)
    detail = image - mean
    enhanced = image + 0.8 * detail
    low, high = np.percentile(enhanced[field], [0.5, 99.5])
    grey = np.clip((enhanced - low) / (high - low), 0.0, 1.0) ** 0.8
    return np.where(field, np.round(255 * grey) * (5.0 / 255), 0.0).astype(np.float32)


def with_calibration_error(geometry: ViewGeometry, world: World, rng: np.random.Generator) -> ViewGeometry:
    """The geometry as it is believed to be."""
    if not (world.source_mm or world.detector_mm or world.detector_deg):
        return geometry
    turn = rng.normal(0.0, np.radians(world.detector_deg), 3)
    moved = RigidTransform.identity().rotated_about(geometry.centre_ras, turn, rng.normal(0.0, world.detector_mm, 3))
    source = geometry.source_ras + rng.normal(0.0, world.source_mm, 3)
    return ViewGeometry(source, moved.matrix @ geometry.detector_to_ras, geometry.shape)


def stated_sigma(world: World) -> GeometrySigma | None:
    """What the calibration says of its own errors."""
    if not world.stated:
        return None
    errors = (world.source_mm, world.detector_mm, world.detector_deg)
    return GeometrySigma(*(np.full(3, error) for error in errors))


def shown_ct(ct: Volume, labels: Volume, sought: int, around: Sequence[int], world: World) -> tuple[Volume, Volume]:
    """The CT and the labels as the world's scan shows them.

    Args:
        ct: Hounsfield units, all of the anatomy.
        labels: Label map on any grid.
        sought: Label of the vertebra, about whose middle a square or circle lies.
        around: Labels of the vertebra and of its neighbours.
        world: What is different.
    """
    if world.extent is None:
        return ct, labels
    if world.extent == "bone":
        near = ndimage.binary_dilation(np.isin(labels.resampled_to(ct, order=0).array, around))
        return Volume(np.where(near, ct.array, np.float32(PADDING_HU)), ct.index_to_ras), labels
    if world.extent == "stack":
        points = labels.to_ras(np.argwhere(np.isin(labels.array, around))[:, ::-1])
        low, high = points.min(axis=0) - STACK_MARGIN_MM, points.max(axis=0) + STACK_MARGIN_MM
    else:
        vertebra = labels.to_ras(np.argwhere(labels.array == sought)[:, ::-1])
        centre = (vertebra.min(axis=0) + vertebra.max(axis=0)) / 2
        half = np.array([world.extent_mm / 2, world.extent_mm / 2, 1e4])
        low, high = centre - half, centre + half
    corners = ct.to_index(np.array(np.meshgrid(*np.stack([low, high], axis=1), indexing="ij")).reshape(3, -1).T)
    part = ct.box(np.round(corners.min(axis=0)), np.round(corners.max(axis=0)) + 1)
    if world.extent == "circle":
        k, j, i = np.meshgrid(*(np.arange(n) for n in part.array.shape), indexing="ij")
        away = part.to_ras(np.stack([i, j, k], axis=-1)) - (low + high) / 2
        inside = np.hypot(away[..., 0], away[..., 1]) < world.extent_mm / 2
        part = Volume(np.where(inside, part.array, np.float32(PADDING_HU)), part.index_to_ras)
    return part, Volume(labels.resampled_to(part, order=0).array.astype(labels.array.dtype), part.index_to_ras)
