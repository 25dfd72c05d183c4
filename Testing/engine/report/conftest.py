"""A case on disk, a result of it, and the page about both."""

from __future__ import annotations

from pathlib import Path

import pytest

from radgs.case import LevelResult, Reason, RegistrationCase, RegistrationResult

#: What no page may take for its own.
HOSTILE = '</script><script>alert("L3 & more")</script>'


@pytest.fixture
def hostile() -> str:
    return HOSTILE


@pytest.fixture(scope="session")
def saved_case(small_case: RegistrationCase, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_case.save(tmp_path_factory.mktemp("case"))


@pytest.fixture(scope="session")
def loaded_case(saved_case: Path) -> RegistrationCase:
    return RegistrationCase.load(saved_case)


@pytest.fixture(scope="session")
def result(loaded_case: RegistrationCase) -> RegistrationResult:
    truth = loaded_case.truth["L3"]
    start = truth.rotated_about(truth.apply([10.0, 20.0, 30.0]), [0.0, 0.0, 0.1], [6.0, 3.0, -5.0])
    level = LevelResult(
        ct_to_world=truth,
        verdict="check",
        predicted_error_mm={"surface_p95": 1.84},
        reasons=(Reason("uncertain", f"The views disagree about the depth. {HOSTILE}"),),
        similarity={"AP": {"start": 0.12, "result": 0.71}, "LAT": {"start": 0.2, "result": 0.8}},
        stages={"start": start, "kabsch": None, "regm": None, "refined": truth},
        seconds=2.5,
    )
    return RegistrationResult(
        {"L3": level}, loaded_case.sha256, {"L3": f"generic {HOSTILE}"}, {"radgs": "0.1.0"}, case="case/case.json"
    )


@pytest.fixture(scope="session")
def report(
    result: RegistrationResult,
    loaded_case: RegistrationCase,
    saved_case: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    from radgs.report import write_report

    return write_report(tmp_path_factory.mktemp("report") / "report.html", result, loaded_case, saved_case)
