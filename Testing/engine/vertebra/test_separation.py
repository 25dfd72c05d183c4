"""Separating a CT into parts that may move on their own."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from grids import isotropic_grid
from scipy import ndimage

from radgs.drr import SOFT_TISSUE, attenuation_from_hu
from radgs.geometry import RigidTransform, Volume
from radgs.phantom import PhantomSpine
from radgs.vertebra.separation import (
    SLAB_VOXELS,
    Attenuation,
    SplitCT,
    label_box,
    resampled_isotropic,
    soft_mask,
    split_parts,
)


@pytest.fixture(scope="session")
def spine(phantom_spine: PhantomSpine) -> PhantomSpine:
    return phantom_spine


@pytest.fixture(scope="module")
def split(spine: PhantomSpine) -> SplitCT:
    return split_parts(spine.ct, spine.labels, [spine.levels["L3"], spine.levels["L2"]])


def put_back(split: SplitCT) -> np.ndarray:
    """Remainder plus every part's excess, voxel by voxel."""
    whole = Volume(split.remainder.array.copy(), split.remainder.index_to_ras)
    for part in split.excess.values():
        low = np.round(whole.to_index(part.to_ras([0, 0, 0]))).astype(int)
        whole.box(low, low + part.size).array[...] += part.array
    return whole.array


def two_blocks() -> tuple[Volume, Volume]:
    """A CT of two blocks of bone that touch, and their labels 1 and 2."""
    grid = isotropic_grid([0.0, 0.0, 0.0], [40.0, 30.0, 50.0], 1.0)
    hu, labels = np.full(grid.array.shape, 40.0, dtype=np.float32), np.zeros(grid.array.shape, dtype=np.uint8)
    hu[10:40, 8:22, 10:30] = 400.0
    labels[10:25, 8:22, 10:30], labels[25:40, 8:22, 10:30] = 1, 2
    return Volume(hu, grid.index_to_ras), Volume(labels, grid.index_to_ras)


def test_the_parts_add_up_to_the_ct(spine: PhantomSpine, split: SplitCT) -> None:
    np.testing.assert_allclose(put_back(split), attenuation_from_hu(spine.ct.array), atol=1e-8)


def test_taking_bodies_out_leaves_the_ct_itself_alone() -> None:
    ct, labels = two_blocks()
    before = ct.array.copy()
    split_parts(ct, labels, [1, 2])
    np.testing.assert_array_equal(ct.array, before)


def test_soft_tissue_is_left_where_the_vertebra_was(spine: PhantomSpine, split: SplitCT) -> None:
    inside = ndimage.binary_erosion(spine.labels.array == spine.levels["L3"])
    np.testing.assert_allclose(split.remainder.array[inside], SOFT_TISSUE, atol=1e-8)


def test_little_bone_is_left_over_around_the_vertebra(spine: PhantomSpine, split: SplitCT) -> None:
    """Within 3 mm of its surface, partial-volume voxels included, and away from its neighbours."""
    vertebra = spine.labels.array == spine.levels["L3"]
    neighbours = (spine.labels.array > 0) & ~vertebra
    near = ndimage.distance_transform_edt(~vertebra) * 2.0 < 3.0
    rim = near & (ndimage.distance_transform_edt(~neighbours) * 2.0 > 6.0)
    before = attenuation_from_hu(spine.ct.array)[rim] - SOFT_TISSUE
    after = split.remainder.array[rim] - SOFT_TISSUE
    assert np.maximum(after, 0.0).sum() < 0.22 * np.maximum(before, 0.0).sum()


def test_far_from_the_bodies_nothing_changes(spine: PhantomSpine, split: SplitCT) -> None:
    parts = np.isin(spine.labels.array, [spine.levels["L3"], spine.levels["L2"]])
    away = ~ndimage.binary_dilation(parts, iterations=3)
    np.testing.assert_array_equal(split.remainder.array[away], attenuation_from_hu(spine.ct.array)[away])


