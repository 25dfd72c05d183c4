"""What the engine reads off a label map: surface, body centre, anatomical frame, level."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from grids import isotropic_grid
from hypothesis import given, settings
from hypothesis import strategies as st

import radgs
from radgs.anatomy import (
    LABEL_NUMBERINGS,
    LEVELS,
    body_centre,
    level_spacing_mm,
    sample_triangles,
    spineps_mask,
    spineps_structure,
    suggest_numbering,
    surface_mesh,
    surface_points,
    touches_edge,
    vertebra_frame,
)
from radgs.anatomy.levels import level_doubts
from radgs.errors import CaseError
from radgs.geometry import RigidTransform, Volume, angle_between
from radgs.io.volumes import read_labels
from radgs.phantom import make_spine

LABEL = 22
DEMO = Path(radgs.__file__).parent / "data" / "demo" / "labels.nii.gz"
HALF_BODY = np.array([21.0, 16.0, 13.5])


def grid_of(spacing, size_mm=120.0, turn=(0.0, 0.0, 0.0), centre=(40.0, -25.0, 310.0), mirrored=False) -> Volume:
    """An empty label map of the given spacing and orientation; ``mirrored`` makes index_to_ras left-handed."""
    counts = np.ceil(size_mm / np.asarray(spacing)).astype(int)
    index_to_ras = np.eye(4)
    axes = RigidTransform.from_rotation_vector(turn).rotation * np.asarray(spacing)
    index_to_ras[:3, :3] = axes * ([-1, 1, 1] if mirrored else [1, 1, 1])
    index_to_ras[:3, 3] = np.asarray(centre) - index_to_ras[:3, :3] @ (counts - 1) / 2
    return Volume(np.zeros(tuple(counts[::-1]), dtype=np.uint8), index_to_ras)


def places_of(grid: Volume) -> np.ndarray:
    """(D, H, W, 3) RAS of the voxel centres."""
    k, j, i = np.meshgrid(*(np.arange(n) for n in grid.array.shape), indexing="ij")
    return grid.to_ras(np.stack([i, j, k], axis=-1))


def is_vertebra(points: np.ndarray) -> np.ndarray:
    """An analytic lumbar vertebra in its own frame (right, anterior, superior mm, origin mid-body)."""
    x, y, z = np.moveaxis(points, -1, 0)
    side, depth = np.abs(x), y + HALF_BODY[1]
    body = ((x / HALF_BODY[0]) ** 2 + (y / HALF_BODY[1]) ** 2 < 1) & (np.abs(z) < HALF_BODY[2])
    pedicle = ((side - 12) ** 2 + (z - 5) ** 2 / 2 < 16) & (depth < 5) & (depth > -14)
    ring = np.hypot(x / 1.15, depth + 8)
    lamina = (ring > 11) & (ring < 16) & (depth < -8) & (np.abs(z + 2) < 10)
    transverse = (side > 12) & (side < 38) & ((depth + 12 + 0.2 * (side - 12)) ** 2 + (z - 3) ** 2 < 25)
    spinous = (side < 3.5) & (depth < -22) & (depth > -50) & (np.abs(z + 5 - 0.1 * depth) < 9)
    return body | pedicle | lamina | transverse | spinous


def vertebra_at(pose: RigidTransform, grid: Volume, label: int = LABEL) -> Volume:
    """The analytic vertebra at a pose, drawn into a copy of a label map."""
    array = grid.array.copy()
    array[is_vertebra(pose.inverse().apply(places_of(grid)))] = label
    return Volume(array, grid.index_to_ras)


def ball_in(grid: Volume, centre, radius: float) -> Volume:
    inside = np.linalg.norm(places_of(grid) - centre, axis=-1) < radius
    return Volume(np.where(inside, LABEL, 0).astype(np.uint8), grid.index_to_ras)


def lying_at(*, degrees=(0.0, 0.0, 0.0), at=(40.0, -10.0, 310.0)) -> RigidTransform:
    return RigidTransform.from_rotation_vector(np.radians(degrees), at)


@pytest.mark.parametrize("mirrored", [False, True], ids=["right-handed", "left-handed"])
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.7, 0.7, 2.5), (2.0, 0.8, 0.8)])
def test_a_labelled_ball_has_the_balls_surface_on_any_grid(spacing, mirrored):
    grid = grid_of(spacing, size_mm=70.0, turn=(0.3, -0.2, 0.5), mirrored=mirrored)
    centre = np.array([43.3, -22.1, 308.4])
    ball = ball_in(grid, centre, 20.0)
    vertices, triangles = surface_mesh(ball, LABEL)
    a, b, c = (vertices[triangles[:, corner]] - centre for corner in range(3))
    volume = np.einsum("na,na->", a, np.cross(b, c)) / 6.0
    assert volume == pytest.approx(4 / 3 * np.pi * 20.0**3, rel=0.01), "closed, and its triangles face outwards"
    points = surface_points(ball, LABEL)
    assert np.linalg.norm(points - centre, axis=1).mean() == pytest.approx(20.0, abs=0.2)
    assert np.linalg.norm(points.mean(axis=0) - centre) < 0.8, "2000 points of a sphere: 0.45 mm by chance alone"


def test_a_ball_cut_by_the_grids_edge_is_closed_and_known_to_be_cut():
    grid = grid_of((1.0, 1.0, 1.0), size_mm=40.0)
    cut = ball_in(grid, grid.to_ras([39, 20, 20]), 12.0)
    vertices, triangles = surface_mesh(cut, LABEL)
    edges = np.sort(triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    assert (np.unique(edges, axis=0, return_counts=True)[1] == 2).all()
    assert vertices.max() <= max(grid.to_ras([39.6, 39.6, 39.6]))
    assert touches_edge(cut, LABEL)
    assert not touches_edge(ball_in(grid, grid.to_ras([20, 20, 20]), 12.0), LABEL)


def test_a_label_of_a_single_voxel_has_a_surface():
    grid = grid_of((1.0, 1.0, 1.0), size_mm=10.0)
    grid.array[5, 5, 5] = LABEL
    vertices, _ = surface_mesh(grid, LABEL)
    assert vertices.mean(axis=0) == pytest.approx(grid.to_ras([5, 5, 5]))


def test_surface_points_are_uniform_by_area_whatever_the_triangles():
    square = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0.02, 0.01, 0]], dtype=float)
    fan = np.array([[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]])
    points = sample_triangles(square, fan, 40_000)
    counts, _, _ = np.histogram2d(points[:, 0], points[:, 1], bins=8, range=[[0, 1], [0, 1]])
    chi_squared = ((counts - 625.0) ** 2 / 625.0).sum()
    assert chi_squared < 103.4, "64 cells: the 99.9th percentile of chi squared with 63 degrees of freedom"


def test_the_same_seed_draws_the_same_points():
    ball = ball_in(grid_of((1.0, 1.0, 1.0), size_mm=40.0), (40.0, -25.0, 310.0), 12.0)
    assert surface_points(ball, LABEL).shape == (2000, 3)
    assert np.array_equal(surface_points(ball, LABEL), surface_points(ball, LABEL))
    assert not np.array_equal(surface_points(ball, LABEL), surface_points(ball, LABEL, seed=1))


SLOW_TURNS = [(0, 0, 0), (28, 0, 0), (-20, 15, 10), (0, 25, 0), (0, 0, -25)]


@pytest.mark.parametrize(
    "degrees", [(12, -18, 20), *(pytest.param(turn, marks=pytest.mark.slow) for turn in SLOW_TURNS)], ids=str
)
def test_the_frame_of_a_vertebra_lies_as_the_vertebra_lies(degrees):
    pose = lying_at(degrees=degrees)
    frame = vertebra_frame(vertebra_at(pose, grid_of((0.9, 0.9, 1.3))), LABEL)
    assert frame.rotation.T @ frame.rotation == pytest.approx(np.eye(3), abs=1e-9)
    assert np.linalg.det(frame.rotation) == pytest.approx(1.0)
    assert np.degrees(frame.geodesic_angle_to(pose)) < 1.5
    assert np.linalg.norm(frame.translation - pose.translation) < 0.5


@pytest.mark.parametrize("mirrored", [pytest.param(False, marks=pytest.mark.slow), True], ids=["right", "left-handed"])
def test_the_frame_does_not_depend_on_the_label_maps_grid(mirrored):
    pose = lying_at(degrees=(15, -10, 8))
    plain = vertebra_frame(vertebra_at(pose, grid_of((1.0, 1.0, 1.0))), LABEL)
    oblique = grid_of((0.8, 0.8, 2.5), turn=(0.2, 0.4, -0.3), mirrored=mirrored)
    other = vertebra_frame(vertebra_at(pose, oblique), LABEL)
    assert np.degrees(plain.geodesic_angle_to(other)) < 1.5
    assert np.linalg.norm(plain.translation - other.translation) < 0.5


def test_the_body_centre_is_the_middle_of_the_body_and_not_of_the_vertebra():
    pose = lying_at(degrees=(10, 5, -5))
    labels = vertebra_at(pose, grid_of((1.0, 1.0, 1.0)))
    whole = labels.to_ras(np.argwhere(labels.array == LABEL)[:, ::-1]).mean(axis=0)
    centre = body_centre(labels, LABEL)
    assert np.linalg.norm(centre - pose.translation) < 0.5
    assert np.linalg.norm(whole - pose.translation) > 10.0
    assert np.array_equal(centre, vertebra_frame(labels, LABEL).translation)


def test_a_body_without_its_arch_has_a_centre_but_no_frame():
    grid = grid_of((1.0, 1.0, 1.0))
    x, y, z = np.moveaxis(places_of(grid) - [40.0, -10.0, 310.0], -1, 0)
    grid.array[(np.hypot(x / 21, y / 16) < 1) & (np.abs(z) < 13)] = LABEL
    assert body_centre(grid, LABEL) == pytest.approx([40.0, -10.0, 310.0], abs=1.0)
    with pytest.raises(CaseError, match="without posterior elements"):
        vertebra_frame(grid, LABEL)


def test_a_missing_label_is_named_in_the_error():
    with pytest.raises(CaseError, match="no voxel of label 23"):
        body_centre(grid_of((2.0, 2.0, 2.0), size_mm=20.0), 23)


def test_a_sheet_is_no_vertebra():
    grid = grid_of((1.0, 1.0, 1.0), size_mm=60.0)
    grid.array[29:31, 5:55, 5:55] = LABEL
    with pytest.raises(CaseError, match="too thin"):
        body_centre(grid, LABEL)


def spine_of(labels: dict[int, float]) -> Volume:
    """Vertebrae with the given labels at the given heights above the first."""
    grid = grid_of((1.5, 1.5, 1.5), size_mm=150.0)
    for label, height in labels.items():
        grid = vertebra_at(lying_at(at=(40.0, -10.0, 310.0 + height)), grid, label)
    return grid


@pytest.mark.slow
def test_the_level_spacing_is_the_distance_to_the_nearest_labelled_neighbour():
    spine = spine_of({21: 34.0, 22: 0.0, 23: -38.0})
    assert level_spacing_mm(spine, 22) == pytest.approx(34.0, abs=0.6)
    assert level_spacing_mm(spine, 23) == pytest.approx(38.0, abs=0.6)
    assert level_spacing_mm(spine_of({22: 0.0, 24: -38.0}), 22) is None


def test_levels_run_from_the_head_down():
    assert LEVELS[0] == "T1"
    assert LEVELS[11:13] == ("T12", "L1")
    assert LEVELS[-1] == "L5"


def test_the_numbering_is_recognised_by_the_order_of_labels_along_the_spine():
    downwards = spine_of({21: 34.0, 22: 0.0, 23: -34.0})
    assert suggest_numbering(downwards) == "VerSe"
    upwards = spine_of({30: 34.0, 31: 0.0, 32: -34.0})
    assert suggest_numbering(upwards) is None, "31 is L1 and 32 is T12: these lie the wrong way round"
    assert suggest_numbering(spine_of({30: -34.0, 31: 0.0, 32: 34.0})) == "TotalSegmentator"
    assert suggest_numbering(spine_of({20: -34.0, 21: 0.0, 22: 34.0})) == "TotalSegmentator v1"


@settings(max_examples=8, deadline=None)
@given(
    angles=st.tuples(*[st.floats(-14.0, 14.0)] * 3),
    shift=st.tuples(*[st.floats(-8.0, 8.0)] * 3),
)
@pytest.mark.slow
def test_moving_the_label_map_moves_the_frame_with_it(angles, shift):
    labels = vertebra_at(lying_at(degrees=(8, 3, 0)), grid_of((0.9, 0.9, 1.5)))
    motion = RigidTransform.from_rotation_vector(np.radians(angles), shift)
    moved = Volume(labels.array, motion.matrix @ labels.index_to_ras)
    expected, found = motion @ vertebra_frame(labels, LABEL), vertebra_frame(moved, LABEL)
    assert np.degrees(expected.geodesic_angle_to(found)) < 1.0
    assert np.linalg.norm(expected.translation - found.translation) < 0.5


@pytest.mark.slow
def test_the_frames_of_a_scoliotic_spine_are_the_ones_it_was_built_with():
    spine = make_spine(3, spacing_mm=1.5, scoliosis_deg=20.0, soft_tissue=False)
    assert suggest_numbering(spine.labels) == "VerSe"
    for name, label in spine.levels.items():
        found, true = vertebra_frame(spine.labels, label), spine.frames[name]
        assert np.degrees(found.geodesic_angle_to(true)) < 2.0, name
        assert np.linalg.norm(found.translation - true.translation) < 1.5, name


def resampled_after(labels: Volume, label: int, motion: RigidTransform) -> Volume:
    """The label moved and drawn again on a fresh 1 mm RAS grid: real voxels, not a changed header."""
    mask = Volume((labels.array == label).astype(np.float32), labels.index_to_ras)
    grid = isotropic_grid(motion.apply(body_centre(labels, label)), 140.0, 1.0)
    back = Volume(grid.array, motion.inverse().matrix @ grid.index_to_ras)
    return Volume((mask.resampled_to(back).array > 0.5).astype(np.uint8) * label, grid.index_to_ras)


@pytest.mark.parametrize("label", [34, 33, 32], ids=["T10", "T11", "T12"])
def test_the_frame_of_a_real_vertebra_turns_with_it(real_labels, label):
    frame = vertebra_frame(real_labels, label)
    motion = RigidTransform.from_rotation_vector(np.radians([18.0, -9.0, 12.0]), [5.0, -3.0, 2.0])
    found = vertebra_frame(resampled_after(real_labels, label, motion), label)
    assert np.degrees((motion @ frame).geodesic_angle_to(found)) < 2.0
    assert np.linalg.norm(motion.apply(frame.translation) - found.translation) < 1.0


def test_the_real_ct_is_recognised_and_its_neighbours_lie_in_line(real_labels):
    assert suggest_numbering(real_labels) == "TotalSegmentator"
    assert LABEL_NUMBERINGS[suggest_numbering(real_labels)]["T12"] == 32
    assert level_spacing_mm(real_labels, 33) == pytest.approx(24.3, abs=0.7)
    t10, t11, t12 = (vertebra_frame(real_labels, label) for label in (34, 33, 32))
    for upper, lower in ((t10, t11), (t11, t12)):
        assert np.degrees(upper.geodesic_angle_to(lower)) < 10.0, "neighbours in a standing column"
        upwards = upper.translation - lower.translation
        assert np.degrees(angle_between(upwards, upper.rotation[:, 2] + lower.rotation[:, 2])) < 20.0


def test_every_vertebra_of_a_real_lumbar_spine_has_a_sensible_frame(verse_labels):
    frames = {label: vertebra_frame(verse_labels, label) for label in range(16, 25)}
    assert suggest_numbering(verse_labels) == "VerSe"
    for label in range(16, 24):
        relative = np.degrees((frames[label].inverse() @ frames[label + 1]).rotation_vector)
        assert abs(relative[0]) < 20.0, "lordosis and a wedge fracture bend in the sagittal plane"
        assert np.abs(relative[1:]).max() < 3.5, "a straight spine neither leans nor twists between neighbours"
    crushed = frames[20].inverse().apply(frames[19].translation)
    assert abs(crushed[0]) < 2.0
    assert 15.0 < crushed[2] < 35.0


@pytest.fixture(scope="module")
def demo_labels() -> Volume:
    """The bundled phantom's label map, numbered as VerSe does."""
    return read_labels(DEMO)


