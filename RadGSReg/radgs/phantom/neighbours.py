"""Bones around the labelled vertebrae: discs, sacrum, ribs and iliac crests, so that X-rays look complete."""

from __future__ import annotations

from collections.abc import Collection
from itertools import pairwise

import numpy as np

from radgs.geometry import FloatArray, RigidTransform
from radgs.phantom.bone import BoneQuality, Hounsfield, blend_bone, coverage, refine_distance, texture
from radgs.phantom.curve import SpineCurve
from radgs.phantom.facets import FacetJoint, cut_at_joint
from radgs.phantom.morphometry import VertebraShape
from radgs.phantom.shapes import Grid, Solid, SphereMesh, chain, placed, quad, triangle
from radgs.phantom.torso import Torso
from radgs.phantom.vertebra import window_around

DISC_HU = 85.0
NUCLEUS_HU = 70.0


def draw_discs(
    image: Hounsfield,
    grid: Grid,
    shapes: dict[str, VertebraShape],
    curve: SpineCurve,
    fused: Collection[str] = (),
    bone_hu: float = 0.0,
) -> None:
    """Draws the discs of a column down to the sacrum into the image, a little under the endplates that will cover them.

    Args:
        image: (D, H, W) HU.
        grid: Its grid.
        shapes: Level -> measures, from the head down to the sacrum.
        curve: Where the vertebrae stand.
        fused: Levels whose disc below has turned to bone...
        bone_hu: ...of such a density.
    """
    places = [(shapes[level], curve.frames[level]) for level in shapes]
    last = places[-1][0]
    lowest = (last, sacral_frame(last, curve))
    for (upper, above), (lower, below) in zip(places, [*places[1:], lowest], strict=True):
        bottom, top = above.apply([0, 0, -upper.height / 2]), below.apply([0, 0, lower.height / 2])
        middle = RigidTransform(_mean_rotation(above, below), (bottom + top) / 2)
        radius = max(upper.width_bottom, upper.depth) / 2 + 8
        window = grid.window(middle.translation - radius, middle.translation + radius)
        if window is None:
            continue
        x, y, z = window.local(middle)
        a, b = (upper.width_bottom + lower.width_top) / 4, (upper.depth_bottom + lower.depth_top) / 4
        half = upper.disc_below / 2
        bulge = 1.0 + 0.03 * (1 - np.clip(z / half, -1, 1) ** 2)
        level = ((np.abs(x) / a) ** 2.4 + (np.abs(y) / b) ** 2.4) ** np.float32(1 / 2.4)
        tilt = 0.25 * np.clip(y / b, -1, 1)
        distance = np.maximum((level / bulge - 1) * b, np.abs(z) - half * (1 + tilt) - 2.5)
        inner, outer = (bone_hu, 2.0 * bone_hu) if upper.name in fused else (NUCLEUS_HU, DISC_HU)
        hu = np.where(level < 0.6, np.float32(inner), np.float32(outer))
        part = image[grid.slices_of(window)]
        part += coverage(distance, float(grid.spacing.mean())) * (hu - part)


def _mean_rotation(first: RigidTransform, second: RigidTransform) -> FloatArray:
    half = RigidTransform.from_rotation_vector((first.inverse() @ second).rotation_vector / 2)
    return first.rotation @ half.rotation


def sacral_frame(l5: VertebraShape, curve: SpineCurve) -> RigidTransform:
    """A frame for S1 as if it had the measures of the vertebra above: its upper endplate is the sacral endplate."""
    return curve.sacrum @ RigidTransform(np.eye(3), np.array([0.0, 0.0, -l5.height / 2]))


def draw_sacrum(grid: Grid, l5: VertebraShape, curve: SpineCurve, joints: dict[int, FacetJoint]) -> Solid:
    """The upper sacrum: body of S1 tapering to S2, wings, crest, and the superior processes that meet L5."""
    frame = curve.sacrum
    window = window_around(grid, frame, [-70.0, -75.0, -75.0], [70.0, 35.0, 22.0])
    bone = Solid(window)
    bone.add(placed(_sacral_pieces(l5), frame), blend_mm=5.0)
    x, y, z = window.local(frame)
    bone.add_distance(window, _sacral_body(l5, x, y, z), blend_mm=4.0)
    v = (y + l5.depth / 2 + 8.5) / 8.0
    radius = ((np.abs(x) / 13.0) ** 2.2 + np.abs(v) ** 2.2) ** np.float32(1 / 2.2)
    bone.cut((radius - 1) * np.float32(8.0), 1.5)
    for side, joint in joints.items():
        place = joint.frame_to_ct
        tips = [place.apply([-5.0, -4.5, 5.0]), place.apply([-5.0, 4.5, 5.0])]
        feet = [place.apply([-5.0, -5.0, -5.0]), place.apply([-5.0, 5.0, -5.0])]
        root = frame.apply([side * 24, -l5.depth / 2 - 9, -14])
        pieces = [
            *quad([tips[0], tips[1], feet[1], feet[0]], [3.6, 3.6, 5.0, 5.0]),
            triangle(root, feet[0], feet[1], [8.0, 5.0, 5.0]),
        ]
        bone.add_distance(window, cut_at_joint(window, pieces, joint, 1), blend_mm=3.0)
    return bone


