"""Simulated biplanar X-rays of an articulated spine, with the truth known.

The vertebra sought, its neighbours and the soft tissue each get a pose of their own. Parts are separated as excess over
soft tissue, so the image of the moved anatomy is the sum of the parts' line integrals. The images are ray-cast from the
CT's own voxels, not from the Gaussians that are registered to them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from radgs.case import InitialPose, Level, RegistrationCase
from radgs.drr import VolumeRenderer
from radgs.geometry import FloatArray, RigidTransform, ViewGeometry, Volume, XRayView, unit
from radgs.simulation.worlds import CLEAN, World, shown_ct, take_xray
from radgs.simulation.xray_physics import XRayPhysics
from radgs.vertebra import SeparatedCT

#: One a view.
RENDERINGS_KEPT = 2


@dataclass(frozen=True)
class SimulationSettings:
    """What varies from trial to trial; angles in degrees, lengths in mm.

    Attributes:
        rotation_deg: The vertebra's rotation from patient-aligned axes is uniform in 0..this, about a random axis.
        click_error_mm: Clicks are off by a common error, uniform in a ball of this radius...
        click_noise_mm: ...plus independent noise per view and direction (standard deviation, at the vertebra).
        joint_rotation_deg, joint_shift_mm: Each intervertebral joint, and the soft tissue, moves by up to this much.
        view_angle_deg: From the first view to the second, about the patient's axis, before they stray; 90 is lateral.
        view_tilt_deg: Each view's direction strays from AP and lateral by up to this much, about both axes.
        source_to_isocentre_mm, isocentre_to_detector_mm: Ranges of the C-arm's distances.
        isocentre_offset_mm: The vertebra lies off the isocentre by up to this much per axis.
        detector_pixels, detector_mm: Detector's side.
        photons, scatter_to_primary: Ranges of the exposure.
        world: How the images differ from clean ones.
    """

    rotation_deg: float = 15.0
    click_error_mm: float = 10.0
    click_noise_mm: float = 1.0
    joint_rotation_deg: float = 4.0
    joint_shift_mm: float = 2.0
    view_angle_deg: float = 90.0
    view_tilt_deg: float = 10.0
    source_to_isocentre_mm: tuple[float, float] = (520.0, 750.0)
    isocentre_to_detector_mm: tuple[float, float] = (300.0, 450.0)
    isocentre_offset_mm: float = 20.0
    detector_pixels: int = 512
    detector_mm: float = 300.0
    photons: tuple[float, float] = (2.0e4, 2.0e5)
    scatter_to_primary: tuple[float, float] = (0.1, 0.6)
    world: World = CLEAN


class ArticulatedAnatomy:
    """A CT split into the vertebrae named and the rest, ready to be posed and projected.

    Args:
        ct: Hounsfield units.
        labels: Label map.
        levels: Every vertebra that moves on its own, from cranial to caudal, name to label.
    """

    def __init__(self, ct: Volume, labels: Volume, levels: dict[str, int]) -> None:
        self.ct, self.labels, self.levels = ct, labels, levels
        separated = SeparatedCT(ct, labels, list(levels.values()))
        self.centres = {name: separated.frames.body_centre(label) for name, label in levels.items()}
        self._rest = VolumeRenderer(separated.remainder.all()).sampled_every(1.0)
        #: Each vertebra's attenuation above soft tissue, 1/mm, in the CT's RAS.
        self.excess = {name: separated.excess[label] for name, label in levels.items()}
        self._vertebrae = {name: VolumeRenderer(volume) for name, volume in self.excess.items()}
        self._shown: dict[tuple[str, World], tuple[Volume, Volume]] = {}
        self._rendered: dict[bytes, tuple[NDArray[np.float32], NDArray[np.float32]]] = {}

    def shown(self, target: str, world: World) -> tuple[Volume, Volume]:
        """The CT and the labels as a world's scan shows them, the same at every call."""
        if (target, world) not in self._shown:
            names = list(self.levels)
            at = names.index(target)
            around = [self.levels[name] for name in names[max(0, at - 1) : at + 2]]
            shown = shown_ct(self.ct, self.labels, self.levels[target], around, world)
            self._shown[target, world] = shown
        return self._shown[target, world]

    def random_poses(
        self, target: str, ct_to_world: RigidTransform, settings: SimulationSettings, rng: np.random.Generator
    ) -> dict[str, RigidTransform]:
        """Poses of all vertebrae and of the rest (key "") for a given pose of the target.

        Motion accumulates along the spine: each vertebra moves relative to its neighbour nearer the target, about the
        point halfway between the two bodies.
        """
        names = list(self.levels)
        at = names.index(target)
        poses = {target: ct_to_world}
        chains = (names[at::-1], names[at:])
        for chain in chains:
            for nearer, further in pairwise(chain):
                joint = (self.centres[nearer] + self.centres[further]) / 2
                poses[further] = small_motion(poses[nearer], joint, settings, rng)
        poses[""] = small_motion(ct_to_world, self.centres[target], settings, rng)
        return poses

    def line_integrals(self, poses: dict[str, RigidTransform], geometry: ViewGeometry) -> NDArray[np.float32]:
        """(H, W) line integrals of the posed anatomy."""
        vertebrae, rest = self.parts(poses, geometry)
        return rest + vertebrae

    def parts(
        self, poses: dict[str, RigidTransform], geometry: ViewGeometry
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(H, W) line integrals of the posed vertebrae, and of the rest.

        The last ones are kept: the same anatomy is often exposed in several worlds, one after the other.
        """
        numbers = [geometry.source_ras, geometry.detector_to_ras, geometry.shape]
        key = b"".join(np.asarray(values, float).tobytes() for values in numbers)
        key += b"".join(name.encode() + pose.matrix.tobytes() for name, pose in poses.items())
        if key not in self._rendered:
            while len(self._rendered) >= RENDERINGS_KEPT:
                del self._rendered[next(iter(self._rendered))]
            self._rendered[key] = self._render_parts(poses, geometry)
        return self._rendered[key]

    @torch.no_grad()
    def _render_parts(
        self, poses: dict[str, RigidTransform], geometry: ViewGeometry
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        images = [renderer.render(poses[name], geometry) for name, renderer in self._vertebrae.items()]
        return torch.stack(images).sum(dim=0).numpy(), self._rest.render(poses[""], geometry).numpy()


def simulate_case(
    anatomy: ArticulatedAnatomy,
    target: str,
    rng: np.random.Generator,
    settings: SimulationSettings | None = None,
    *,
    between_shots: RigidTransform | None = None,
    levels: Sequence[str] = (),
) -> RegistrationCase:
    """One trial: two X-rays of the anatomy at random poses, clicks with error, and the truth.

    Args:
        anatomy: Who is on the X-rays.
        target: The vertebra.
        rng: Source of chance.
        settings: What varies.
        between_shots: How the patient moves, in the world, between the first view, for which the truth holds, and the
            second; not at all, if None.
        levels: Others to be registered beside the target, each with its clicks and its truth.
    """
    settings = settings or SimulationSettings()
    centre = anatomy.centres[target]
    aim = rng.uniform(-1, 1, 3) * settings.isocentre_offset_mm
    rotation = unit(rng.normal(size=3)) * np.radians(rng.uniform(0, settings.rotation_deg))
    truth = RigidTransform(np.eye(3), aim - centre).rotated_about(aim, rotation)
    poses = anatomy.random_poses(target, truth, settings, rng)
    motions = {"AP": RigidTransform.identity(), "LAT": between_shots or RigidTransform.identity()}
    views = tuple(
        _take_xray(anatomy, {part: motions[name] @ pose for part, pose in poses.items()}, name, geometry, settings, rng)
        for name, geometry in (
            ("AP", c_arm_view(np.array([0.0, -1.0, 0.0]), settings, rng)),
            ("LAT", c_arm_view(second_direction(settings.view_angle_deg), settings, rng)),
        )
    )
    wanted = [target, *(name for name in levels if name != target)]

    def clicks(name: str) -> dict[str, tuple[float, float]]:
        where = [(motion @ poses[name]).apply(anatomy.centres[name]) for motion in motions.values()]
        return simulate_clicks(views, np.stack(where), settings, rng)

    clicked = {name: InitialPose(clicks(name), None) for name in wanted}
    ct, labels = anatomy.shown(target, settings.world)
    in_order = [name for name in anatomy.levels if name in wanted]
    return RegistrationCase(
        ct=ct,
        labels=labels,
        levels=tuple(Level(name, anatomy.levels[name]) for name in in_order),
        views=views,
        initial={name: clicked[name] for name in in_order},
        truth={name: poses[name] for name in in_order},
        sha256=None,
    )


def second_direction(angle_deg: float) -> FloatArray:
    """(3,) where the second beam goes: so far from the first, which goes from front to back, towards the right."""
    if angle_deg == 90.0:  # to the last bit, for a seed has always meant the same images
        return np.array([1.0, 0.0, 0.0])
    angle = np.radians(angle_deg)
    return np.array([np.sin(angle), -np.cos(angle), 0.0])


def simulate_clicks(
    views: Sequence[XRayView], centre_world: FloatArray, settings: SimulationSettings, rng: np.random.Generator
) -> dict[str, tuple[float, float]]:
    """Clicks (column, row) on a body's centre: a common error in a ball, and noise of each view's own.

    Args:
        views: The X-rays.
        centre_world: (3,) where the centre is, or (V, 3) where it was for each view.
        settings: How large the errors are.
        rng: Source of chance.
    """
    common = unit(rng.normal(size=3)) * settings.click_error_mm * rng.uniform() ** (1 / 3)
    clicks = {}
    for view, centre in zip(views, np.broadcast_to(centre_world, (len(views), 3)), strict=True):
        geometry = view.geometry
        in_plane = geometry.crop_geometry(centre, 1.0, 1).detector_to_ras[:3, :2]
        noise = in_plane @ rng.normal(0.0, settings.click_noise_mm, 2)
        column, row = geometry.project(centre + common + noise)
        clicks[view.name] = (float(column), float(row))
    return clicks


def small_motion(
    pose: RigidTransform, centre_ct: FloatArray, settings: SimulationSettings, rng: np.random.Generator
) -> RigidTransform:
    """A pose after a random motion of a joint, about ``centre_ct`` (3,), a point in the CT's RAS, mm."""
    rotation = unit(rng.normal(size=3)) * np.radians(rng.uniform(0, settings.joint_rotation_deg))
    shift = unit(rng.normal(size=3)) * rng.uniform(0, settings.joint_shift_mm)
    return pose.rotated_about(pose.apply(centre_ct), rotation, shift)


def c_arm_view(direction: FloatArray, settings: SimulationSettings, rng: np.random.Generator) -> ViewGeometry:
    """A view along about ``direction``, isocentre at the world's origin, rows running towards the feet."""
    superior = np.array([0.0, 0.0, 1.0])
    tilt = np.radians(rng.uniform(-1, 1, 2) * settings.view_tilt_deg)
    turn = RigidTransform.from_rotation_vector(superior * tilt[0])
    nod = RigidTransform.from_rotation_vector(np.cross(direction, superior) * tilt[1])
    forward = (turn @ nod).apply(direction)
    right = unit(np.cross(forward, superior))
    down = np.cross(forward, right)
    pixel = settings.detector_mm / settings.detector_pixels
    detector_to_ras = np.eye(4)
    detector_to_ras[:3, 0], detector_to_ras[:3, 1], detector_to_ras[:3, 2] = right * pixel, down * pixel, forward
    middle = forward * rng.uniform(*settings.isocentre_to_detector_mm)
    detector_to_ras[:3, 3] = middle - detector_to_ras[:3, :2] @ np.full(2, (settings.detector_pixels - 1) / 2)
    source = -forward * rng.uniform(*settings.source_to_isocentre_mm)
    return ViewGeometry(source, detector_to_ras, (settings.detector_pixels, settings.detector_pixels))


def _take_xray(
    anatomy: ArticulatedAnatomy,
    poses: dict[str, RigidTransform],
    name: str,
    geometry: ViewGeometry,
    settings: SimulationSettings,
    rng: np.random.Generator,
) -> XRayView:
    vertebrae, rest = anatomy.parts(poses, geometry)
    physics = replace(
        XRayPhysics(),
        photons=float(np.exp(rng.uniform(*np.log(settings.photons)))),
        scatter_to_primary=rng.uniform(*settings.scatter_to_primary),
    )
    return take_xray(vertebrae, rest, name, geometry, settings.world, physics, rng)
