"""From a case to a judged pose: the whole chain on a small phantom."""

from dataclasses import replace
from importlib.resources import as_file, files

import numpy as np
import pytest

from radgs.case import InitialPose, RegistrationCase, load_case
from radgs.errors import CaseError, RadgsError
from radgs.evaluation.metrics import mtre
from radgs.geometry import RigidTransform, Volume
from radgs.phantom import make_spine
from radgs.pipeline import Progress, Registration, choose_device, register
from radgs.pipeline.quality import ACCEPT_OTHER_LEVEL
from radgs.refine import refine
from radgs.simulation import ArticulatedAnatomy, SimulationSettings, simulate_case
from radgs.vertebra import VertebraAnatomy, build_vertebra_anatomy

pytestmark = pytest.mark.slow

LEVEL = "L3"


@pytest.fixture(scope="module")
def case() -> RegistrationCase:
    spine = make_spine(11, spacing_mm=2.0)
    anatomy = ArticulatedAnatomy(spine.ct, spine.labels, spine.levels)
    settings = SimulationSettings(detector_pixels=192)
    simulated = simulate_case(anatomy, LEVEL, np.random.default_rng(5), settings)
    return replace(simulated, ct=Volume(simulated.ct.array.astype(np.float32), simulated.ct.index_to_ras))


@pytest.fixture(scope="module")
def progress_seen() -> list[Progress]:
    return []


@pytest.fixture(scope="module")
def registration(case: RegistrationCase, progress_seen: list[Progress]) -> Registration:
    return register(case, device="cpu", progress=progress_seen.append)


@pytest.fixture(scope="module")
def vertebra(registration: Registration) -> VertebraAnatomy:
    return registration.vertebrae[LEVEL]


def test_two_clicks_lead_to_the_vertebras_pose(case, registration, vertebra):
    level = registration.result.levels[LEVEL]
    assert mtre(vertebra.surface, case.truth[LEVEL], level.stages["start"]) > 3.0
    assert mtre(vertebra.surface, case.truth[LEVEL], level.ct_to_world) < 1.0


def test_a_good_pose_is_not_rejected_and_its_error_is_within_twice_what_was_predicted(case, registration, vertebra):
    level = registration.result.levels[LEVEL]
    assert level.verdict in ("accept", "check")
    error = mtre(vertebra.surface, case.truth[LEVEL], level.ct_to_world)
    assert error < 2.0 * level.predicted_error_mm["surface_p95"]


def test_the_covariance_says_what_the_predicted_error_sums_up(registration, vertebra):
    level = registration.result.levels[LEVEL]
    covariance = level.covariance
    assert covariance is not None
    np.testing.assert_allclose(covariance.centre, level.ct_to_world.apply(vertebra.centre), atol=1e-9)
    root = np.linalg.cholesky(covariance.matrix)
    twists = np.random.default_rng(0).normal(size=(400, 6)) @ root.T
    arms = level.ct_to_world.apply(vertebra.surface[::20]) - covariance.centre
    moved = np.linalg.norm(np.cross(twists[:, None, :3], arms) + twists[:, None, 3:], axis=-1)
    assert np.isclose(np.percentile(moved, 95), level.predicted_error_mm["surface_p95"], rtol=0.2)


def test_similarity_rises_in_every_view(registration):
    for values in registration.result.levels[LEVEL].similarity.values():
        assert values["result"] > values["start"]


def test_every_stage_has_its_pose_and_the_networks_are_named(registration):
    stages = registration.result.levels[LEVEL].stages
    assert stages["kabsch"] is not None
    assert stages["regm"] is not None
    assert "generic" in registration.result.models[LEVEL]
    assert np.array_equal(stages["refined"].matrix, registration.result.levels[LEVEL].ct_to_world.matrix)


def test_progress_rises_from_nothing_to_all_and_names_each_stage(registration, progress_seen):
    fractions = [update.fraction for update in progress_seen]
    assert fractions == sorted(fractions)
    assert fractions[0] == 0.0
    assert fractions[-1] == 1.0
    assert {update.stage for update in progress_seen} == {"model", "reconstruct", "refine", "judge"}


def test_a_model_made_earlier_gives_the_same_pose_again(case, registration):
    again = register(case, device="cpu", vertebrae=registration.vertebrae)
    assert again.vertebrae[LEVEL] is registration.vertebrae[LEVEL]
    first, second = registration.result.levels[LEVEL].ct_to_world, again.result.levels[LEVEL].ct_to_world
    assert np.allclose(first.matrix, second.matrix, atol=1e-4)


