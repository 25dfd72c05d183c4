"""From scene to scene with the real engine in its own process, and everything that can get in its way."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from scene_parts import world_points

from radgs.case import RegistrationCase, RegistrationResult
from radgs.errors import RadgsError
from radgs.geometry import mean_distance

MODULE_FOLDER = Path(__file__).resolve().parents[3] / "RadGSReg"


class Outcome:
    """A listener that remembers."""

    def __init__(self) -> None:
        from RadGSRegLib.engine.registration_run import RunListener

        self.steps: list[tuple[float, str]] = []
        self.ends: list[RegistrationResult | RadgsError] = []
        self.listener = RunListener(lambda *step: self.steps.append(step), self.ends.append, self.ends.append)

    @property
    def error(self) -> Any:
        assert len(self.ends) == 1
        assert isinstance(self.ends[0], RadgsError)
        return self.ends[0]


class Heartbeat:
    """How often the event loop came round, up to once in 5 ms: not at all while code holds it up."""

    def __init__(self) -> None:
        import qt

        self._beats = 0
        self._timer = qt.QTimer()
        self._timer.timeout.connect(self._beat)
        self._timer.start(5)

    def _beat(self) -> None:
        self._beats += 1

    def stop(self) -> int:
        """Ends the count and returns it."""
        self._timer.stop()
        return self._beats


def alive(pid: int) -> bool:
    """Whether a process of that ID is running; one that ended and awaits its parent is not."""
    state = Path(f"/proc/{pid}/stat")
    if state.parent.parent.joinpath("self").exists():
        return state.exists() and state.read_text().rpartition(")")[2].split()[0] not in "ZX"
    return subprocess.run(["ps", "-p", str(pid)], capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def the_logic(host: Any, the_module: Any, a_launcher: Path | None) -> Iterator[Any]:
    """One logic for these tests, so that the engine's libraries are loaded once."""
    logic = the_module.RadGSRegLogic()
    yield logic
    logic.cleanup()


@pytest.fixture
def a_logic(a_scene: Any, the_logic: Any, host: Any) -> Any:
    """The same logic in an empty scene, with nothing to do."""
    host.wait_until(lambda: not the_logic.worker.busy, 30)
    return the_logic


def start(logic: Any, inputs: Any, host: Any, until: str) -> Outcome:
    """Starts a registration and waits until a step of that name is reported."""
    outcome = Outcome()
    logic.start(inputs, outcome.listener)
    host.wait_until(lambda: any(until in message for _, message in outcome.steps) or outcome.ends, 120)
    assert not outcome.ends, outcome.ends
    return outcome


