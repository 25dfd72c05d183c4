"""The contour in the slice views lies on the vertebra, and a screw's tip on its point, whatever the case is like."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
import vtk
from seen import ends_of_line, marked
from slicer_fixtures import in_full_slicer

from radgs.case import LevelResult, RegistrationCase
from radgs.colours import RESULT
from radgs.geometry import FloatArray, RigidTransform
from radgs.overlay import Contours

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(in_full_slicer(), reason="the application draws its own views"),
]

VIEW = (400, 400)
#: How far a screw's ends lie from the middle of L3, mm, the CT's RAS.
SCREW = np.array([[-16.0, -22.0, 5.0], [-8.0, 8.0, -2.0]])


@pytest.fixture(scope="module")
def demo(the_module: Any) -> RegistrationCase:
    logic = the_module.RadGSRegLogic()
    case = RegistrationCase.load(logic.demoCase())
    logic.cleanup()
    return case


@pytest.fixture(scope="module")
def surface(demo: RegistrationCase) -> FloatArray:
    """(N, 3) L3's surface, the CT's RAS, of the label map as it is on disk."""
    return Contours.of(demo.labels, demo.level("L3").label, None).vertebra.vertices


def leave_as_it_is(panel: Any, folder: Path) -> None:
    """The demo case."""


def put_under_a_parent(panel: Any, folder: Path) -> None:
    """CT, segmentation and screw were brought to the X-rays by hand, roughly."""
    from RadGSRegLib.scene.placement import add_transform

    parent = add_transform("By hand", RigidTransform.from_rotation_vector([0.1, -0.2, 0.15], [40.0, -30.0, 25.0]))
    parameters = panel.logic.getParameterNode()
    for node in (parameters.ct, parameters.segmentation, slicer.util.getNode("screw")):
        node.SetAndObserveTransformNodeID(parent.GetID())


def make_anisotropic(panel: Any, folder: Path) -> None:
    """Slices three times as far apart: 4.5 mm, as far as the program takes them."""
    ct = panel.logic.getParameterNode().ct
    array, to_ras = slicer.util.arrayFromVolume(ct), matrix_of(ct)
    slicer.util.updateVolumeFromArray(ct, array[::3].copy())
    to_ras[:3, 2] *= 3
    ct.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(to_ras))


def cut(panel: Any, folder: Path) -> None:
    """The CT shows a cube of 160 mm around the vertebra."""
    ct = panel.logic.getParameterNode().ct
    array, to_ras = slicer.util.arrayFromVolume(ct), matrix_of(ct)
    middle = np.linalg.inv(to_ras) @ [*middle_of_screw(), 1.0]
    spacing = np.linalg.norm(to_ras[:3, :3], axis=0)
    low = np.maximum(np.round(middle[:3] - 80.0 / spacing), 0).astype(int)
    high = np.minimum(np.round(middle[:3] + 80.0 / spacing), array.shape[::-1]).astype(int)
    slicer.util.updateVolumeFromArray(ct, array[low[2] : high[2], low[1] : high[1], low[0] : high[0]].copy())
    to_ras[:3, 3] += to_ras[:3, :3] @ low
    ct.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(to_ras))


def reload(panel: Any, folder: Path) -> None:
    """The scene was saved with a drawn result, and comes back."""
    slicer.mrmlScene.WriteToMRB(str(folder / "scene.mrb"))
    slicer.mrmlScene.Clear(0)
    slicer.mrmlScene.ReadFromMRB(str(folder / "scene.mrb"))
    slicer.app.processEvents()


def matrix_of(volume: Any) -> FloatArray:
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def middle_of_screw() -> FloatArray:
    line = slicer.util.getNode("screw")
    ends = np.zeros((2, 3))
    for number in range(2):
        line.GetNthControlPointPosition(number, ends[number])
    return ends.mean(axis=0)


def to_world(node: Any, points: FloatArray) -> FloatArray:
    """Points of a node's own in the world, as MRML's transforms have them."""
    transform = vtk.vtkGeneralTransform()
    parent = node.GetParentTransformNode()
    if parent is not None:
        parent.GetTransformToWorld(transform)
    return np.array([transform.TransformPoint(*point) for point in points])


def draw(panel: Any, user: Any, host: Any) -> None:
    slicer.app.processEvents()
    if panel.ui.drawButton.enabled:
        user.press(panel.ui.drawButton)
    host.wait_until(lambda: not panel.logic.drawing and not panel.logic.worker.busy, 600)
    slicer.app.processEvents()
    assert panel.ui.resultRadioButton.enabled, panel.ui.visualQaLabel.text


@pytest.mark.parametrize("is_like", [leave_as_it_is, put_under_a_parent, make_anisotropic, cut, reload])
def test_what_is_seen_on_the_films_is_where_the_nodes_are(
    is_like: Callable[[Any, Path], None],
    the_panel: Any,
    user: Any,
    host: Any,
    a_scene: Any,
    demo: RegistrationCase,
    surface: FloatArray,
    tmp_path: Path,
) -> None:
    from exported_scene import bring_in
    from slicerhost.views import OffscreenSliceView

    host.wait_until(lambda: not the_panel.logic.worker.busy, 120)
    user.press(the_panel.ui.demoButton)
    line = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsLineNode", "screw")
    for end in surface.mean(axis=0) + SCREW:
        line.AddControlPoint(vtk.vtkVector3d(*end))
    if is_like is not reload:
        is_like(the_panel, tmp_path)
    user.press(the_panel.ui.confirmLevelsCheckBox)
    pose = demo.truth["L3"]
    stages = {"start": pose, "refined": pose}
    bring_in(tmp_path / "result", the_panel.logic.inputs(), {"L3": LevelResult(pose, "accept", stages=stages)})
    draw(the_panel, user, host)
    if is_like is reload:
        is_like(the_panel, tmp_path)
        draw(the_panel, user, host)
    the_panel.ui.blendSlider.value = 0
    for fiducial in slicer.util.getNodesByClass("vtkMRMLMarkupsFiducialNode"):
        fiducial.GetDisplayNode().SetVisibility(False)  # the clicks lie on the screw
    ct = the_panel.logic.getParameterNode().ct
    vertebra, screw = to_world(ct, surface), to_world(ct, surface.mean(axis=0) + SCREW)
    np.testing.assert_allclose(vertebra, pose.apply(surface), atol=1e-6)  # the CT stands where the result says
    for node in the_panel.logic.inputs().xrays:  # bone is as white as a screw
        node.GetDisplayNode().AutoWindowLevelOff()
        node.GetDisplayNode().SetWindowLevelMinMax(1e8, 2e8)
    for tag, xray in zip(("Red", "Yellow"), demo.views, strict=True):
        film = xray.geometry
        expected = film.project(vertebra)
        low, high = expected.min(axis=0), expected.max(axis=0)
        view = OffscreenSliceView(tag, VIEW)
        across = 1.1 * float((high - low).max()) * max(film.pixel_spacing)
        view.look_at(film.pixel_to_ras((low + high) / 2), across)
        ends = film.project(screw)
        assert np.abs(ends_of_line(view, film, ends) - ends).max() < 0.5, tag
        seen = marked(view, film, RESULT)
        assert len(seen) > 300, tag
        np.testing.assert_allclose(seen.min(axis=0), low, atol=0.5, err_msg=tag)
        np.testing.assert_allclose(seen.max(axis=0), high, atol=0.5, err_msg=tag)
