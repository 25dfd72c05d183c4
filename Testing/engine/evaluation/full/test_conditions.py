"""What is varied is varied as the curve says, and nothing else is."""

from __future__ import annotations

import numpy as np
import pytest

from radgs.anatomy import surface_points
from radgs.evaluation.full.conditions import (
    direction_beside,
    planned_case,
    settings_of,
    spine_at,
    start_in_bin,
    thick_slices,
)
from radgs.evaluation.full.plan import CohortPlan, FullPlan, PlannedTrial, StartPlan, SubjectPlan
from radgs.evaluation.full.subjects import is_there, subject_of
from radgs.evaluation.metrics import mtre
from radgs.evaluation.trials import BenchmarkSubject
from radgs.geometry import RigidTransform, Volume
from radgs.simulation import ArticulatedAnatomy

SUBJECT = SubjectPlan("someone", ("L3",), phantom=3, voxel_mm=2.5)
COHORTS = {
    "pose": CohortPlan("pose", ("someone",), 12, "pose"),
    "offset": CohortPlan("offset", ("someone",), 2, "click offset", values=(0.0, 20.0)),
    "along": CohortPlan("along", ("someone",), 2, "along the spine", values=(1.0,)),
    "angle": CohortPlan("angle", ("someone",), 1, "view angle", values=(40.0, 90.0)),
    "dose": CohortPlan("dose", ("someone",), 1, "dose", values=(1e3, 1e5)),
}
PLAN = FullPlan(11, 96, {"someone": SUBJECT}, COHORTS)


@pytest.fixture(scope="module")
def subject() -> BenchmarkSubject:
    return subject_of(SUBJECT, None)


@pytest.fixture(scope="module")
def anatomy(subject: BenchmarkSubject) -> ArticulatedAnatomy:
    return subject.load()


def planned(cohort: str, value: float | None = None, index: int = 0) -> PlannedTrial:
    return PlannedTrial(cohort, "someone", "L3", index, "clean", value)


def test_the_spine_points_to_the_head_and_levels_are_as_far_apart_as_they_are(anatomy: ArticulatedAnatomy) -> None:
    along, spacing_mm = spine_at(anatomy, "L3")
    assert along[2] > 0.9
    assert 25.0 < spacing_mm < 45.0
    _, at_the_end = spine_at(anatomy, "T12")
    assert at_the_end == pytest.approx(np.linalg.norm(anatomy.centres["T12"] - anatomy.centres["L1"]))


def test_starts_fall_into_their_bins_and_stay_with_their_level(anatomy: ArticulatedAnatomy) -> None:
    surface, centre = surface_points(anatomy.labels, anatomy.levels["L3"]), anatomy.centres["L3"]
    truth = RigidTransform.from_rotation_vector([0.1, 0.2, 0.0], [4.0, 5.0, 6.0])
    along, rng = truth.rotation @ spine_at(anatomy, "L3")[0], np.random.default_rng(0)
    turned = []
    for at in range(12):
        start = start_in_bin(truth, centre, surface, StartPlan(), at, along, 15.0, rng)
        assert 5.0 * at <= mtre(surface, truth, start) < 5.0 * (at + 1)
        shift = start.apply(centre) - truth.apply(centre)
        assert abs(shift @ along) <= 15.0
        assert np.linalg.norm(shift) <= 60.0
        turned.append(np.degrees(truth.geodesic_angle_to(start)))
    assert max(turned) <= 45.0
    assert max(turned) > 20.0


def test_a_pose_start_says_how_far_off_it_may_be(subject: BenchmarkSubject, anatomy: ArticulatedAnatomy) -> None:
    surface = surface_points(anatomy.labels, anatomy.levels["L3"])
    for index in (0, 7):
        case = planned_case(PLAN, planned("pose", index=index), subject, anatomy, surface)
        start = case.start_pose("L3", anatomy.centres["L3"])
        assert case.initial["L3"].sigma_mm == 40.0
        assert not case.initial["L3"].clicks
        assert 5.0 * index <= mtre(surface, case.truth["L3"], start) < 5.0 * (index + 1)


