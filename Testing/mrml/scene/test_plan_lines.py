"""A planned screw lies on both films where its points in the CT project, and moves with the pose."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import slicer
import vtk
from scene_parts import AP, LAT, POSE, add_transform

from radgs.geometry import FloatArray, RigidTransform

SCREW = np.array([[-12.0, -10.0, 6.0], [5.0, 14.0, -3.0]])


@pytest.fixture
def a_ct(a_scene: Any) -> Any:
    """A CT of 60 mm about its origin."""
    return slicer.util.addVolumeFromArray(
        np.zeros((30, 30, 30), np.int16),
        ijkToRAS=np.array(((2.0, 0, 0, -29), (0, 2, 0, -29), (0, 0, 2, -29), (0, 0, 0, 1))),
    )


@pytest.fixture
def the_xrays(a_scene: Any) -> list[Any]:
    from RadGSRegLib.scene.xray_nodes import add_xray

    return [
        add_xray(name, np.ones(geometry.shape, np.float32), geometry, "attenuation")
        for name, geometry in (("AP", AP), ("LAT", LAT))
    ]


def a_line(ends: FloatArray, name: str = "screw") -> Any:
    line = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsLineNode", name)
    for end in ends:
        line.AddControlPoint(vtk.vtkVector3d(*end))
    return line


def world_ends(line: Any) -> FloatArray:
    ends = np.zeros((2, 3))
    for number in range(2):
        line.GetNthControlPointPositionWorld(number, ends[number])
    return ends


def test_the_tip_lands_where_its_ct_point_projects(a_ct: Any, the_xrays: list[Any]) -> None:
    from RadGSRegLib.scene.plan_lines import show_on_films

    a_line(SCREW)
    lines = show_on_films(a_ct, the_xrays, POSE)
    assert [line.GetName() for line in lines] == ["screw on AP", "screw on LAT"]
    for line, geometry in zip(lines, (AP, LAT), strict=True):
        np.testing.assert_allclose(geometry.project(world_ends(line)), geometry.project(POSE.apply(SCREW)), atol=1e-6)
        on_film = (world_ends(line) - geometry.detector_to_ras[:3, 3]) @ geometry.normal
        np.testing.assert_allclose(on_film, 0.0, atol=1e-6)


def test_it_moves_with_the_pose_and_goes_with_the_plan(a_ct: Any, the_xrays: list[Any], a_scene: Any) -> None:
    from RadGSRegLib.scene.plan_lines import show_on_films

    screw = a_line(SCREW)
    first = show_on_films(a_ct, the_xrays, POSE)
    moved = RigidTransform(POSE.rotation, POSE.translation + [3.0, -2.0, 5.0])
    second = show_on_films(a_ct, the_xrays, moved)
    assert [line.GetID() for line in first] == [line.GetID() for line in second]
    np.testing.assert_allclose(AP.project(world_ends(second[0])), AP.project(moved.apply(SCREW)), atol=1e-6)
    a_scene.RemoveNode(screw)
    assert show_on_films(a_ct, the_xrays, moved) == []
    assert len(slicer.util.getNodesByClass("vtkMRMLMarkupsLineNode")) == 0


def test_a_registered_ct_takes_its_plan_along_whether_or_not_the_line_was_put_under_it(
    a_ct: Any, the_xrays: list[Any]
) -> None:
    from RadGSRegLib.scene.levels import activate, put_level
    from RadGSRegLib.scene.plan_lines import planned_lines, show_on_films

    screw = a_line(SCREW)
    transform = put_level(a_ct, "L3", POSE)
    activate(transform, a_ct)
    expected = AP.project(POSE.apply(SCREW))
    for parent in (None, transform.GetID()):
        screw.SetAndObserveTransformNodeID(parent)
        assert planned_lines(a_ct) == [screw]
        line = show_on_films(a_ct, the_xrays, POSE)[0]
        np.testing.assert_allclose(AP.project(world_ends(line)), expected, atol=1e-6)


def test_lines_elsewhere_are_no_plans(a_ct: Any, the_xrays: list[Any]) -> None:
    from RadGSRegLib.scene.plan_lines import planned_lines, show_on_films

    a_line(AP.pixel_to_ras([[10.0, 10.0], [60.0, 40.0]]), "ruler on the film")
    elsewhere = a_line(SCREW, "under another transform")
    elsewhere.SetAndObserveTransformNodeID(add_transform(POSE).GetID())
    assert planned_lines(a_ct) == []
    screw = a_line(SCREW)
    show_on_films(a_ct, the_xrays, POSE)
    assert planned_lines(a_ct) == [screw]  # what lies on the films is none itself