def relabelled(labels: Volume, level: str, as_level: str) -> Volume:
    """One of VerSe's levels under another's label."""
    array = labels.array.copy()
    array[array == LABEL_NUMBERINGS["VerSe"][level]] = LABEL_NUMBERINGS["VerSe"][as_level]
    return Volume(array, labels.index_to_ras)


def test_a_label_on_two_vertebrae_and_two_vertebrae_in_one_are_told(demo_labels: Volume) -> None:
    assert level_doubts(demo_labels, "VerSe") == []
    (doubled,) = level_doubts(relabelled(demo_labels, "L4", "L2"), "VerSe")
    assert doubled.startswith("L2 is there twice, ")
    (merged,) = level_doubts(relabelled(demo_labels, "L3", "L2"), "VerSe")
    assert merged.startswith("L2 is ")
    assert "there twice" in merged or "two vertebrae may have its label" in merged


def test_real_vertebrae_are_doubted_only_where_they_are_merged_or_doubled(verse_labels: Volume) -> None:
    assert level_doubts(verse_labels, "VerSe") == []
    for upper, lower in (("L2", "L3"), ("T10", "T11")):
        (merged,) = level_doubts(relabelled(verse_labels, lower, upper), "VerSe")
        assert "two vertebrae may have its label" in merged
    (doubled,) = level_doubts(relabelled(verse_labels, "L4", "L2"), "VerSe")
    assert "L2 is there twice" in doubled


