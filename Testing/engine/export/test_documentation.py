"""docs/export.md: every number in it, and every line of code, on files that were really exported."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from radgs.case import LevelResult, RegistrationResult
from radgs.export import FILE_FORMATS, export_files, release
from radgs.export.igtl.link import DEFAULT_PORT, MAX_CLIENTS, PATIENCE_S, Link
from radgs.export.igtl.message import FLOAT32_TOLERANCE_MM, MAX_DEVICE_NAME_LENGTH
from radgs.export.live import pose_messages
from radgs.geometry import RigidTransform

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "export.md").read_text(encoding="utf-8")

NUMBER = r"(-?\d+(?:\.\d+)?)"


def snippet(name: str) -> str:
    return PAGE.split(f"```python {name}\n")[1].split("```")[0]


@pytest.fixture(scope="module")
def ct_to_world() -> RigidTransform:
    rows = PAGE.split("ct_to_world = [")[1].split("```")[0]
    return RigidTransform.from_matrix(np.array(re.findall(NUMBER, rows), dtype=float).reshape(4, 4))


@pytest.fixture(scope="module")
def result(ct_to_world: RigidTransform) -> RegistrationResult:
    return RegistrationResult({"L3": LevelResult(ct_to_world, "accept", {"surface_p95": 0.8})})


@pytest.fixture
def exported(result: RegistrationResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working folder holds the example in every format, and the result itself."""
    for chosen in FILE_FORMATS:
        export_files(release(result), chosen, tmp_path)
    result.save(tmp_path / "result")
    monkeypatch.chdir(tmp_path)


def run(code: str) -> dict[str, Any]:
    """Runs a snippet, and checks every line of it that says what it yields."""
    names: dict[str, Any] = {}
    exec(code, names)
    for line in code.splitlines():
        expression, arrow, said = line.partition("# (")
        if arrow:
            value = eval(expression.split(" = ", 1)[-1], names)
            expected = [float(number) for number in re.findall(NUMBER, said.split(")")[0])]
            np.testing.assert_allclose(value, expected, atol=1e-4)
    return names


def table() -> dict[str, np.ndarray]:
    rows = re.findall(r"^\| (entry|tip) \|(.*)\|$", PAGE, re.MULTILINE)
    assert [name for name, _ in rows] == ["entry", "tip"]
    return {name: np.array(re.findall(NUMBER, numbers), dtype=float).reshape(4, 3) for name, numbers in rows}


def test_the_table_is_the_matrix_at_work(ct_to_world: RigidTransform) -> None:
    flip = [-1.0, -1.0, 1.0]
    for ct, world, ct_lps, world_lps in table().values():
        np.testing.assert_allclose(ct_to_world.apply(ct), world, atol=1e-9)
        np.testing.assert_allclose(ct * flip, ct_lps)
        np.testing.assert_allclose(world * flip, world_lps)


def test_the_arithmetic_adds_up_and_the_screw_keeps_its_length() -> None:
    sums = re.findall(r"((?:-?[\d.]+ · \(?-?[\d.]+\)?(?: [+-] )?)+(?:[\d.]+)?(?: [+-] \d+)?) = (-?\d+)", PAGE)
    assert len(sums) == 3
    values = [eval(" ".join(left.replace("·", "*").split())) for left, _ in sums]
    np.testing.assert_allclose(values, [float(right) for _, right in sums])
    np.testing.assert_allclose(values, table()["entry"][1])
    for column in range(4):
        length = np.linalg.norm(table()["tip"][column] - table()["entry"][column])
        assert f"{length:.1f} mm" == "40.6 mm"
    assert "40.6 mm" in PAGE


@pytest.mark.usefixtures("exported")
@pytest.mark.parametrize("name", ["tfm", "json", "csv", "dicom", "api"])
def test_the_code_for_files_does_what_it_says(name: str) -> None:
    code = snippet(name)
    names = run(code)
    in_lps = "entry_world_lps" in names
    if name == "api":
        assert Path("to-navigation", "L3_ct_to_world.csv").is_file()
    else:
        arrived = np.array(names["entry_world_lps" if in_lps else "entry_world"])[:3]
        np.testing.assert_allclose(arrived, table()["entry"][3 if in_lps else 1], atol=1e-9)


def test_the_code_for_openigtlink_does_what_it_says(pyigtl: Any, result: RegistrationResult) -> None:
    import threading

    with Link("127.0.0.1", 0, listen=True) as link:
        link.publish(pose_messages(release(result).poses[0], time.time()))
        end = time.monotonic() + 20
        done = threading.Event()

        def serve() -> None:
            while not done.is_set() and time.monotonic() < end:
                link.tick(0.02)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            names = run(snippet("igtl").replace(str(DEFAULT_PORT), str(link.port)))
        finally:
            done.set()
            thread.join()
    np.testing.assert_allclose(names["entry_world"][:3], table()["entry"][1], atol=FLOAT32_TOLERANCE_MM)
    assert names["verdict"] in PAGE


def test_slicer_shows_the_entry_where_the_page_says(exported: None) -> None:
    slicer = pytest.importorskip("slicer_core", reason="slicer-core is not installed")
    scene = slicer.vtkMRMLScene()
    storage = slicer.vtkMRMLTransformStorageNode()
    storage.SetFileName("L3_ct_to_world.tfm")
    transform = slicer.vtkMRMLLinearTransformNode()
    scene.AddNode(transform)
    assert storage.ReadData(transform)
    plan = slicer.vtkMRMLMarkupsFiducialNode()
    scene.AddNode(plan)
    plan.AddControlPoint([-20.0, -50.0, 100.0])
    plan.SetAndObserveTransformNodeID(transform.GetID())
    world = [0.0, 0.0, 0.0]
    plan.GetNthControlPointPositionWorld(0, world)
    np.testing.assert_allclose(world, [54.0, -112.0, 80.0], atol=1e-9)
    assert "the point at (-20, -50, 100) shows (54, -112, 80)" in PAGE


def test_the_limits_it_names_are_the_programs() -> None:
    assert f"up to {MAX_CLIENTS} clients" in PAGE
    assert f"takes nothing for {PATIENCE_S:g} s" in PAGE
    assert f"at most {FLOAT32_TOLERANCE_MM} mm off" in PAGE
    assert (
        f"{MAX_DEVICE_NAME_LENGTH} bytes, so that a level's name may have {MAX_DEVICE_NAME_LENGTH - len('CTToWorld')},"
        in PAGE
    )
