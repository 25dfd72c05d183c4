"""Patients of the generic model: other parts of the spine, fractures, fused levels, and how often each is drawn."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from radgs.anatomy import vertebra_frame
from radgs.errors import CaseError
from radgs.phantom import Extent, Fracture, Pathology, PhantomSpine, Variant, make_spine
from radgs.phantom.curve import draw_curve
from radgs.phantom.morphometry import draw_shapes
from radgs.phantom.thorax import Thorax
from radgs.phantom.torso import Torso

COARSE_MM = 2.0


def bare(seed: int, extent: Extent, pathology: Pathology | None = None, spacing_mm: float = COARSE_MM) -> PhantomSpine:
    """Bones in water, without noise: the shapes alone."""
    return make_spine(seed, spacing_mm=spacing_mm, extent=extent, pathology=pathology, soft_tissue=False, noise_hu=0.0)


@pytest.fixture(scope="module")
def thoracic() -> PhantomSpine:
    return bare(2, Extent.between("T5", "T9"))


@pytest.fixture(scope="module")
def healthy() -> PhantomSpine:
    return bare(4, Extent.between("T12", "L2"))


@pytest.fixture(scope="module")
def ill() -> PhantomSpine:
    broken = {"T12": Fracture(front=0.55, back=0.95), "L2": Fracture(middle=0.55)}
    return bare(4, Extent.between("T12", "L2"), Pathology(broken, fused=("L1",)))


def height_of_body(spine: PhantomSpine, level: str, anterior: float) -> float:
    """Bone along the body's axis in its frame, mm, at a place in front of its centre."""
    points = np.stack([np.zeros(241), np.full(241, anterior), np.linspace(-30, 30, 241)], axis=1)
    inside = spine.labels.sample(spine.frames[level].apply(points), order=0) == spine.levels[level]
    return float(inside.sum() * 0.25)


def test_thoracic_levels_lie_whole_between_cut_neighbours(thoracic: PhantomSpine) -> None:
    assert thoracic.levels == {"T5": 12, "T6": 13, "T7": 14, "T8": 15, "T9": 16}
    assert set(np.unique(thoracic.labels.array)) == {0, 11, 12, 13, 14, 15, 16, 17}
    for name, label in thoracic.levels.items():
        mask = thoracic.labels.array == label
        assert ndimage.label(mask)[1] == 1, name
        shell = mask.copy()
        shell[1:-1, 1:-1, 1:-1] = False
        assert not shell.any(), f"{name} touches the border"
        assert 9_000 < mask.sum() * np.prod(thoracic.labels.spacing) < 40_000, name


def test_thoracic_bodies_grow_downwards_and_lean_forward(thoracic: PhantomSpine) -> None:
    widths = [shape.width for level, shape in thoracic.shapes.items() if level in thoracic.levels]
    assert widths[-1] > widths[0] + 3
    forward = [np.degrees(np.arcsin(thoracic.frames[level].rotation[1, 2])) for level in thoracic.levels]
    assert 10 < forward[0] - forward[-1] < 25, "kyphosis: the upper levels look further down"
    steps = np.diff([thoracic.frames[level].translation[2] for level in thoracic.levels])
    assert (steps < -17).all()
    assert (steps > -32).all()


@pytest.mark.slow
def test_the_frame_found_from_a_thoracic_label_is_the_true_one(thoracic: PhantomSpine) -> None:
    for level, label in thoracic.levels.items():
        error = thoracic.frames[level].inverse() @ vertebra_frame(thoracic.labels, label)
        assert np.degrees(error.angle) < 6.0, level
        assert np.linalg.norm(error.translation) < 3.0, level


@pytest.mark.slow
def test_ribs_and_lungs_surround_the_thoracic_spine() -> None:
    spine = make_spine(2, spacing_mm=2.5, extent=Extent.between("T6", "T8"))
    at = spine.frames["T7"].translation
    k, _, i = np.round((at - spine.ct.index_to_ras[:3, 3]) / spine.ct.spacing).astype(int)[::-1]
    axial = spine.ct.array[k]
    inside = ndimage.binary_fill_holes(axial > -400)
    lungs = inside & (axial < -500)
    assert 0.15 < lungs.sum() / inside.sum() < 0.7
    assert lungs[:, :i].any()
    assert lungs[:, i:].any(), "one on either side"
    bones = ndimage.label((axial > 300) & (spine.labels.array[k] == 0))[1]
    assert bones >= 6, "ribs, shoulder blades or breastbone"


def test_chests_range_around_a_real_one() -> None:
    """T11 of a person in full inspiration: how it leans, where skin, diaphragm and the lowest lung are, mm.

    Outside this range networks took the nearness of the back's skin for a place further forward.
    """
    column = Extent.between("T10", "L2").column
    found = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        shapes = draw_shapes(rng, 0.0, column)
        curve = draw_curve(rng, shapes, None, 0.0, column)
        torso = Torso.around(shapes, curve, 1.05, rng).along_the_spine(rng)
        thorax = Thorax.around(torso, curve, rng)
        frame, shape = curve.frames["T11"], shapes["T11"]
        at = frame.translation
        section = torso.section(at[2])
        skin = section.centre[1] - section.half_depth
        tip = frame.apply([0.0, shape.back_wall - shape.spinous_length, 0.0])[1]
        lean = np.degrees(np.arctan2(frame.rotation[1, 2], frame.rotation[2, 2]))
        found.append((lean, at[1] - skin, tip - skin, thorax.domes[1] - at[2], thorax.recess - at[2]))
    low, high = np.percentile(found, [3, 97], axis=0)
    real = np.array([-17.0, 63.0, 15.0, 27.0, -45.0])
    assert (low <= real).all(), low - real
    assert (real <= high).all(), high - real