def test_labels_of_spineps_are_read_as_verse_numbers_them(demo_labels: Volume) -> None:
    """Its instance mask is VerSe's, with 100 added for the disc below a vertebra and 200 for its endplates."""
    array = demo_labels.array.astype(np.int16)
    for level, label in LABEL_NUMBERINGS["VerSe"].items():
        where = np.argwhere(array == label)
        if len(where) and level != "L5":
            lowest = where[:, 0].min()
            plane = array[lowest]
            plane[plane == label] = 200 + label
    assert suggest_numbering(Volume(array, demo_labels.index_to_ras)) == "VerSe"


@pytest.mark.parametrize(
    ("present", "kind"),
    [
        ([20, 21, 22, 120, 121, 220], "instances"),
        ([20, 21, 22], None),  # VerSe's own
        ([41, 42, 43, 44, 49, 60, 61, 100, 26], "parts"),
        ([41, 42, 43, 44, 45], None),  # TotalSegmentator's upper thoracic and lower cervical vertebrae
        ([27, 28, 29, 41, 42, 43, 60, 61, 100], None),  # its organs too
        ([20, 21, 150], None),  # nobody's disc
        ([20, 21, 321], None),
    ],
)
def test_masks_of_spineps_are_known_by_their_labels(present: list[int], kind: str | None) -> None:
    array = np.zeros((4, 4, 4), np.int16)
    array.flat[: len(present)] = present
    assert spineps_mask(Volume(array, np.eye(4))) == kind


def test_structures_of_spineps_are_named_by_their_level() -> None:
    named = {label: spineps_structure(label) for label in (22, 100, 122, 222, 103, 128, 322, 199)}
    assert named == {
        22: None,
        100: None,
        122: "the disc of L3",
        222: "the endplates of L3",
        103: "the disc of vertebra 3",
        128: "the disc of vertebra 28",
        322: None,
        199: None,
    }
