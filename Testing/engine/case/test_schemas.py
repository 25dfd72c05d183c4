"""The shipped JSON Schemas accept what the readers accept and what the engine writes, and refuse what they refuse."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from radgs.case import LevelResult, Reason, RegistrationResult
from radgs.errors import RadgsError
from radgs.geometry import RigidTransform
from radgs.io.case_file import read_case_file

jsonschema = pytest.importorskip("jsonschema", reason="jsonschema, of the test extra, is not installed")

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "file-formats.md"


def schema(name: str) -> Any:
    values = json.loads(files("radgs").joinpath("data", "schemas", f"{name}.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(values)
    return jsonschema.Draft202012Validator(values)


def example(name: str) -> dict[str, Any]:
    """The document's worked example of a case or a result."""
    found = re.search(rf"```json {name}\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return json.loads(found[1])


@pytest.mark.parametrize("name", ["case", "result"])
def test_the_documents_examples_are_valid(name: str) -> None:
    schema(name).validate(example(name))


def test_the_bundled_case_is_valid() -> None:
    bundled = files("radgs").joinpath("data", "demo", "case.json").read_text(encoding="utf-8")
    schema("case").validate(json.loads(bundled))


def test_a_result_is_valid_as_the_engine_writes_it(tmp_path: Path) -> None:
    level = LevelResult(
        ct_to_world=RigidTransform.identity(),
        verdict="check",
        predicted_error_mm={"surface_p95": float("nan")},
        reasons=(Reason("stage-not-run", "No model was given."),),
        similarity={"AP": {"start": 0.1, "result": 0.7}},
        stages={"start": RigidTransform.identity()},
        seconds=1.5,
    )
    failed = LevelResult(None, "reject", {}, (), {}, {}, 0.1)
    result = RegistrationResult({"L3": level, "L4": failed}, "ab" * 32, {}, {"radgs": "0"}, "cpu")
    result.save(tmp_path)
    schema("result").validate(json.loads((tmp_path / "result.json").read_text(encoding="utf-8")))


def _with(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    values = copy.deepcopy(example("case"))
    change(values)
    return values


SIGMA = {"source_mm": [1, 1, 1], "detector_mm": [0.1, 0.1, 0.1], "detector_deg": [0.0, 0.1, 0.1]}
BAD = [
    lambda v: v.pop("ct"),
    lambda v: v.update(schema="radgs.case/2"),
    lambda v: v["levels"][0].update(label="29"),
    lambda v: v["views"][0].pop("source_ras"),
    lambda v: v["views"][0].update(source_ras=[1, 2]),
    lambda v: v["views"][0]["detector_to_ras"].pop(),
    lambda v: v["views"][0].update(geometry_sigma={**SIGMA, "source_mm": [-1, 0, 0]}),
    lambda v: v["views"][0].update(geometry_sigma={"source_mm": [1, 1, 1]}),
    lambda v: v["initial"]["L3"]["clicks"].update(AP=[1, 2, 3]),
    lambda v: v.update(truth={"L3": {}}),
    lambda v: v["views"][0].update(field=[[0, 0], [1, 1]]),
    lambda v: v.update(world_orientation="unknown"),
    lambda v: v.update(world_orientation={"superior": [0, 0, 1]}),
]
GOOD = [
    lambda v: v.pop("views"),
    lambda v: v["views"][0].update(geometry_sigma=SIGMA),
    lambda v: v.update(initial=v["initial"]["L3"]),
    lambda v: v["views"][0].update(field=[[0, 0], [9, 0], [9, 9]]),
    lambda v: v["views"][1].update(field="mask.png"),
    lambda v: v["initial"]["L3"].update(ct_to_world=np.eye(4).tolist()),
    lambda v: v.update(world_orientation={"superior": [0, 0.1, 1], "anterior": [0, 1, 0]}, note="mine"),
]


@pytest.mark.parametrize(("change", "valid"), [*((c, False) for c in BAD), *((c, True) for c in GOOD)])
def test_schema_and_reader_agree(change: Callable[[dict[str, Any]], object], valid: bool, tmp_path: Path) -> None:
    values = _with(change)
    assert schema("case").is_valid(values) is valid
    (tmp_path / "case.json").write_text(json.dumps(values))
    if valid:
        read_case_file(tmp_path / "case.json")
    else:
        with pytest.raises(RadgsError):
            read_case_file(tmp_path / "case.json")
