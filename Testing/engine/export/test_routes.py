"""The same planned screw by every route, read by code that is not ours: it enters at the same point of the world."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK
from numpy.typing import ArrayLike

from radgs.case import RegistrationResult
from radgs.export import FILE_FORMATS, export_files, release
from radgs.export.igtl.link import Link
from radgs.export.live import pose_messages
from radgs.geometry import FloatArray, RigidTransform

FLIP = np.array([-1.0, -1.0, 1.0])


@pytest.fixture(scope="module")
def exported(result: RegistrationResult, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """L2 and L3 in every file format."""
    folder = tmp_path_factory.mktemp("exported")
    for chosen in FILE_FORMATS:
        export_files(release(result, levels=["L2", "L3"]), chosen, folder)
    return folder


def by_simpleitk(suffix: str) -> Callable[[Path, FloatArray], ArrayLike]:
    def route(folder: Path, entry: FloatArray) -> ArrayLike:
        world_to_ct = SimpleITK.ReadTransform(str(folder / f"L3_ct_to_world{suffix}"))
        return np.array(world_to_ct.GetInverse().TransformPoint((entry * FLIP).tolist())) * FLIP

    return route


def slicer_transform_node(slicer: Any, scene: Any, path: Path) -> Any:
    """A linear transform node loaded by Slicer's own storage."""
    storage = slicer.vtkMRMLTransformStorageNode()
    storage.SetFileName(str(path))
    node = slicer.vtkMRMLLinearTransformNode()
    scene.AddNode(node)
    assert storage.ReadData(node)
    return node


def by_slicer(suffix: str) -> Callable[[Path, FloatArray], ArrayLike]:
    """A control point under the loaded transform, asked for its world position."""

    def route(folder: Path, entry: FloatArray) -> ArrayLike:
        slicer = pytest.importorskip("slicer_core", reason="slicer-core is not installed")
        scene = slicer.vtkMRMLScene()
        transform = slicer_transform_node(slicer, scene, folder / f"L3_ct_to_world{suffix}")
        plan = slicer.vtkMRMLMarkupsFiducialNode()
        scene.AddNode(plan)
        plan.AddControlPoint(entry.tolist())
        plan.SetAndObserveTransformNodeID(transform.GetID())
        world = [0.0, 0.0, 0.0]
        plan.GetNthControlPointPositionWorld(0, world)
        return world

    return route


def by_csv_module(folder: Path, entry: FloatArray) -> ArrayLike:
    with (folder / "L3_ct_to_world.csv").open(newline="") as file:
        rows = [[float(cell) for cell in row] for row in csv.reader(file)]
    return [sum(a * b for a, b in zip(row, [*entry, 1.0], strict=True)) for row in rows[:3]]


def by_json_module(folder: Path, entry: FloatArray) -> ArrayLike:
    level = json.loads((folder / "ct_to_world.json").read_text(encoding="utf-8"))["levels"]["L3"]
    return (np.array(level["ct_to_world"]) @ [*entry, 1.0])[:3]


def by_pydicom(folder: Path, entry: FloatArray) -> ArrayLike:
    """As PS3.3 C.20.2.1.1 says: the item's matrix takes its frame's coordinates to the registered ones."""
    registration = pydicom.dcmread(folder / "L3_ct_to_world.dcm")
    (item,) = [
        i for i in registration.RegistrationSequence if i.FrameOfReferenceUID != registration.FrameOfReferenceUID
    ]
    numbers = item.MatrixRegistrationSequence[0].MatrixSequence[0].FrameOfReferenceTransformationMatrix
    matrix = np.array([float(number) for number in numbers]).reshape(4, 4)
    return (matrix @ [*(entry * FLIP), 1.0])[:3] * FLIP


def by_dicom3tools(folder: Path, entry: FloatArray) -> ArrayLike:
    """As dicom3tools prints it; all matrices multiplied, which is how SlicerRT reads a registration."""
    if shutil.which("dcdump") is None:
        pytest.skip("dcdump is not installed: apt install dicom3tools")
    path = str(folder / "L3_ct_to_world.dcm")
    printed = subprocess.run(["dcdump", path], capture_output=True, text=True, check=False).stderr
    matrices = re.findall(r"\(0x3006,0x00c6\) .*VR=<DS>.*<([^<>]+)>", printed)
    assert len(matrices) == 2
    product = np.eye(4)
    for text in matrices:
        product = product @ np.array(text.split("\\"), dtype=float).reshape(4, 4)
    return (product @ [*(entry * FLIP), 1.0])[:3] * FLIP