@pytest.mark.slow
def test_the_example_in_the_docstring_registers_twice_the_second_time_warm(
    host: Any, a_scene: Any, the_module: Any, a_launcher: Path | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """The example itself, line by line as pasted into a console, with a second registration in the middle."""
    docstring = the_module.RadGSRegLogic.__doc__
    example = [line.strip() for line in docstring.split("console::")[1].split("Args:")[0].splitlines() if line.strip()]
    upto = next(n for n, line in enumerate(example) if line.startswith("result ="))
    console: dict[str, Any] = {}
    for line in example[:upto]:
        exec(line, console)
    logic, inputs = console["logic"], console["inputs"]
    try:
        heartbeat = Heartbeat()
        exec(example[upto], console)
        exec(example[upto + 1], console)
        cold = heartbeat.stop()
        first = console["result"]
        assert "accept" in capsys.readouterr().out

        truth = RegistrationCase.load(logic.demoCase()).truth["L3"]
        pose = first.levels["L3"].ct_to_world
        surface = slicer.util.arrayFromModelPoints(slicer.util.getNode("L3 vertebra"))
        assert mean_distance(surface, truth, pose) < 1.0
        np.testing.assert_allclose(world_points(inputs.ct, surface[:9]), pose.apply(surface[:9]), atol=1e-6)
        # The CT's transform is no start: registering again from where it is now comes to the same.
        steps: list[tuple[float, str]] = []
        heartbeat = Heartbeat()
        second = logic.register(inputs, lambda *step: steps.append(step))
        warm = heartbeat.stop()
        np.testing.assert_allclose(second.levels["L3"].ct_to_world.matrix, pose.matrix, atol=1e-9)
        assert [fraction for fraction, _ in steps] == sorted(fraction for fraction, _ in steps)
        assert not any("fitting" in message for _, message in steps)  # the vertebra's model is there already
        assert min(cold, warm) > 100, "the application stood still while the engine worked"

        for line in example[upto + 2 :]:
            exec(line, console)
        assert inputs.ct.GetParentTransformNode() is None
        assert not logic.worker.running
    finally:
        logic.cleanup()


@pytest.mark.slow
def test_cancel_is_heard_within_two_seconds_and_the_engine_stays(a_logic: Any, a_demo_case: Any, host: Any) -> None:
    outcome = start(a_logic, a_demo_case, host, until="reading the case")
    pid, began = a_logic.worker.pid, time.monotonic()
    a_logic.cancel()
    host.wait_until(lambda: outcome.ends, 5)
    assert time.monotonic() - began < 2.0
    assert outcome.error.kind == "Cancelled"
    assert a_logic.worker.pid == pid
    assert alive(pid)
    assert not a_logic.running
    assert slicer.mrmlScene.GetFirstNodeByName("L3CTToWorld") is None


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_an_engine_that_does_not_answer_is_ended_behind_its_launcher(a_logic: Any, a_demo_case: Any, host: Any) -> None:
    outcome = start(a_logic, a_demo_case, host, until="reading the case")
    pid, began = a_logic.worker.pid, time.monotonic()
    os.kill(pid, signal.SIGSTOP)
    a_logic.cancel()
    host.wait_until(lambda: outcome.ends, 5)
    assert time.monotonic() - began < 2.0
    assert outcome.error.kind == "Cancelled"
    host.wait_until(lambda: not alive(pid), 5)
    assert not a_logic.worker.running


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.slow
def test_when_the_engine_dies_it_is_said_and_another_can_be_started(a_logic: Any, a_demo_case: Any, host: Any) -> None:
    outcome = start(a_logic, a_demo_case, host, until="reading the case")
    first = a_logic.worker.pid
    os.kill(first, signal.SIGKILL)
    host.wait_until(lambda: outcome.ends, 5)
    assert outcome.error.kind == "WorkerDied"
    assert "ended in the middle of its work" in outcome.error.problem
    assert not a_logic.running

    again = start(a_logic, a_demo_case, host, until="reading the case")
    assert a_logic.worker.pid != first
    a_logic.cancel()
    host.wait_until(lambda: again.ends, 10)


@pytest.mark.slow
def test_closing_the_scene_ends_the_registration(a_logic: Any, a_demo_case: Any, host: Any, a_scene: Any) -> None:
    outcome = start(a_logic, a_demo_case, host, until="reading the case")
    a_scene.Clear(0)
    assert outcome.error.problem == "The scene was closed."
    host.wait_until(lambda: not a_logic.worker.busy, 5)
    assert len(outcome.ends) == 1
    assert a_scene.GetFirstNodeByName("L3CTToWorld") is None
    inputs = a_logic.loadCase(a_logic.demoCase())
    again = start(a_logic, inputs, host, until="reading the case")
    a_logic.cancel()
    host.wait_until(lambda: again.ends, 5)


@pytest.mark.slow
def test_what_the_engine_refuses_is_told_in_its_words(a_logic: Any, a_demo_case: Any, host: Any) -> None:
    from dataclasses import replace

    outcome = Outcome()
    a_logic.setClick("L3", a_demo_case.xrays[0], [0.0, 0.0, 300.0])
    a_logic.start(a_demo_case, outcome.listener)
    host.wait_until(lambda: outcome.ends, 30)
    assert outcome.error.kind in ("CaseError", "GeometryError")
    assert a_logic.worker.running

    with_model = Outcome()
    a_logic.start(replace(a_demo_case, model_files=(Path("spine.radgs.safetensors"),)), with_model.listener)
    host.wait_until(lambda: with_model.ends, 30)
    assert "spine.radgs.safetensors" in with_model.error.problem


def test_one_registration_at_a_time(a_logic: Any, a_demo_case: Any, host: Any) -> None:
    outcome = Outcome()
    a_logic.start(a_demo_case, outcome.listener)
    with pytest.raises(RadgsError, match="A registration is under way"):
        a_logic.start(a_demo_case)
    a_logic.cancel()
    host.wait_until(lambda: outcome.ends, 5)
    assert outcome.error.kind == "Cancelled"


def test_without_an_interpreter_the_remedy_is_told(a_scene: Any, the_module: Any, monkeypatch: Any) -> None:
    logic = the_module.RadGSRegLogic()
    inputs = logic.loadCase(logic.demoCase())
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RadgsError, match="PythonSlicer is not on the PATH"):
        logic.start(inputs)
    assert not logic.running
    logic.cleanup()


def test_an_interpreter_that_cannot_be_started_is_told(host: Any, a_scene: Any, the_module: Any) -> None:
    logic = the_module.RadGSRegLogic(python="no/such/interpreter")
    outcome = Outcome()
    logic.start(logic.loadCase(logic.demoCase()), outcome.listener)
    host.wait_until(lambda: outcome.ends, 5)
    assert outcome.error.kind in ("WorkerDied", "NoInterpreter")
    logic.cleanup()


def test_the_engine_ends_with_the_logic(host: Any, a_scene: Any, the_module: Any, a_launcher: Path | None) -> None:
    logic = the_module.RadGSRegLogic()
    logic.worker.start()
    host.wait_until(lambda: logic.worker.pid, 30)
    pid = logic.worker.pid
    logic.cleanup()
    host.wait_until(lambda: not alive(pid), 5)
