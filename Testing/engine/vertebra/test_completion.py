"""What a CT does not show is unknown, not air."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from radgs.drr import SOFT_TISSUE, attenuation_from_hu
from radgs.geometry import Volume
from radgs.vertebra.completion import Completed, _every, _spread, completed, unknown_voxels
from radgs.vertebra.separation import Attenuation


def patient(side: int = 60, radius_mm: float = 55.0) -> Volume:
    """A cylinder of soft tissue of 40 HU along the superior axis in air, with a bone in its middle; 2 mm voxels."""
    k, j, i = np.meshgrid(np.arange(40), np.arange(side), np.arange(side), indexing="ij")
    index_to_ras = np.diag([2.0, 2.0, 2.0, 1.0])
    across = np.hypot(i - (side - 1) / 2, j - (side - 1) / 2) * 2
    array = np.where(across < radius_mm, 40.0, -1000.0) + 600.0 * (across < 10)
    rng = np.random.default_rng(0)
    return Volume((array + rng.normal(0, 2.0, k.shape)).astype(np.float32), index_to_ras)


def complete(ct: Volume) -> Completed:
    unknown, alone = unknown_voxels(ct)
    return completed(Attenuation(ct, unknown), unknown, 2.0, alone=alone)


def test_a_whole_patient_stays_in_air() -> None:
    found = complete(patient())
    background, excess = found.background, found.excess
    assert background == 0.0
    assert excess.sample(np.array([90.0, 59.0, 40.0])) == pytest.approx(SOFT_TISSUE, rel=0.05)
    assert excess.sample(np.array([2.0, 2.0, 40.0])) == pytest.approx(0.0, abs=1e-3)


def test_a_patient_goes_on_past_the_last_slice() -> None:
    ct = patient()
    found = complete(ct)
    excess, doubt = found.excess, found.doubt
    beyond = np.array([59.0, 59.0, 78.0 + 25.0])
    assert excess.sample(beyond) > 0.5 * SOFT_TISSUE
    assert doubt is not None
    assert doubt.sample(beyond) > 0.5 * SOFT_TISSUE
    assert doubt.sample(np.array([59.0, 59.0, 40.0])) == 0.0


def test_a_ct_cut_from_the_body_has_no_edge() -> None:
    ct = patient().box([15, 15, 0], [45, 45, 40])
    found = complete(ct)
    background, excess = found.background, found.excess
    assert background == pytest.approx(SOFT_TISSUE)
    across = excess.sample(np.stack([np.linspace(20, 100, 161), np.full(161, 40.0), np.full(161, 40.0)], axis=-1))
    assert np.abs(across).max() < 0.05 * SOFT_TISSUE


@pytest.mark.parametrize("padding", [-1024.0, -2000.0, -3024.0, np.nan])
def test_a_round_field_inside_the_grid_is_unknown_outside(padding: float) -> None:
    ct = patient()
    _, j, i = np.meshgrid(*(np.arange(n) for n in ct.array.shape), indexing="ij")
    inside = np.hypot(i - 29.5, j - 29.5) < 20
    cut = Volume(np.where(inside, ct.array, np.float32(padding)), ct.index_to_ras)
    unknown, alone = unknown_voxels(cut)
    assert not alone
    assert (unknown == ~inside).mean() > 0.98
    found = complete(cut)
    background, excess = found.background, found.excess
    assert background == pytest.approx(SOFT_TISSUE)
    assert abs(excess.sample(np.array([59.0, 59.0 + 42.0, 40.0]))) < 0.05 * SOFT_TISSUE


def test_a_masked_bone_stands_in_soft_tissue() -> None:
    ct = patient()
    bone = np.zeros(ct.array.shape, dtype=bool)
    bone[10:30, 22:40, 26:30], bone[15:20, 36:40, 26:45] = True, True
    masked = Volume(np.where(bone, ct.array + 500, np.float32(-1024)), ct.index_to_ras)
    labels = Volume(bone.astype(np.uint8), ct.index_to_ras)
    unknown, alone = unknown_voxels(masked, labels)
    assert alone
    assert (unknown == ~bone).all()
    found = completed(Attenuation(masked, unknown), unknown, 2.0, alone=True)
    assert found.excess.array.min() > -0.05 * SOFT_TISSUE
    assert np.abs(found.excess.array[[0, -1]]).max() < 0.05 * SOFT_TISSUE
    # All of the bone is there, its outermost voxels too.
    shown = found.excess.sample(masked.to_ras(np.argwhere(bone)[:, ::-1])) / (
        attenuation_from_hu(masked.array[bone]) - SOFT_TISSUE
    )
    assert np.quantile(shown, 0.05) > 0.95


def test_air_of_one_constant_value_is_air() -> None:
    ct = patient()
    clipped = Volume(np.where(ct.array < -900, np.float32(-1000), ct.array), ct.index_to_ras)
    square = Volume(
        np.where(np.abs(np.arange(60) - 29.5)[None, None] < 24, clipped.array, np.float32(-1000)), ct.index_to_ras
    )
    unknown, alone = unknown_voxels(square)
    assert not alone
    assert not unknown.any()


@pytest.mark.parametrize("step", [1, 7, 50])
def test_every_so_many_of_the_voxels_are_those_of_the_whole_list(step: int) -> None:
    chosen = np.random.default_rng(step).random((6, 7, 8)) < 0.3
    chosen[2] = False
    np.testing.assert_array_equal(_every(chosen, step), np.argwhere(chosen)[::step])


@pytest.mark.parametrize("reach", [(0, 1, 2), (3, 4, 5), (9, 0, 7)])
def test_what_is_near_the_unknown_is_what_a_maximum_filter_finds(reach: tuple[int, int, int]) -> None:
    mask = np.random.default_rng(1).random((12, 9, 15)) < 0.02
    expected = ndimage.maximum_filter(mask, [2 * far + 1 for far in reach], mode="constant", cval=False)
    before = mask.copy()
    assert np.array_equal(_spread(mask, reach), expected)
    assert np.array_equal(mask, before)
    everywhere = np.repeat(mask[3:4], 12, axis=0)
    expected = ndimage.maximum_filter(everywhere, [2 * far + 1 for far in reach], mode="constant", cval=False)
    assert np.array_equal(_spread(everywhere, reach), expected)
