"""A verdict rests on grounds that fail differently, and says which failed."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi

from radgs.geometry import RigidTransform, mean_distance
from radgs.pipeline.orientation import FlipTrial
from radgs.pipeline.quality import (
    ACCEPT_P95_MM,
    WRONG_POSE_MM,
    WRONG_POSES,
    Evidence,
    judge,
    predicted_surface_error,
    wrong_poses,
)
from radgs.pipeline.view_consistency import ViewWish
from radgs.refine import OtherLevel

SPHERE = np.random.default_rng(0).normal(size=(2000, 3))
SPHERE = 25.0 * SPHERE / np.linalg.norm(SPHERE, axis=1, keepdims=True)

GOOD = Evidence(
    surface_p95_mm=0.8,
    similarity_start=np.array([0.2, 0.3]),
    similarity_result=np.array([0.9, 0.85]),
    similarity_robust=np.array([0.92, 0.88]),
    distinction=0.5,
    beaten_by=0.0,
    articulation_mm=1.5,
    from_click_mm=6.0,
    level_spacing_mm=35.0,
    other_level=OtherLevel(0.0, "above"),
)


def test_good_evidence_is_accepted_without_reasons():
    assert judge(GOOD, ["AP", "LAT"]) == ("accept", ())


@pytest.mark.parametrize(
    ("change", "code", "verdict"),
    [
        ({"surface_p95_mm": ACCEPT_P95_MM + 0.1}, "uncertain", "check"),
        ({"surface_p95_mm": 9.0}, "uncertain", "reject"),
        ({"surface_p95_mm": float("inf")}, "uncertain", "reject"),
        ({"surface_p95_mm": float("nan")}, "uncertain", "reject"),
        ({"similarity_robust": np.array([0.9, 0.5])}, "dissimilar", "check"),
        ({"similarity_robust": np.array([0.31, 0.9])}, "dissimilar", "check"),
        ({"similarity_robust": np.array([0.29, 0.9])}, "dissimilar", "reject"),
        ({"similarity_robust": np.array([np.nan, 0.9])}, "dissimilar", "reject"),
        ({"distinction": 0.05}, "indistinct", "check"),
        ({"distinction": -0.1}, "indistinct", "reject"),
        ({"beaten_by": 0.05}, "beaten", "check"),
        ({"beaten_by": 0.5}, "beaten", "reject"),
        ({"articulation_mm": 8.0}, "articulation", "check"),
        ({"articulation_mm": 20.0}, "articulation", "reject"),
        ({"other_level": OtherLevel(0.05, "below")}, "other_level", "check"),
        ({"other_level": OtherLevel(0.2, "below")}, "other_level", "reject"),
        ({"network_mm": 4.5, "network_usual_mm": 1.5}, "disagreement", "check"),
        ({"network_mm": 30.0, "network_usual_mm": 6.0}, "disagreement", "check"),
    ],
)
def test_each_ground_alone_withholds_acceptance_and_is_named(change, code, verdict):
    found, reasons = judge(replace(GOOD, **change), ["AP", "LAT"])
    assert found == verdict
    assert [reason.code for reason in reasons] == [code]


def test_a_low_similarity_rejects_beside_another_ground_and_is_a_doubt_alone():
    """Scatter and metal make right poses resemble little; a click that was far off says nothing of the images."""
    low = replace(GOOD, similarity_robust=np.array([0.9, 0.4]))
    assert judge(low, ["AP", "LAT"])[0] == "check"
    assert judge(replace(low, from_click_mm=30.0), ["AP", "LAT"])[0] == "check"
    verdict, reasons = judge(replace(low, distinction=0.05), ["AP", "LAT"])
    assert verdict == "reject"
    assert [reason.code for reason in reasons] == ["dissimilar", "indistinct"]


def test_three_grounds_in_doubt_at_once_reject():
    two = {"similarity_robust": np.array([0.9, 0.6]), "distinction": 0.05}
    assert judge(replace(GOOD, **two), ["AP", "LAT"])[0] == "check"
    verdict, reasons = judge(replace(GOOD, **two, surface_p95_mm=3.0), ["AP", "LAT"])
    assert verdict == "reject"
    assert [reason.code for reason in reasons] == ["uncertain", "dissimilar", "indistinct"]


def test_views_that_contradict_each_other_and_a_mirror_withhold_acceptance():
    wishes = (ViewWish("AP", 0.0, 0.0, 0.0, (0.1, 0.1, 0.1)), ViewWish("LAT", 1.2, 0.1, 0.0, (0.6, 0.6, 0.6), 4.0))
    verdict, (views,) = judge(replace(GOOD, wishes=wishes), ["AP", "LAT"])
    assert (verdict, views.code) == ("check", "views")
    assert "view LAT wants the vertebra 1.2 mm further down" in views.message
    worse = (wishes[0], replace(wishes[1], down_mm=-2.0))
    assert judge(replace(GOOD, wishes=worse), ["AP", "LAT"])[0] == "reject"
    unsure = (wishes[0], replace(wishes[1], down_mm=-1.9, sigma_mm=(4.0, 0.5, 0.5)))
    assert judge(replace(GOOD, wishes=unsure), ["AP", "LAT"])[0] == "check"
    within_noise = (wishes[0], replace(wishes[1], down_mm=0.6, sigma_mm=(1.0, 1.0, 1.0)))
    assert judge(replace(GOOD, wishes=within_noise), ["AP", "LAT"]) == ("accept", ())
    for flipped, expected in ((0.2, "accept"), (0.47, "check"), (0.6, "reject")):
        flips = (FlipTrial("AP", "left to right", 0.5, flipped), FlipTrial("AP", "upside down", 0.5, 0.1, hidden=False))
        assert judge(replace(GOOD, flips=flips), ["AP", "LAT"])[0] == expected


def test_too_little_seen_both_ways_tells_no_mirror():
    """Real CT cut to 150 mm, T10: the right pose (0.4 mm) was rejected on 0.2 % of the field."""
    flips = (
        FlipTrial("AP", "left to right", 0.24, 0.47, share=0.002),
        FlipTrial("LAT", "left to right", 0.81, 0.19, share=0.15),
    )
    assert judge(replace(GOOD, flips=flips), ["AP", "LAT"]) == ("accept", ())
    assert replace(GOOD, flips=flips).grounds["flip_advantage"] == pytest.approx(0.19 - 0.81)
    assert judge(replace(GOOD, flips=(replace(flips[0], share=0.1),)), ["AP", "LAT"])[0] == "reject"


@pytest.mark.parametrize(
    ("similarity", "flipped", "expected"), [(0.85, 0.7, "accept"), (0.7, 0.46, "accept"), (0.7, 0.6, "check")]
)
def test_head_and_feet_are_told_by_the_vertebra_itself(similarity: float, flipped: float, expected: str):
    """Right poses of phantoms fitted better upside down: by 0.08 in haze, by 0.2 and more in a round field."""
    flips = (FlipTrial("LAT", "upside down", 0.38, flipped, hidden=False), FlipTrial("AP", "left to right", 0.5, 0.3))
    seen = np.array([0.9, similarity])
    assert judge(replace(GOOD, flips=flips, similarity_result=seen), ["AP", "LAT"])[0] == expected


def test_a_ct_that_looks_much_the_same_both_ways_is_not_held_against_a_pose():
    flips = (FlipTrial("AP", "left to right", 0.43, 0.39, alike=0.9),)
    assert judge(replace(GOOD, flips=flips), ["AP", "LAT"]) == ("accept", ())
    assert judge(replace(GOOD, flips=(replace(flips[0], alike=0.3),)), ["AP", "LAT"])[0] == "check"


def test_a_view_that_resembles_nothing_hides_no_mirror_of_another():
    flips = (
        FlipTrial("LAT", "left to right", 0.12, 0.18, share=0.3),
        FlipTrial("AP", "left to right", 0.5, 0.53, share=0.3),
    )
    assert judge(replace(GOOD, flips=flips[:1]), ["AP", "LAT"]) == ("accept", ())
    assert judge(replace(GOOD, flips=flips), ["AP", "LAT"])[0] == "reject"


def test_what_fits_as_well_either_way_by_chance_is_no_mirror():
    """Right poses in CTs cut to 150 mm were rejected by 0.006; where the trial has power, it should have told."""
    weak = FlipTrial("AP", "left to right", 0.271, 0.277, share=0.14, alike=0.49)
    assert judge(replace(GOOD, flips=(weak,)), ["AP", "LAT"]) == ("accept", ())
    assert judge(replace(GOOD, flips=(replace(weak, alike=0.2),)), ["AP", "LAT"])[0] == "check"
    assert judge(replace(GOOD, flips=(replace(weak, flipped=0.31),)), ["AP", "LAT"])[0] == "reject"


def test_a_mirror_is_doubted_and_not_rejected_where_the_vertebra_is_explained_better_than_a_mirrored_one_can_be():
    """L2 of a phantom beside blades, right to 0.1 mm: what little lies around it looked better turned over."""
    beside_blades = FlipTrial("AP", "left to right", 0.337, 0.471, share=0.14, alike=0.31)
    for similarity, expected in ((0.97, "check"), (0.85, "reject")):
        seen = np.array([0.98, similarity])
        assert judge(replace(GOOD, flips=(beside_blades,), similarity_result=seen), ["AP", "LAT"])[0] == expected


def test_a_whole_ct_that_does_not_resemble_the_xrays_says_nothing_of_a_pose():
    """Under strong scatter the vertebra was right (0.3 mm) where the whole CT lay 34 mm elsewhere."""
    assert judge(replace(GOOD, articulation_mm=34.0, whole_similarity=0.6), ["AP", "LAT"]) == ("accept", ())


@pytest.mark.parametrize(("similarity", "expected"), [(0.97, "accept"), (0.85, "check"), (0.66, "reject")])
def test_the_same_contradiction_weighs_more_where_the_pose_explains_less(similarity, expected):
    wishes = (
        ViewWish("AP", 0.0, 0.0, 0.0, (0.1, 0.1, 0.1)),
        ViewWish("LAT", 1.1, 0.0, 0.0, (0.25, 0.1, 0.1), 16.0),
    )
    seen = np.array([0.99, similarity])
    assert judge(replace(GOOD, wishes=wishes, similarity_robust=seen), ["AP", "LAT"])[0] == expected


def test_the_view_that_matches_worst_is_named():
    _, reasons = judge(replace(GOOD, similarity_robust=np.array([0.9, 0.5])), ["AP", "LAT"])
    assert "LAT" in reasons[0].message


def test_a_result_half_a_level_from_the_click_asks_for_the_level_and_is_never_accepted():
    verdict, reasons = judge(replace(GOOD, from_click_mm=0.51 * GOOD.level_spacing_mm), ["AP", "LAT"])
    assert verdict == "check"
    assert reasons[0].code == "level"
    assert "confirm the level" in reasons[0].message


def test_the_worst_ground_decides():
    verdict, reasons = judge(replace(GOOD, from_click_mm=30.0, beaten_by=1.0), ["AP", "LAT"])
    assert verdict == "reject"
    assert {reason.code for reason in reasons} == {"level", "beaten"}


def test_predicted_error_of_a_pure_shift_is_that_of_its_distribution():
    """Shifts of 0.5 mm per axis and no rotation: lengths follow a chi distribution with three degrees of freedom."""
    information = np.diag([1e12] * 3 + [1 / 0.5**2] * 3)
    assert predicted_surface_error(information, SPHERE) == pytest.approx(0.5 * chi(3).ppf(0.95), rel=0.08)


def test_predicted_error_of_a_rotation_grows_with_the_distance_from_the_centre():
    information = np.diag([1.0] * 3 + [1e12] * 3)
    near, far = predicted_surface_error(information, SPHERE), predicted_surface_error(information, 2 * SPHERE)
    assert far == pytest.approx(2 * near, rel=1e-6)


def test_without_information_the_predicted_error_is_huge():
    assert predicted_surface_error(np.zeros((6, 6)), SPHERE) > 1000
    assert predicted_surface_error(np.full((6, 6), np.nan), SPHERE) == np.inf


def test_wrong_poses_are_as_wrong_as_they_say_and_all_different():
    pose = RigidTransform.from_rotation_vector([0.1, 0.2, 0.3], [5, 6, 7])
    wrong = wrong_poses(pose, pose.apply(np.zeros(3)), SPHERE, np.random.default_rng(1))
    distances = [mean_distance(SPHERE, pose, other) for other in wrong]
    assert len(wrong) == WRONG_POSES
    assert np.allclose(distances, WRONG_POSE_MM, rtol=0.02)
    assert len({tuple(np.round(other.matrix.ravel(), 6)) for other in wrong}) == WRONG_POSES