def test_no_process_stands_out_of_a_back_that_follows_the_spine() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        column = Extent.between("T5", "T9").column
        shapes = draw_shapes(rng, 0.0, column)
        curve = draw_curve(rng, shapes, None, 30.0, column)
        torso = Torso.around(shapes, curve, 0.88, rng).along_the_spine(rng)
        for height, (_, tip) in zip(torso.heights, torso.tips, strict=True):
            section = torso.section(float(height))
            assert tip - (section.centre[1] - section.half_depth) > 4.0


def test_a_wedge_is_low_in_front_and_bends_the_spine_there(healthy: PhantomSpine, ill: PhantomSpine) -> None:
    front = healthy.shapes["T12"].depth / 2 - 4
    before, after = (height_of_body(spine, "T12", front) for spine in (healthy, ill))
    assert after < 0.75 * before
    assert height_of_body(ill, "T12", -front) > 0.8 * height_of_body(healthy, "T12", -front)
    lean = [
        np.degrees(np.arcsin((spine.frames["L2"].inverse() @ spine.frames["T12"]).rotation[1, 2]))
        for spine in (healthy, ill)
    ]
    assert lean[1] - lean[0] > 5.0, "forward"


def test_a_biconcave_body_is_low_in_its_middle_alone(healthy: PhantomSpine, ill: PhantomSpine) -> None:
    edge = healthy.shapes["L2"].depth / 2 - 2
    assert height_of_body(ill, "L2", 0.0) < 0.75 * height_of_body(healthy, "L2", 0.0)
    assert height_of_body(ill, "L2", edge) > 0.85 * height_of_body(healthy, "L2", edge)


def test_between_fused_levels_there_is_bone(healthy: PhantomSpine, ill: PhantomSpine) -> None:
    for spine, is_bone in ((healthy, False), (ill, True)):
        upper, lower = (spine.frames[level] for level in ("L1", "L2"))
        below = upper.apply([0, 0, -spine.shapes["L1"].height / 2])
        above = lower.apply([0, 0, spine.shapes["L2"].height / 2])
        assert (spine.ct.sample(((below + above) / 2)[None])[0] > 150) == is_bone


def test_six_lumbar_vertebrae_stand_on_the_sacrum() -> None:
    spine = bare(6, Extent.between("L1", "L6", six_lumbar=True))
    assert spine.levels == {"L1": 20, "L2": 21, "L3": 22, "L4": 23, "L5": 24, "L6": 25}
    assert spine.shapes["L6"].lumbosacral
    assert not spine.shapes["L5"].lumbosacral
    for label in spine.levels.values():
        assert ndimage.label(spine.labels.array == label)[1] == 1
    heights = [spine.frames[level].translation[2] for level in spine.levels]
    assert (np.diff(heights) < -25).all()


def test_a_patient_is_drawn_from_the_seed_alone() -> None:
    one, again, other = (Variant.drawn(seed) for seed in (5, 5, 6))
    assert one.arguments == again.arguments
    assert one.pathology == again.pathology
    assert one.arguments != other.arguments


def test_every_kind_of_patient_is_drawn_as_often_as_stated() -> None:
    drawn = [Variant.drawn(seed) for seed in range(600)]
    parts = [variant.extent.whole[0] for variant in drawn]
    assert [parts.count(top) / 600 for top in ("T5", "T10", "L1")] == pytest.approx([0.25, 0.35, 0.40], abs=0.06)
    assert sum("L6" in variant.extent.whole for variant in drawn) / 600 == pytest.approx(0.04, abs=0.025)
    shares = [
        sum(bool(found) for found in column) / 600
        for column in zip(*((v.pathology.fractures, v.pathology.fused, v.screws) for v in drawn), strict=True)
    ]
    assert shares == pytest.approx([0.35, 0.12, 0.12], abs=0.06)
    assert sum(abs(variant.arguments["scoliosis_deg"]) > 15 for variant in drawn) / 600 > 0.2
    for variant in drawn:
        variant.pathology.check(variant.extent.whole)


def test_the_lumbar_phantoms_of_before_are_the_same_to_the_voxel() -> None:
    """Trials and tests count on them; these numbers are of the time before there were variants."""
    spine = make_spine(3, spacing_mm=4.0, scoliosis_deg=25.0, soft_tissue=False)
    counts = {level: int((spine.labels.array == label).sum()) for level, label in spine.levels.items()}
    assert spine.ct.array.shape == (65, 58, 77)
    assert counts == {"L1": 831, "L2": 904, "L3": 952, "L4": 957, "L5": 1014}


@pytest.mark.parametrize(
    ("extent", "pathology", "problem"),
    [
        (("T2", "T9"), Pathology(), "T2"),
        (("L2", "T9"), Pathology(), "T9"),
        (("L1", "L3"), Pathology({"T7": Fracture()}), "T7"),
        (("L1", "L3"), Pathology({"L2": Fracture(front=0.1)}), "L2"),
        (("L1", "L3"), Pathology(fused=("C1",)), "C1"),
    ],
)
def test_what_cannot_be_made_is_refused(extent: tuple[str, str], pathology: Pathology, problem: str) -> None:
    with pytest.raises(CaseError, match=problem):
        make_spine(0, spacing_mm=5.0, extent=Extent.between(*extent), pathology=pathology)