@pytest.mark.parametrize("order", [[1, 2], [2, 1]])
def test_bodies_that_overlap_lose_no_attenuation_in_either_order(order: list[int]) -> None:
    ct, labels = two_blocks()
    split = split_parts(ct, labels, order)
    np.testing.assert_allclose(put_back(split), attenuation_from_hu(ct.array), atol=1e-8)
    inside = ndimage.binary_erosion(labels.array > 0)
    np.testing.assert_allclose(split.remainder.array[inside], SOFT_TISSUE, atol=1e-8)


def test_labels_may_lie_on_another_grid(spine: PhantomSpine) -> None:
    """The same labels on a turned, finer grid take out the same vertebra."""
    label = spine.levels["L3"]
    centre = spine.labels.to_ras(np.argwhere(spine.labels.array == label).mean(axis=0)[::-1])
    turned = isotropic_grid([0.0, 0.0, 0.0], 130.0, 1.3)
    turn = RigidTransform.from_rotation_vector([0.3, -0.2, 0.4], centre).matrix @ turned.index_to_ras
    elsewhere = spine.labels.resampled_to(Volume(turned.array, turn), order=0)

    same = split_parts(spine.ct, spine.labels, [label]).excess[label]
    other = split_parts(spine.ct, elsewhere, [label])
    np.testing.assert_allclose(put_back(other), attenuation_from_hu(spine.ct.array), atol=1e-8)
    moved = other.excess[label].resampled_to(same).array
    assert moved.sum() == pytest.approx(same.array.sum(), rel=0.03)
    assert np.corrcoef(moved.ravel(), same.array.ravel())[0, 1] > 0.97


def test_the_mask_is_whole_inside_and_ends_soon_outside(spine: PhantomSpine) -> None:
    label = spine.levels["L4"]
    mask = soft_mask(spine.labels, label, spine.labels).array
    vertebra = spine.labels.array == label
    assert mask.min() >= 0
    assert mask.max() <= 1
    assert (mask[ndimage.binary_erosion(vertebra)] == 1).all()
    assert (mask[~ndimage.binary_dilation(vertebra, iterations=2)] == 0).all()


def test_the_box_of_a_label_covers_it_with_a_margin(spine: PhantomSpine) -> None:
    label = spine.levels["L1"]
    grid = isotropic_grid([0.0, 0.0, 60.0], [200.0, 200.0, 200.0], 1.7)
    box = label_box(spine.labels, label, grid, margin_mm=6.0)
    voxels = spine.labels.to_ras(np.argwhere(spine.labels.array == label)[:, ::-1])
    indices = box.to_index(voxels)
    room = np.minimum(indices, np.array(box.size) - 1 - indices).min(axis=0) * 1.7
    assert (room >= 6.0).all()
    assert (room < 6.0 + 2 * 1.7 + 1.0).all()


def test_a_box_at_the_edge_of_the_grid_is_cut_there() -> None:
    labels = Volume(np.zeros((20, 20, 20), dtype=np.uint8), np.eye(4))
    labels.array[0:4, 8:12, 8:12] = 3
    box = label_box(labels, 3, labels, margin_mm=3.0)
    assert box.size == (12, 12, 8)
    np.testing.assert_allclose(box.to_ras([0, 0, 0]), [4.0, 4.0, 0.0])


@pytest.mark.parametrize("spacing_mm", [0.8, 1.5, 3.0])
def test_an_isotropic_copy_keeps_the_mass_and_its_place(split: SplitCT, spine: PhantomSpine, spacing_mm: float) -> None:
    part = split.excess[spine.levels["L3"]]
    copy = resampled_isotropic(part, spacing_mm)
    np.testing.assert_allclose(copy.spacing, spacing_mm)
    assert copy.array.dtype == np.float32
    mass = part.array.sum() * part.spacing.prod()
    assert copy.array.sum() * spacing_mm**3 == pytest.approx(mass, rel=0.01)
    np.testing.assert_allclose(centroid(copy), centroid(part), atol=0.1 * max(spacing_mm, part.spacing.max()))


