"""The phantom is a spine: the right bones, whole, apart, in the right place, with the HU of their tissues."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from radgs.anatomy import vertebra_frame
from radgs.errors import CaseError
from radgs.phantom import PhantomSpine, make_spine

COARSE_MM = 2.0


@pytest.fixture(scope="module")
def spine() -> PhantomSpine:
    return make_spine(7, spacing_mm=COARSE_MM)


@pytest.fixture(scope="module")
def brittle_spine() -> PhantomSpine:
    return make_spine(7, spacing_mm=COARSE_MM, osteoporosis=0.9)


def body_interior(spine: PhantomSpine, level: str) -> np.ndarray:
    """HU in the middle of a vertebral body, away from its shell and the basivertebral vein."""
    rng = np.random.default_rng(0)
    points = rng.uniform([-12, -4, 3], [12, 9, 4.5], (2000, 3)) * np.where(
        rng.uniform(size=(2000, 1)) < 0.5, [1, 1, -1], 1
    )
    return spine.ct.sample(spine.frames[level].apply(points), outside=-1000)


def test_the_same_seed_makes_the_same_voxels() -> None:
    once, again = (make_spine(7, spacing_mm=2 * COARSE_MM) for _ in range(2))
    assert np.array_equal(again.ct.array, once.ct.array)
    assert np.array_equal(again.labels.array, once.labels.array)


def test_another_seed_is_another_patient() -> None:
    one, other = (make_spine(seed, spacing_mm=2 * COARSE_MM) for seed in (7, 8))
    volumes = [np.bincount(spine.labels.array.ravel(), minlength=25)[20:25] for spine in (one, other)]
    assert not np.array_equal(*volumes)
    assert other.lordosis_deg != pytest.approx(one.lordosis_deg, abs=0.01)


def test_the_image_is_int16_and_the_labels_are_verse_numbers(spine: PhantomSpine) -> None:
    assert spine.ct.array.dtype == np.int16
    assert spine.labels.array.dtype == np.uint8
    assert spine.levels == {"L1": 20, "L2": 21, "L3": 22, "L4": 23, "L5": 24}
    assert set(np.unique(spine.labels.array)) == {0, 19, 20, 21, 22, 23, 24}
    assert np.allclose(spine.ct.spacing, COARSE_MM)
    assert np.array_equal(spine.ct.index_to_ras, spine.labels.index_to_ras)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2, 3))])
def test_every_lumbar_vertebra_is_one_whole_piece(seed: int) -> None:
    spine = make_spine(seed, spacing_mm=(1.6, 1.6, 2.4), soft_tissue=False, noise_hu=0.0)
    for name, label in [*spine.levels.items(), ("T12", 19)]:
        mask = spine.labels.array == label
        assert ndimage.label(mask)[1] == 1, name
        shell = mask.copy()
        shell[1:-1, 1:-1, 1:-1] = False
        assert not shell.any(), f"{name} touches the border"
        assert 30_000 < mask.sum() * np.prod(spine.labels.spacing) < 110_000, name


@pytest.mark.slow
def test_neighbouring_vertebrae_do_not_touch() -> None:
    spine = make_spine(1, spacing_mm=1.0, soft_tissue=False, noise_hu=0.0)
    for label in range(19, 24):
        assert not (ndimage.binary_dilation(spine.labels.array == label) & (spine.labels.array == label + 1)).any()


def test_a_vertebra_spreads_from_body_to_spinous_and_transverse_processes(spine: PhantomSpine) -> None:
    for level, label in spine.levels.items():
        indices = np.argwhere(spine.labels.array == label)[:, ::-1]
        local = spine.frames[level].inverse().apply(spine.labels.to_ras(indices))
        shape = spine.shapes[level]
        assert local[:, 1].max() == pytest.approx(shape.depth / 2, abs=3)
        assert local[:, 1].min() == pytest.approx(shape.back_wall - shape.spinous_length, abs=5)
        assert np.ptp(local[:, 0]) == pytest.approx(shape.transverse_span, abs=9)
        behind = local[local[:, 1] < local[:, 1].min() + 6]
        assert abs(behind[:, 0].mean()) < 5, "the spinous process stands in the middle"


def test_the_true_frame_sits_in_the_body_and_points_right_anterior_superior(spine: PhantomSpine) -> None:
    for level, label in spine.levels.items():
        frame = spine.frames[level]
        assert np.allclose(frame.rotation @ frame.rotation.T, np.eye(3), atol=1e-12)
        indices = np.argwhere(spine.labels.array == label)[:, ::-1]
        local = frame.inverse().apply(spine.labels.to_ras(indices))
        body = local[local[:, 1] > spine.shapes[level].back_wall + 4]
        assert np.abs(body.mean(axis=0)[[0, 2]]).max() < 1.5
        assert np.diag(frame.rotation).min() > 0.8
        # Beside the spinous process, whose tip may lean to one side.
        right, left = (local[local[:, 0] * side > 6].mean(axis=0) for side in (1, -1))
        assert np.allclose(right, left * [-1, 1, 1], atol=1.5), "left and right mirror each other, nearly"


def test_the_canal_behind_the_body_is_free_of_bone(spine: PhantomSpine) -> None:
    for level in spine.levels:
        shape = spine.shapes[level]
        middle = spine.frames[level].apply([[0, shape.back_wall - shape.canal_depth / 2, 0]])
        assert spine.labels.sample(middle, order=0) == 0
        assert spine.ct.sample(middle) < 110


@pytest.mark.slow
def test_the_true_frame_is_the_one_found_from_the_labels(spine: PhantomSpine) -> None:
    for level, label in spine.levels.items():
        found = vertebra_frame(spine.labels, label)
        error = spine.frames[level].inverse() @ found
        assert np.degrees(error.angle) < 3.0, level
        assert np.linalg.norm(error.translation) < 2.5, level


@pytest.mark.slow
def test_a_bent_spine_still_has_whole_vertebrae() -> None:
    spine = make_spine(
        5, spacing_mm=2.0, lordosis_deg=70.0, scoliosis_deg=-35.0, osteoporosis=1.0, soft_tissue=False, noise_hu=0.0
    )
    for name, label in spine.levels.items():
        assert ndimage.label(spine.labels.array == label)[1] == 1, name


def test_levels_follow_one_another_downwards(spine: PhantomSpine) -> None:
    heights = [spine.frames[level].translation[2] for level in ("T12", *spine.levels)]
    assert (np.diff(heights) < -25).all()
    assert (np.diff(heights) > -50).all()


def test_lordosis_is_what_was_asked_for() -> None:
    flat, bent = (make_spine(3, spacing_mm=4.0, lordosis_deg=d, soft_tissue=False) for d in (25.0, 60.0))

    def tilt(spine: PhantomSpine) -> float:
        return spine.frames["L1"].geodesic_angle_to(spine.frames["L5"])

    assert np.degrees(tilt(bent) - tilt(flat)) == pytest.approx(0.68 * 35, abs=2)


def test_scoliosis_bends_to_the_right() -> None:
    spine = make_spine(3, spacing_mm=4.0, scoliosis_deg=25.0, soft_tissue=False)
    ends = (spine.frames["L1"].translation + spine.frames["L5"].translation) / 2
    assert spine.frames["L3"].translation[0] - ends[0] > 3
    lean = [np.degrees(np.arcsin(spine.frames[level].rotation[0, 2])) for level in ("L4", "L1")]
    assert lean[0] - lean[1] == pytest.approx(25, abs=5)


def test_tissues_have_their_hounsfield_units(spine: PhantomSpine) -> None:
    bone = spine.ct.array[spine.labels.array > 0]
    assert 220 < bone.mean() < 480
    for level in spine.levels:
        assert 100 < body_interior(spine, level).mean() < 300
        disc = spine.frames[level].apply([[0, 0, spine.shapes[level].height / 2 + 4.5]])
        assert 20 < spine.ct.sample(disc) < 160
    assert np.percentile(bone, 98) > 600
    assert spine.ct.array[0, 0, 0] < -900
    assert spine.ct.array.min() >= -1024


def test_bone_is_denser_than_what_surrounds_it(spine: PhantomSpine) -> None:
    for label in spine.levels.values():
        mask = spine.labels.array == label
        around = ndimage.binary_dilation(mask, iterations=4) & ~ndimage.binary_dilation(mask, iterations=2)
        around &= spine.labels.array == 0
        assert spine.ct.array[mask].mean() > spine.ct.array[around].mean() + 150


def test_osteoporosis_empties_the_trabecular_bone(spine: PhantomSpine, brittle_spine: PhantomSpine) -> None:
    for level in spine.levels:
        assert body_interior(brittle_spine, level).mean() < body_interior(spine, level).mean() - 60
    assert brittle_spine.ct.array[brittle_spine.labels.array > 0].mean() < spine.ct.array[spine.labels.array > 0].mean()


@pytest.mark.slow
def test_screws_are_metal_through_both_pedicles(spine: PhantomSpine) -> None:
    fixed = make_spine(7, spacing_mm=COARSE_MM, screws=("L3", "L4"))
    assert np.array_equal(fixed.labels.array, spine.labels.array)
    metal = fixed.ct.array > 2400
    assert metal.sum() > 200
    assert not (spine.ct.array > 2400).any()
    for level in ("L3", "L4"):
        shape = spine.shapes[level]
        points = spine.ct.to_ras(np.argwhere(metal & (spine.labels.array == spine.levels[level]))[:, ::-1])
        local = spine.frames[level].inverse().apply(points)
        pedicle = local[np.abs(local[:, 1] - shape.back_wall) < 4]
        assert (pedicle[:, 0] > shape.canal_width / 2).any()
        assert (pedicle[:, 0] < -shape.canal_width / 2).any()
        assert (np.abs(pedicle[:, 0]) > shape.canal_width / 2 - 3).all()
    assert not (metal & (spine.labels.array == spine.levels["L1"])).any()


@pytest.mark.slow
def test_anatomy_does_not_depend_on_the_spacing(spine: PhantomSpine) -> None:
    thick = make_spine(7, spacing_mm=(1.2, 1.2, 3.0))
    assert np.allclose(thick.ct.spacing, [1.2, 1.2, 3.0])
    for level, label in spine.levels.items():
        assert np.allclose(thick.frames[level].matrix, spine.frames[level].matrix)
        sizes = [(s.labels.array == label).sum() * np.prod(s.labels.spacing) for s in (thick, spine)]
        assert sizes[0] == pytest.approx(sizes[1], rel=0.06)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"screws": ("L6",)}, "L6"),
        ({"osteoporosis": 1.4}, "osteoporosis"),
        ({"spacing_mm": 0.0}, "voxel size"),
        ({"spacing_mm": (1.0, float("nan"), 1.0)}, "voxel size"),
    ],
)
def test_what_cannot_be_made_is_refused_with_a_sentence(arguments: dict, problem: str) -> None:
    with pytest.raises(CaseError, match=problem):
        make_spine(0, **arguments)
