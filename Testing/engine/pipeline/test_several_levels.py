"""Several levels of one spine: whose turn it is, what is believed, and what comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from radgs.case import FAILED, InitialPose, Level, LevelResult, Reason, RegistrationCase
from radgs.errors import CaseError, RadgsError
from radgs.evaluation.metrics import mtre
from radgs.phantom import make_spine
from radgs.pipeline import Progress, Registration, register
from radgs.pipeline.one_level import RegisteredLevel
from radgs.pipeline.several_levels import next_level, register_beside_or_alone, register_each
from radgs.simulation import ArticulatedAnatomy, SimulationSettings, simulate_case
from radgs.vertebra import VertebraAnatomy

LUMBAR = [Level(f"L{number}", 19 + number) for number in range(1, 6)]


def done(**believed: bool) -> dict[str, Any]:
    return {name: SimpleNamespace(believed=answer) for name, answer in believed.items()}


@pytest.mark.parametrize(
    ("registered", "expected"),
    [
        ({}, "L3"),
        ({"L3": True}, "L2"),
        ({"L3": True, "L2": True}, "L1"),
        ({"L3": True, "L2": False}, "L4"),
        ({"L3": False}, "L4"),
        ({"L3": False, "L4": False}, "L2"),
    ],
)
def test_the_middle_comes_first_and_then_what_lies_beside_a_believed_level(
    registered: dict[str, bool], expected: str
) -> None:
    assert next_level(LUMBAR, done(**registered)).name == expected


@pytest.mark.parametrize(("quickly", "tries"), [(True, [1]), (False, [1, 0])])
def test_what_is_not_believed_beside_its_neighbour_is_registered_alone(quickly: bool, tries: list[int]) -> None:
    seen: list[int] = []
    nothing: Any = None

    def register_one(level: Level, beside: Sequence[Any], tell: Any) -> RegisteredLevel:
        seen.append(len(beside))
        reasons = () if beside else (Reason("alone", "As if no other level had been asked for."),)
        result = LevelResult(None, "accept", reasons=reasons, seconds=1.0)
        return RegisteredLevel(result, nothing, nothing, nothing, believed=quickly or not beside)

    neighbour: Any = SimpleNamespace(believed=True)
    outcome = register_beside_or_alone(LUMBAR[0], [neighbour], register_one, lambda *_: None)
    assert seen == tries
    assert bool(outcome.result.reasons) is not quickly
    assert outcome.result.seconds == len(tries)


def faulty(name: str) -> CaseError:
    return CaseError(f"{name} has only 7 mm3 and is no vertebra.", "Choose the vertebra's own label.")


class Turns:
    """Registers levels by name only, and remembers whose turn it was, after which, and what was told."""

    def __init__(self, *failing: str) -> None:
        self.failing, self.after = failing, dict[str, list[str]]()
        self.told: list[tuple[str, int, float]] = []

    def register(self, level: Level, before: Mapping[str, RegisteredLevel], tell: Any) -> RegisteredLevel:
        self.after[level.name] = list(before)
        if level.name in self.failing:
            raise faulty(level.name)
        nothing: Any = None
        return RegisteredLevel(LevelResult(None, "accept"), nothing, nothing, nothing, believed=True)

    def telling(self, level: Level, done: int) -> Any:
        return lambda _stage, fraction, _message: self.told.append((level.name, done, fraction))


@pytest.mark.parametrize("refused", [(), ("L1",), ("L3", "L5")])
def test_a_level_that_fails_keeps_no_other_from_being_registered_and_none_begins_beside_it(
    refused: tuple[str, ...],
) -> None:
    turns = Turns("L4")
    errors = {name: faulty(name) for name in refused}
    registered, failed = register_each(LUMBAR, errors, turns.register, turns.telling)
    assert set(failed) == {*refused, "L4"}
    assert set(registered) | set(failed) == {level.name for level in LUMBAR}
    assert not set(turns.after) & set(refused)
    assert all(name not in failed for before in turns.after.values() for name in before)
    assert turns.told[0][0] == "L4"
    assert turns.told[0][2] == 1.0
    for name, level in failed.items():
        assert (level.ct_to_world, level.verdict) == (None, "reject")
        assert level.reasons == (Reason(FAILED, str(faulty(name))),)


@pytest.mark.parametrize(("refused", "first"), [((), "L3"), (("L5",), "L5")])
def test_where_every_level_fails_the_first_error_is_told(refused: tuple[str, ...], first: str) -> None:
    turns = Turns(*(level.name for level in LUMBAR))
    with pytest.raises(CaseError, match=f"{first} has only 7 mm3"):
        register_each(LUMBAR, {name: faulty(name) for name in refused}, turns.register, turns.telling)


def test_what_cannot_be_registered_beside_its_neighbour_is_registered_alone() -> None:
    nothing: Any = None

    def register_one(level: Level, beside: Sequence[Any], tell: Any) -> RegisteredLevel:
        if beside:
            raise faulty(level.name)
        return RegisteredLevel(LevelResult(None, "accept", seconds=1.0), nothing, nothing, nothing, believed=True)

    neighbour: Any = SimpleNamespace(believed=True)
    outcome = register_beside_or_alone(LUMBAR[0], [neighbour], register_one, lambda *_: None)
    assert outcome.result.verdict == "accept"
    assert outcome.result.seconds >= 1.0


WANTED = ("L2", "L3", "L4")


@pytest.fixture(scope="module")
def case() -> RegistrationCase:
    spine = make_spine(11, spacing_mm=2.0)
    anatomy = ArticulatedAnatomy(spine.ct, spine.labels, spine.levels)
    settings = SimulationSettings(detector_pixels=384, detector_mm=400.0)
    return simulate_case(anatomy, "L3", np.random.default_rng(5), settings, levels=("L2", "L4"))


@pytest.fixture(scope="module")
def seen() -> dict[str, list[Any]]:
    return {"progress": [], "kept": []}


@pytest.fixture(scope="module")
def together(case: RegistrationCase, seen: dict[str, list[Any]]) -> Registration:
    def keep(vertebrae: dict[str, VertebraAnatomy]) -> None:
        seen["kept"] += vertebrae

    return register(case, device="cpu", progress=seen["progress"].append, keep=keep)


def only(case: RegistrationCase, name: str) -> RegistrationCase:
    return replace(
        case,
        levels=(case.level(name),),
        initial={name: case.initial[name]},
        truth={name: case.truth[name]},
    )


@pytest.mark.slow
def test_every_level_is_found_and_named_as_the_case_has_it(case: RegistrationCase, together: Registration) -> None:
    levels = together.result.levels
    assert tuple(levels) == WANTED
    for name, level in levels.items():
        assert level.ct_to_world is not None
        assert mtre(together.vertebrae[name].surface, case.truth[name], level.ct_to_world) < 0.8
        assert level.verdict == "accept"
        assert level.stages["kabsch"] is not None
        assert level.stages["regm"] is not None
        assert level.covariance is not None
        assert level.seconds > 0


@pytest.mark.slow
def test_progress_never_falls_and_every_vertebra_is_kept(together: Registration, seen: dict[str, list[Any]]) -> None:
    told: list[Progress] = seen["progress"]
    fractions = [at.fraction for at in told]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert {at.level for at in told} == set(WANTED)
    assert sorted(seen["kept"]) == sorted(WANTED)


@pytest.mark.slow
def test_the_first_level_comes_out_as_if_no_other_had_been_asked_for(
    case: RegistrationCase, together: Registration
) -> None:
    alone = register(only(case, "L3"), device="cpu", vertebrae=together.vertebrae).result.levels["L3"]
    beside = together.result.levels["L3"]
    assert alone.ct_to_world is not None
    assert beside.ct_to_world is not None
    np.testing.assert_allclose(beside.ct_to_world.matrix, alone.ct_to_world.matrix, atol=1e-9)
    assert (beside.verdict, beside.reasons, beside.predicted_error_mm) == (
        alone.verdict,
        alone.reasons,
        alone.predicted_error_mm,
    )


@pytest.mark.slow
def test_a_level_that_was_clicked_on_its_neighbour_is_asked_about_and_harms_no_other(
    case: RegistrationCase, together: Registration
) -> None:
    vertebra = together.vertebrae["L4"]
    clicked = case.truth["L4"].apply(vertebra.centre + vertebra.level_offsets[1])
    clicks = {view.name: tuple(view.geometry.project(clicked)) for view in case.views}
    wrong = replace(case, initial={**case.initial, "L4": InitialPose(clicks)})
    outcome = register(wrong, device="cpu", vertebrae=together.vertebrae)
    alone = register(only(wrong, "L4"), device="cpu", vertebrae=together.vertebrae)
    asked = outcome.result.levels["L4"]
    assert asked.verdict != "accept"
    assert {reason.code for reason in asked.reasons} & {"level", "other_level"}
    assert asked.reasons == alone.result.levels["L4"].reasons
    for name in ("L2", "L3"):
        level, before = outcome.result.levels[name], together.result.levels[name]
        assert level.verdict == "accept"
        assert level.ct_to_world is not None
        assert before.ct_to_world is not None
        np.testing.assert_allclose(level.ct_to_world.matrix, before.ct_to_world.matrix, atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["click", "label"])
def test_a_level_that_cannot_be_registered_is_rejected_by_name_and_the_others_come_out_as_without_it(
    case: RegistrationCase, together: Registration, fault: str
) -> None:
    outside = InitialPose({name: (-40.0, row) for name, (_column, row) in case.initial["L4"].clicks.items()})
    levels = tuple(replace(level, label=99) if level.name == "L4" else level for level in case.levels)
    wrong = replace(case, initial={**case.initial, "L4": outside}) if fault == "click" else replace(case, levels=levels)
    others = replace(
        case,
        levels=tuple(level for level in case.levels if level.name != "L4"),
        initial={name: case.initial[name] for name in ("L2", "L3")},
        truth={name: case.truth[name] for name in ("L2", "L3")},
    )
    known = {name: together.vertebrae[name] for name in ("L2", "L3")}
    outcome = register(wrong, device="cpu", vertebrae=known)
    without = register(others, device="cpu", vertebrae=known)
    failed = outcome.result.levels["L4"]
    assert tuple(outcome.result.levels) == WANTED
    assert (failed.ct_to_world, failed.verdict, failed.reasons[0].code) == (None, "reject", FAILED)
    assert "L4" in failed.reasons[0].message
    assert set(outcome.vertebrae) == set(outcome.evidence) == set(outcome.result.models) == {"L2", "L3"}
    for name in ("L2", "L3"):
        level, alone = outcome.result.levels[name], without.result.levels[name]
        assert level.verdict == alone.verdict == "accept"
        assert level.ct_to_world is not None
        assert alone.ct_to_world is not None
        np.testing.assert_allclose(level.ct_to_world.matrix, alone.ct_to_world.matrix, atol=1e-9)


@pytest.mark.slow
def test_the_only_level_that_cannot_be_registered_ends_the_run(case: RegistrationCase) -> None:
    alone = only(case, "L4")
    with pytest.raises(RadgsError, match="L4 has neither clicks nor a pose"):
        register(replace(alone, initial={}), device="cpu")
