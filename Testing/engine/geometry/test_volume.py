"""Volumes: where voxels stand, and what is read between them."""

from __future__ import annotations

import numpy as np
import pytest
from grids import isotropic_grid
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from radgs.geometry import RigidTransform, Volume

turns = arrays(np.float64, 3, elements=st.floats(-1.7, 1.7))
spacings = arrays(np.float64, 3, elements=st.floats(0.3, 5.0))
points = arrays(np.float64, (5, 3), elements=st.floats(-300, 300))


def oblique(turn: np.ndarray, spacing: np.ndarray, left_handed: bool = False) -> np.ndarray:
    steps = np.diag([*spacing, 1.0]) @ np.diag([1.0, 1.0, -1.0 if left_handed else 1.0, 1.0])
    return RigidTransform.from_rotation_vector(turn, [12.0, -40.0, 7.0]).matrix @ steps


@given(turns, spacings, st.booleans(), points)
def test_index_and_ras_undo_each_other_in_any_orientation(
    turn: np.ndarray, spacing: np.ndarray, left_handed: bool, places: np.ndarray
) -> None:
    volume = Volume(np.zeros((4, 5, 6)), oblique(turn, spacing, left_handed))
    np.testing.assert_allclose(volume.to_ras(volume.to_index(places)), places, atol=1e-8)
    np.testing.assert_allclose(volume.spacing, spacing)
    assert volume.size == (6, 5, 4)


def ramp_volume(turn: np.ndarray) -> Volume:
    """Values that are a linear function of RAS: 2 R - 3 A + S + 5."""
    index_to_ras = oblique(turn, np.array([1.0, 1.5, 2.0]))
    k, j, i = np.indices((9, 10, 11))
    empty = Volume(np.zeros((9, 10, 11)), index_to_ras)
    return Volume(empty.to_ras(np.stack([i, j, k], axis=-1)) @ [2.0, -3.0, 1.0] + 5.0, index_to_ras)


@given(turns, arrays(np.float64, (6, 3), elements=st.floats(0.0, 1.0)))
def test_linear_interpolation_reads_a_ramp_exactly_in_any_orientation(turn: np.ndarray, fractions: np.ndarray) -> None:
    volume = ramp_volume(turn)
    places = volume.to_ras(fractions * (np.array(volume.size) - 1))
    np.testing.assert_allclose(volume.sample(places), places @ [2.0, -3.0, 1.0] + 5.0, atol=1e-9)


def test_beyond_the_grid_the_outside_value_is_read() -> None:
    volume = ramp_volume(np.zeros(3))
    assert volume.sample(volume.to_ras([-2.0, 4.0, 4.0]), outside=-1000.0) == -1000.0


def test_a_box_keeps_every_voxel_in_its_place() -> None:
    volume = ramp_volume(np.array([0.2, 0.1, -0.4]))
    box = volume.box([2, 3, 1], [100, 7, 5])
    assert box.size == (9, 4, 4)
    assert box.array[1, 2, 3] == volume.array[2, 5, 5]
    np.testing.assert_allclose(box.to_ras([3, 2, 1]), volume.to_ras([5, 5, 2]))


def test_resampling_to_its_own_grid_changes_nothing() -> None:
    volume = ramp_volume(np.array([0.2, 0.1, -0.4]))
    np.testing.assert_allclose(volume.resampled_to(volume).array, volume.array, atol=1e-9)


def test_resampling_to_another_grid_keeps_values_at_their_places() -> None:
    volume = ramp_volume(np.array([0.2, 0.1, -0.4]))
    grid = isotropic_grid(volume.to_ras([5, 4, 4]), 3.0, 0.75)
    k, j, i = np.indices(grid.array.shape)
    expected = grid.to_ras(np.stack([i, j, k], axis=-1)) @ [2.0, -3.0, 1.0] + 5.0
    np.testing.assert_allclose(volume.resampled_to(grid).array, expected, atol=1e-9)


@pytest.mark.parametrize(
    ("size", "spacing", "voxels"), [(128.0, 2.0, (64, 64, 64)), ([30.0, 20.0, 10.0], 1.0, (30, 20, 10))]
)
def test_an_isotropic_grid_is_centred_along_ras(size: object, spacing: float, voxels: tuple[int, int, int]) -> None:
    grid = isotropic_grid([5.0, -6.0, 7.0], size, spacing)  # type: ignore[arg-type]
    assert grid.size == voxels
    np.testing.assert_allclose(grid.to_ras((np.array(voxels) - 1) / 2), [5.0, -6.0, 7.0])
    np.testing.assert_allclose(grid.index_to_ras[:3, :3], np.eye(3) * spacing)


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.float32, np.float64, np.bool_])
@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("mirrored", [(1.0, 1.0, 1.0), (-1.0, -1.0, 1.0), (1.0, -1.0, -1.0)])
def test_grids_along_the_same_axes_are_resampled_as_any_points_are(
    kind: type, order: int, mirrored: tuple[float, float, float]
) -> None:
    """Finer here, coarser there, beyond the volume on every side, the other way round; axis by axis, to rounding."""
    values = np.random.default_rng(3).random((7, 9, 11))
    array = values > 0.5 if kind is np.bool_ else (90 * values).astype(kind)
    grid = np.diag([0.7, 1.3, 2.5, 1.0])
    grid[:3, 3] = [4.0, -2.0, 1.0]
    volume = Volume(array, grid)
    middle = volume.to_ras((np.array(volume.size) - 1) / 2)
    finer = np.diag([*(np.array([1.9, 0.4, 1.7]) * mirrored), 1.0])
    shape = (14, 40, 9)
    finer[:3, 3] = middle - finer[:3, :3] @ ((np.array(shape[::-1]) - 1) / 2) + 0.013
    found = volume.resampled_to(Volume(np.zeros(shape), finer), order=order, outside=0.0)
    i, j, k = np.meshgrid(*(np.arange(n) for n in shape[::-1]), indexing="ij")
    expected = volume.sample(found.to_ras(np.stack([i, j, k], axis=-1)), order=order, outside=0.0).T
    assert found.array.dtype == expected.dtype
    assert len(np.unique(found.array)) > 1
    np.testing.assert_allclose(found.array.astype(float), expected.astype(float), atol=2e-4 if order else 0.0)


def test_a_grid_that_is_turned_a_little_is_not_taken_for_one_along_the_axes() -> None:
    volume = Volume(np.zeros((50, 60, 70)), np.diag([0.7, 0.7, 1.0, 1.0]))
    turned = RigidTransform.from_rotation_vector([0.0, 0.0, 1e-5]).matrix @ volume.index_to_ras
    assert volume.places_along_axes(Volume(volume.array, turned)) is None
    assert volume.places_along_axes(volume) is not None


def test_an_empty_volume_has_no_axes_to_go_along() -> None:
    assert Volume(np.zeros((0, 4, 4)), np.eye(4)).places_along_axes(Volume(np.zeros((2, 2, 2)), np.eye(4))) is None