FILE_ROUTES = {
    **{f"SimpleITK {suffix}": by_simpleitk(suffix) for suffix in (".tfm", ".h5", ".txt")},
    **{f"Slicer's MRML {suffix}": by_slicer(suffix) for suffix in (".tfm", ".h5", ".txt")},
    "csv": by_csv_module,
    "json": by_json_module,
    "pydicom": by_pydicom,
    "dicom3tools": by_dicom3tools,
}


@pytest.mark.parametrize("route", FILE_ROUTES.values(), ids=FILE_ROUTES.keys())
def test_the_planned_screw_enters_at_the_same_point_of_the_world(
    route: Callable[[Path, FloatArray], ArrayLike], exported: Path, pose: RigidTransform, screw_entry: FloatArray
) -> None:
    expected = pose.rotation @ screw_entry + pose.translation
    np.testing.assert_allclose(route(exported, screw_entry), expected, atol=1e-8)
    assert np.linalg.norm(expected - screw_entry) > 20, "a pose that does nothing would not be noticed"


def test_the_screw_arrives_live_as_well(
    pyigtl: Any, result: RegistrationResult, pose: RigidTransform, screw_entry: FloatArray
) -> None:
    with Link("127.0.0.1", 0, listen=True) as link:
        link.publish(pose_messages(release(result, levels=["L3"]).poses[0], time.time()))
        client = pyigtl.OpenIGTLinkClient("127.0.0.1", link.port)
        end = time.monotonic() + 20
        while not link.delivered and time.monotonic() < end:
            link.tick(0.05)
        message = client.wait_for_message("L3CTToWorld", timeout=20)
        client.stop()
    assert message is not None
    entry_world = (np.array(message.matrix) @ [*screw_entry, 1.0])[:3]
    np.testing.assert_allclose(entry_world, pose.apply(screw_entry), atol=1e-4)


@pytest.mark.parametrize("suffix", [".tfm", ".h5", ".txt"])
def test_slicers_matrix_to_parent_is_ct_to_world(suffix: str, exported: Path, pose: RigidTransform) -> None:
    slicer = pytest.importorskip("slicer_core", reason="slicer-core is not installed")
    vtk = pytest.importorskip("vtkmodules.vtkCommonMath")
    node = slicer_transform_node(slicer, slicer.vtkMRMLScene(), exported / f"L3_ct_to_world{suffix}")
    matrix = vtk.vtkMatrix4x4()
    assert node.GetMatrixTransformToParent(matrix)
    read = np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])
    np.testing.assert_allclose(read, pose.matrix, atol=1e-9)


def test_two_levels_stay_apart_on_every_route(
    exported: Path, pose: RigidTransform, other_pose: RigidTransform, screw_entry: FloatArray
) -> None:
    for level, expected in (("L2", other_pose), ("L3", pose)):
        transform = SimpleITK.ReadTransform(str(exported / f"{level}_ct_to_world.tfm")).GetInverse()
        arrived = np.array(transform.TransformPoint((screw_entry * FLIP).tolist())) * FLIP
        np.testing.assert_allclose(arrived, expected.apply(screw_entry), atol=1e-8)
        np.testing.assert_array_equal(np.loadtxt(exported / f"{level}_ct_to_world.csv", delimiter=","), expected.matrix)


@pytest.mark.parametrize("suffix", [".tfm", ".h5", ".txt", ".csv", ".dcm"])
def test_the_sidecars_trial_point_arrives_where_it_says(suffix: str, exported: Path) -> None:
    path = exported / f"L3_ct_to_world{suffix}"
    about = " ".join(path.with_name(path.name + ".about.txt").read_text(encoding="utf-8").split())
    trial = about.split("Try it:")[1].split("Frames")[0]
    start, arrival = (np.array(point.split(","), dtype=float)[:3] for point in re.findall(r"\(([^()]+)\)", trial))
    if suffix == ".csv":
        arrived = (np.loadtxt(path, delimiter=",") @ [*start, 1.0])[:3]
    elif suffix == ".dcm":
        arrived = np.array(by_pydicom(exported, start * FLIP)) * FLIP
    else:
        arrived = np.array(SimpleITK.ReadTransform(str(path)).TransformPoint(start.tolist()))
    np.testing.assert_allclose(arrived, arrival, atol=6e-4)
