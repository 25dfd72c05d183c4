"""A config means a certain number of trials, each once, in shares that add up to the whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from radgs.errors import InputFileError
from radgs.evaluation.full.plan import FullPlan, default_plan_path, read_plan

CONFIG = """
schema = "radgs.benchmark/1"
seed = 7
detector_pixels = 192

[subjects.one]
phantom = 3
levels = ["L2", "L3"]

[subjects.two]
phantom = 4
levels = ["L4"]

[[cohorts]]
name = "clean"
subjects = ["one", "two"]
worlds = ["clean", "blades"]
trials = 4

[[cohorts]]
name = "angle"
kind = "view angle"
subjects = ["one"]
values = [40, 60, 90]
trials = 2

[[cohorts]]
name = "capture"
kind = "pose"
subjects = ["two"]
trials = 5
[cohorts.start]
shift_mm = 30.0
"""


def plan_of(text: str, folder: Path) -> FullPlan:
    path = folder / "plan.toml"
    path.write_text(text, encoding="utf-8")
    return read_plan(path)


def test_trials_are_vertebrae_times_worlds_times_values_times_number(tmp_path: Path) -> None:
    plan = plan_of(CONFIG, tmp_path)
    counts = {name: sum(one.cohort == name for one in plan.trials()) for name in plan.cohorts}
    assert counts == {"clean": 3 * 2 * 4, "angle": 2 * 3 * 2, "capture": 5}
    assert len({one.key for one in plan.trials()}) == 24 + 12 + 5
    assert plan.cohorts["capture"].start.bins == 6


def test_only_one_cohort_and_at_most_so_many(tmp_path: Path) -> None:
    plan = plan_of(CONFIG, tmp_path)
    assert len(plan.trials(("angle",))) == 12
    assert len(plan.trials(most=1)) == 3 * 2 + 2 * 3 + 1
    with pytest.raises(InputFileError, match='no cohort "nothing"'):
        plan.trials(("nothing",))


def test_stopped_at_any_time_every_vertebra_has_had_about_as_many_trials(tmp_path: Path) -> None:
    first = plan_of(CONFIG, tmp_path).trials(("clean",))[:6]
    assert {(one.subject, one.level, one.world) for one in first} == {
        (subject, level, world)
        for subject, level in (("one", "L2"), ("one", "L3"), ("two", "L4"))
        for world in ("clean", "blades")
    }


@pytest.mark.parametrize("of", [1, 2, 5])
def test_shares_are_the_whole_and_have_no_trial_in_common(tmp_path: Path, of: int) -> None:
    plan = plan_of(CONFIG, tmp_path)
    shares = [plan.trials(share=(number, of)) for number in range(1, of + 1)]
    together = [one for share in shares for one in share]
    assert sorted(map(repr, together)) == sorted(map(repr, plan.trials()))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"radgs.benchmark/1"', '"radgs.benchmark/0"', "schema"),
        ('kind = "view angle"', 'kind = "moon"', "unknown kind"),
        ("values = [40, 60, 90]\n", "", "values are missing"),
        ('subjects = ["one"]', 'subjects = ["three"]', "three"),
        ("shift_mm", "shift_m", "shift_m"),
        ('"blades"', '"knives"', "knives"),
        ('name = "angle"', 'name = "clean"', "two cohorts"),
        ("seed = 7", "seed = ", "no config"),
    ],
)
def test_a_config_that_is_none_says_what_is_wrong(tmp_path: Path, old: str, new: str, says: str) -> None:
    with pytest.raises(InputFileError, match=says):
        plan_of(CONFIG.replace(old, new), tmp_path)


def test_a_config_that_is_not_there() -> None:
    with pytest.raises(InputFileError, match="no config"):
        read_plan(default_plan_path().with_name("nowhere.toml"))


def test_the_engines_own_config_is_what_the_evidence_needs() -> None:
    plan = read_plan()
    accuracy = [
        one
        for name in ("clean-real", "clean-phantoms", "hospital-real", "hospital-phantoms")
        for one in plan.trials((name,))
    ]
    assert len(accuracy) >= 300
    phantoms = {(one.subject, one.level) for one in accuracy if not plan.subjects[one.subject].real}
    assert len(phantoms) >= 4
    assert len({subject for subject, _ in phantoms}) >= 2
    assert {level[0] for _, level in phantoms} == {"T", "L"}
    for name in ("capture-real", "capture-phantoms"):
        cohort = plan.cohorts[name]
        assert (cohort.trials, cohort.start.shift_mm, cohort.start.rotation_deg, cohort.start.sigma_mm) == (
            200,
            60.0,
            45.0,
            40.0,
        )
    assert plan.cohorts["view-angle"].values == (40, 50, 60, 70, 80, 90)
    assert max(plan.cohorts["slice-thickness"].values) == 3.0
    assert plan.voxel_grid is not None
    assert (min(plan.voxel_grid.voxels), max(plan.voxel_grid.voxels)) == (64, 512)