def test_an_isotropic_copy_may_be_cut_to_a_box(split: SplitCT) -> None:
    copy = resampled_isotropic(split.remainder, 2.0, centre=np.array([3.0, -4.0, 5.0]), size_mm=np.full(3, 60.0))
    assert copy.size == (31, 31, 31)
    np.testing.assert_allclose(copy.to_ras([15, 15, 15]), [3.0, -4.0, 5.0])


def centroid(volume: Volume) -> np.ndarray:
    """(3,) centre of mass, RAS mm."""
    return volume.to_ras(np.array(ndimage.center_of_mass(volume.array))[::-1])


@pytest.mark.parametrize("turn", [[0.2, -0.1, 0.3], [0.0, 0.0, 0.0], [np.pi, 0.0, 0.0]])
def test_resampling_slab_by_slab_is_resampling_at_once(turn: list[float]) -> None:
    """Across the CT's axes, and along them, either way."""
    turned = RigidTransform.from_rotation_vector(turn, [5.0, -7.0, 20.0]).matrix
    hu = np.random.default_rng(0).integers(-1000, 1500, (90, 40, 50)).astype(np.int16)
    ct = Volume(hu, turned @ np.diag([0.7, 0.7, 1.25, 1.0]))
    found = resampled_isotropic(ct, 1.5, values=attenuation_from_hu)
    sigma = np.sqrt(np.maximum(1.5**2 - ct.spacing**2, 0.0)) / 2 / ct.spacing
    smoothed = Volume(ndimage.gaussian_filter(attenuation_from_hu(hu), sigma[::-1]), ct.index_to_ras)
    expected = smoothed.resampled_to(found).array
    assert found.size[2] > 2 * SLAB_VOXELS
    assert np.ptp(expected) > 0.01
    np.testing.assert_allclose(found.array, expected, atol=1e-7)


def test_resampling_a_large_volume_takes_little_beside_it() -> None:
    ct = Volume(np.zeros((300, 160, 160), np.int16), np.diag([0.7, 0.7, 1.0, 1.0]))
    tracemalloc.start()
    small = resampled_isotropic(ct, 2.0, values=attenuation_from_hu)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2.0 * 2 * ct.array.nbytes + 8 * small.array.nbytes


@pytest.mark.parametrize(("low", "high"), [((0, 0, 0), (6, 5, 4)), ((2, 1, 1), (5, 9, 3)), ((4, 3, 3), (6, 5, 4))])
def test_a_box_of_the_attenuation_is_that_of_all_of_it(low: tuple[int, ...], high: tuple[int, ...]) -> None:
    """Parts within the box, across its border, over the CT's own, beside it; some of it unknown."""
    random = np.random.default_rng(0)
    grid = np.diag([-1.0, 2.0, 1.5, 1.0])
    grid[:3, 3] = [3.0, -7.0, 11.0]
    ct = Volume(random.integers(-1000, 1000, (4, 5, 6)).astype(np.int16), grid)
    unknown = random.random(ct.array.shape) < 0.3
    expected = attenuation_from_hu(ct.array)
    expected[unknown] = SOFT_TISSUE
    parts = []
    for first, stop in (((1, 1, 1), (4, 4, 3)), ((3, 0, 2), (6, 5, 4)), ((0, 0, 0), (2, 2, 1))):
        box = Volume(expected, grid).box(first, stop)
        parts.append(Volume(random.random(box.array.shape).astype(np.float32), box.index_to_ras))
        box.array[...] -= parts[-1].array
    found = Attenuation(ct, unknown, tuple(parts)).box(low, high)
    whole = Volume(expected, grid).box(low, high)
    np.testing.assert_array_equal(found.array, whole.array)
    np.testing.assert_array_equal(found.index_to_ras, whole.index_to_ras)