def _sacral_body(l5: VertebraShape, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    down = np.clip(-z, 0, 75)
    a = (l5.width_bottom / 2) * (1 - 0.007 * down)
    b = (l5.depth_bottom / 2) * np.maximum(1 - 0.011 * down, 0.3)
    y = y + 0.14 * down
    level = ((np.abs(x) / a) ** 2.5 + (np.abs(y) / b) ** 2.5) ** np.float32(1 / 2.5)
    dish = 1.5 * np.clip(1 - (level / 0.85) ** 2, 0, 1)
    return np.maximum((level - 1) * b, z + dish)


def _sacral_pieces(l5: VertebraShape) -> list[SphereMesh]:
    back = -l5.depth / 2
    pieces: list[SphereMesh] = []
    for side in (-1, 1):
        inner, outer = [side * 22, -6, -13], [side * 50, back - 2, -14]
        pieces += quad([inner, outer, [side * 40, back - 14, -62], [side * 18, -16, -60]], [10, 9, 7, 8])
        pieces += quad(
            [
                [side * 23, back - 12, -13],
                [side * 46, back - 6, -16],
                [side * 36, back - 22, -60],
                [side * 16, back - 26, -60],
            ],
            [7, 6, 5, 5],
        )
        pieces += quad(
            [[0, back - 24, -16], [side * 20, back - 16, -12], [side * 18, back - 28, -60], [0, back - 36, -60]],
            [3, 4, 4, 3],
        )
    pieces += quad([[0, back - 24, -16], [0, back - 32, -20], [0, back - 42, -58], [0, back - 36, -60]], 2.8)
    return pieces


def rib_pieces(curve: SpineCurve, torso: Torso) -> list[SphereMesh]:
    """The lowest two pairs of ribs, running down and round inside the trunk's wall."""
    pieces: list[SphereMesh] = []
    a, b = torso.half_width - torso.fat_mm - 5, torso.half_depth - torso.fat_mm - 4
    for level, end_deg, fall in (("T11", 108.0, 75.0), ("T12", 72.0, 48.0)):
        head = curve.frames[level].apply([0, 0, 5.0])
        for side in (-1, 1):
            neck = curve.frames[level].apply([[side * 21, -16, 5.0], [side * 34, -34, 2.0]])
            angles = np.radians(np.linspace(32, end_deg, 9))
            part = (angles - angles[0]) / (angles[-1] - angles[0])
            x = torso.centre[0] + side * a * np.sin(angles)
            y = torso.centre[1] - b * np.cos(angles)
            z = head[2] - 8 - fall * part
            path = np.vstack([neck, np.stack([x, y, z], axis=1)])
            flat = np.array([0, 0, 3.2])
            for p, q in pairwise(path):
                pieces += quad([p + flat, q + flat, q - flat, p - flat], 2.9)
    return pieces


def iliac_pieces(curve: SpineCurve) -> list[SphereMesh]:
    """The iliac crests beside the sacrum, as high as L4-L5."""
    top = curve.frames["L5"].translation + 0.35 * (curve.frames["L4"].translation - curve.frames["L5"].translation)
    base = curve.sacrum.translation
    pieces: list[SphereMesh] = []
    for side in (-1, 1):
        crest = [
            [side * 52, base[1] - 52, base[2] - 22],
            [side * 66, base[1] - 50, base[2] + 2],
            [side * 88, base[1] - 34, top[2] - 6],
            [side * 110, base[1] - 4, top[2] + 2],
            [side * 124, base[1] + 28, top[2] - 16],
            [side * 128, base[1] + 52, top[2] - 46],
        ]
        foot = [[side * (58 + 7 * n), base[1] - 32 + 11 * n, base[2] - 60] for n in range(6)]
        for n in range(5):
            pieces += quad([crest[n], crest[n + 1], foot[n + 1], foot[n]], [4.8, 4.8, 3.2, 3.2])
        pieces += chain(crest, 5.2)
    return pieces


def draw_thin_bones(
    image: Hounsfield, grid: Grid, pieces: list[SphereMesh], quality: BoneQuality, rng: np.random.Generator
) -> None:
    """Draws ribs or crests into the image in place, joined where they meet."""
    bounds = [piece.bounds(4.0) for piece in pieces]
    window = grid.window(np.min([b[0] for b in bounds], axis=0), np.max([b[1] for b in bounds], axis=0))
    if window is not None and min(window.size) > 1:
        bone = Solid(window)
        bone.add(pieces, blend_mm=1.5)
        shell_and_sponge(image, grid, bone, quality, rng)


def shell_and_sponge(
    image: Hounsfield, grid: Grid, bone: Solid, quality: BoneQuality, rng: np.random.Generator
) -> None:
    """Draws a bone that has no label into the image in place: a compact shell around spongy bone."""
    distance, width = refine_distance(bone)
    part = image[grid.slices_of(bone.grid)]
    inside = 0.7 * quality.arch_hu + quality.texture_hu * texture(bone.grid, rng)
    blend_bone(part, distance, width, 0.8 * quality.arch_shell_mm, quality.cortical_hu, inside)