def test_xrays_of_something_else_are_not_accepted(case, registration):
    """The lateral image upside down: no pose of this vertebra explains it."""
    turned = replace(case.views[1], image=np.ascontiguousarray(case.views[1].image[::-1]))
    result = register(
        replace(case, views=(case.views[0], turned)), device="cpu", vertebrae=registration.vertebrae
    ).result
    assert result.levels[LEVEL].verdict != "accept"
    assert result.levels[LEVEL].reasons


@pytest.mark.parametrize("step", [0, 1])
def test_a_click_on_the_next_level_is_never_accepted_and_the_level_is_asked_for(case, registration, vertebra, step):
    """Whether the result stays on the level above or below that was clicked, or comes back."""
    clicked = case.truth[LEVEL].apply(vertebra.centre + vertebra.level_offsets[step])
    clicks = {view.name: tuple(view.geometry.project(clicked)) for view in case.views}
    moved = replace(case, initial={LEVEL: InitialPose(clicks)})
    level = register(moved, device="cpu", vertebrae=registration.vertebrae).result.levels[LEVEL]
    assert level.verdict != "accept"
    assert {reason.code for reason in level.reasons} & {"level", "other_level"}


def test_a_nudged_start_takes_the_place_of_a_click_that_was_far_off(case, registration, vertebra):
    """From where a person put the vertebra, with the clicks left where they were."""
    truth = case.truth[LEVEL]
    middle = truth.apply(vertebra.centre)
    nudged = truth.rotated_about(middle, [0.02, -0.03, 0.02], [1.5, -1.0, 1.0])
    result = register(case, device="cpu", vertebrae=registration.vertebrae, starts={LEVEL: nudged}).result
    level = result.levels[LEVEL]
    assert np.array_equal(level.stages["start"].matrix, nudged.matrix)
    assert mtre(vertebra.surface, truth, level.ct_to_world) < 1.0
    assert "level" not in {reason.code for reason in level.reasons}


def test_a_level_nudged_onto_its_neighbour_is_not_accepted(case, registration, vertebra):
    """The nudge is where refinement begins; which level was marked, the clicks say."""
    truth = case.truth[LEVEL]
    nudged = RigidTransform(truth.rotation, truth.translation + truth.rotation @ vertebra.level_offsets[0])
    result = register(case, device="cpu", vertebrae=registration.vertebrae, starts={LEVEL: nudged}).result
    level = result.levels[LEVEL]
    away = np.linalg.norm(level.ct_to_world.apply(vertebra.centre) - truth.apply(vertebra.centre))
    if away > 0.5 * vertebra.level_spacing_mm:
        assert level.verdict != "accept"
        assert "from where the level was marked" in " ".join(reason.message for reason in level.reasons)
    else:
        assert mtre(vertebra.surface, truth, level.ct_to_world) < 2.0  # the images brought it back


@pytest.mark.parametrize("level", ["right", "above"])
def test_the_level_is_known_where_the_ct_shows_little_around_the_vertebra(level):
    """The whole of such a CT resembles the X-rays as much one level away; its bones, apart, do not."""
    with as_file(files("radgs").joinpath("data", "demo", "case.json")) as path:
        demo = load_case(path)
    side = min(demo.ct.array.shape[1:])
    rows, columns = np.indices(demo.ct.array.shape[1:]) - np.array(demo.ct.array.shape[1:])[:, None, None] / 2
    round_field = np.where(np.hypot(rows, columns) > 0.48 * side, np.float32(np.nan), demo.ct.array)
    vertebra = build_vertebra_anatomy(Volume(round_field, demo.ct.index_to_ras), demo.labels, demo.level(LEVEL))
    truth = demo.truth[LEVEL]
    offset = vertebra.level_offsets[0] if level == "above" else np.zeros(3)
    start = RigidTransform(truth.rotation, truth.translation + truth.rotation @ offset)
    found = refine(demo.views, vertebra, start)
    assert (found.other_level.advantage > ACCEPT_OTHER_LEVEL) == (level == "above")


def test_a_case_without_a_start_is_refused(case):
    with pytest.raises(CaseError, match=LEVEL):
        register(replace(case, initial={}), device="cpu")


def test_an_unknown_device_is_refused_with_the_choices():
    with pytest.raises(RadgsError, match="auto, cpu or cuda"):
        choose_device("tpu")