def test_clicks_are_off_by_what_is_asked_and_along_the_spine_by_a_level(
    subject: BenchmarkSubject, anatomy: ArticulatedAnatomy
) -> None:
    surface = surface_points(anatomy.labels, anatomy.levels["L3"])
    for name, value, size in (("offset", 0.0, 0.0), ("offset", 20.0, 20.0), ("along", 1.0, spine_at(anatomy, "L3")[1])):
        case = planned_case(PLAN, planned(name, value), subject, anatomy, surface)
        truth = case.truth["L3"]
        off = case.triangulated_centre("L3") - truth.apply(anatomy.centres["L3"])
        along = truth.rotation @ spine_at(anatomy, "L3")[0]
        assert np.linalg.norm(off) == pytest.approx(size, abs=3.5)  # each click has noise of its own
        if name == "along":
            assert abs(off @ along) > 0.9 * size
        else:
            assert abs(off @ along) < spine_at(anatomy, "L3")[1] / 2 + 3.5


def test_no_direction_leads_too_far_along() -> None:
    along, rng = np.array([0.0, 0.0, 1.0]), np.random.default_rng(1)
    assert max(abs(direction_beside(along, 40.0, 15.0, rng) @ along) for _ in range(50)) <= 15.0 / 40.0


@pytest.mark.parametrize("angle", [40.0, 90.0])
def test_views_are_as_far_apart_as_is_asked(
    subject: BenchmarkSubject, anatomy: ArticulatedAnatomy, angle: float
) -> None:
    case = planned_case(PLAN, planned("angle", angle), subject, anatomy, np.zeros((1, 3)))
    first, second = (view.geometry.normal for view in case.views)
    assert np.degrees(np.arccos(abs(first @ second))) == pytest.approx(angle, abs=1e-6)


def test_dose_is_the_number_of_quanta() -> None:
    assert settings_of(PLAN, planned("dose", 1e3)).photons == (1e3, 1e3)
    assert settings_of(PLAN, planned("pose")).photons != (1e3, 1e3)


def test_thick_slices_keep_the_mean_and_the_place() -> None:
    k = np.arange(24, dtype=np.float32)
    ramp = np.broadcast_to((10.0 * k)[:, None, None], (24, 6, 6)).copy()  # HU rise evenly towards the head
    labels = np.zeros((24, 6, 6), np.uint8)
    labels[9:15] = 4
    index_to_ras = np.diag([1.0, 1.0, 1.2, 1.0])
    index_to_ras[:3, 3] = (5.0, 6.0, -40.0)
    ct, marked = Volume(ramp, index_to_ras), Volume(labels, index_to_ras)
    thick, shown = thick_slices(ct, marked, 3.0)
    assert thick.spacing[2] == pytest.approx(3.0)
    heights = thick.to_ras(np.array([[2.0, 2.0, float(at)] for at in range(len(thick.array))]))[:, 2]
    expected = 10.0 * (heights + 40.0) / 1.2
    assert thick.array[1:-1, 3, 3] == pytest.approx(expected[1:-1], abs=1e-2)
    own = marked.to_ras(np.argwhere(labels == 4)[:, ::-1]).mean(axis=0)
    after = shown.to_ras(np.argwhere(shown.array == 4)[:, ::-1]).mean(axis=0)
    assert np.abs(own - after).max() < 1.0
    assert thick_slices(ct, marked, 1.2) == (ct, marked)
    with pytest.raises(ValueError, match="cannot be made"):
        thick_slices(ct, marked, 1.0)


def test_a_real_ct_is_there_where_its_files_are(tmp_path) -> None:
    real = SubjectPlan("real", ("T10",), ct="ct.nii.gz", labels="labels.nii.gz", moving={"T10": 34})
    assert is_there(SUBJECT, None)
    assert not is_there(real, None)
    assert not is_there(real, tmp_path)
    for name in (real.ct, real.labels):
        (tmp_path / name).touch()
    assert is_there(real, tmp_path)
