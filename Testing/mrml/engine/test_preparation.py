"""A model is prepared for a patient, remembered with the scene, and refused where it does not belong."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer

from radgs.errors import CaseError, RadgsError
from radgs.io.model_header import work_folder
from RadGSRegLib.engine.patient_models import (
    checked_model,
    model_name,
    model_path,
    model_problem,
    proposed_folder,
    set_model,
)

GENERIC = Path(__file__).resolve().parents[3] / "RadGSReg/radgs/data/models/generic_compact.radgs.safetensors"


class Outcome:
    """A listener that remembers."""

    def __init__(self) -> None:
        from RadGSRegLib.engine.preparation_run import PreparationListener

        self.states: list[Any] = []
        self.ends: list[Any] = []
        self.listener = PreparationListener(self.states.append, self.ends.append, self.ends.append)


@pytest.mark.slow
def test_a_cancelled_preparation_is_kept_serves_the_next_registration_and_no_other_ct(
    a_logic: Any, a_demo_case: Any, host: Any, tmp_path: Path
) -> None:
    """Without X-rays; then the CT is changed by one voxel, and the engine will not use the model for it."""
    from dataclasses import replace

    outcome, path = Outcome(), tmp_path / "L3.radgs.safetensors"
    a_logic.prepare(replace(a_demo_case, xrays=()), "L3", path, 0.5, outcome.listener)
    assert a_logic.preparing
    with pytest.raises(RadgsError, match="A preparation is under way"):
        a_logic.start(a_demo_case)
    host.wait_until(lambda: outcome.ends or any("step" in state.message for state in outcome.states), 120)
    assert not outcome.ends
    began = time.monotonic()
    a_logic.cancelPreparation()
    host.wait_until(lambda: outcome.ends, 100)
    print(f"the best so far was kept within {time.monotonic() - began:.1f} s")
    (model,) = outcome.ends
    assert (model.level, model.path, model.finished) == ("L3", path, False), model
    assert model.accuracy["ssim_3d"] > 0.5
    fractions = [state.fraction for state in outcome.states]
    assert fractions == sorted(fractions)
    assert work_folder(path).is_dir()
    assert a_logic.getParameterNode().models == {"L3": str(path)}
    assert a_logic.inputs().model_files == (path,)
    assert a_logic.worker.running

    result = a_logic.register(a_logic.inputs())
    assert result.models["L3"].endswith("prepared for L3")
    a_logic.revert(a_demo_case)

    voxels = slicer.util.arrayFromVolume(a_demo_case.ct)
    voxels[0, 0, 0] += 1
    slicer.util.arrayFromVolumeModified(a_demo_case.ct)
    with pytest.raises(RadgsError, match="The model of L3 was prepared for another CT"):
        a_logic.register(a_logic.inputs())


def test_closing_the_scene_ends_the_preparation(
    a_logic: Any, a_demo_case: Any, host: Any, a_scene: Any, tmp_path: Path
) -> None:
    outcome = Outcome()
    a_logic.prepare(a_demo_case, "L3", tmp_path / "L3.radgs.safetensors", 0.5, outcome.listener)
    a_scene.Clear(0)
    assert outcome.ends[0].problem == "The scene was closed."
    assert not a_logic.preparing


def test_a_level_that_is_not_to_be_registered_is_not_prepared(a_logic: Any, a_demo_case: Any, tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="L4 is not among the levels"):
        a_logic.prepare(a_demo_case, "L4", tmp_path / "L4.radgs.safetensors", 1)
    assert not a_logic.preparing


def test_a_model_is_found_beside_the_scene_wherever_both_went(a_logic: Any, a_scene: Any, tmp_path: Path) -> None:
    assert proposed_folder() == Path(slicer.app.defaultScenePath)
    a_scene.SetURL(str(tmp_path / "scene.mrml"))
    parameters = a_logic.getParameterNode()
    set_model(parameters, "L3", Path("/gone/L3.radgs.safetensors"))
    assert model_path(parameters, "L3") == Path("/gone/L3.radgs.safetensors")
    assert "is missing" in model_problem(parameters, "L3").problem
    assert "Choose another file under Patient model" in model_problem(parameters, "L3").remedy
    shutil.copy(GENERIC, tmp_path / "L3.radgs.safetensors")
    assert model_path(parameters, "L3") == tmp_path / "L3.radgs.safetensors"
    assert proposed_folder() == tmp_path
    a_scene.SetURL("")


def test_what_is_no_model_of_the_level_is_refused_with_a_way_out(tmp_path: Path, prepared_for_l4: Path) -> None:
    no_model = tmp_path / "text.radgs.safetensors"
    no_model.write_text("not a model", "utf-8")
    for path, words in (
        (no_model, "is not a model of RadGS-Reg"),
        (GENERIC, "was not prepared for any patient"),
        (prepared_for_l4, "was prepared for L4, not for L3"),
    ):
        with pytest.raises(RadgsError, match=words) as refusal:
            checked_model(path, "L3")
        assert "register with none" in refusal.value.remedy
    assert checked_model(prepared_for_l4, "L4").level == "L4"


@pytest.fixture
def prepared_for_l4(tmp_path: Path) -> Path:
    """A model's header as the engine writes it, without weights."""
    import json

    patient = {"level": "L4", "centre": [0, 0, 0], "ct_fingerprint": "0"}
    header = {"schema": "radgs.model/1", "patient": patient, "accuracy": None, "record": {"minutes": 3.5}}
    text = json.dumps({"__metadata__": {"radgs": json.dumps(header)}}).encode()
    path = tmp_path / "L4.radgs.safetensors"
    path.write_bytes(np.uint64(len(text)).tobytes() + text)
    return path


def test_a_ct_with_an_odd_name_gives_a_model_a_proper_one(a_logic: Any, a_demo_case: Any) -> None:
    a_demo_case.ct.SetName("CT: Smith/Jones 3 ")
    assert model_name(a_demo_case.ct, "L3") == "CT_ Smith_Jones 3 L3.radgs.safetensors"
    assert model_name(None, "L3") == "CT L3.radgs.safetensors"
