"""An X-ray volume stands where its detector stood, and a click on it marks a pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import slicer
from scene_parts import AP, POSE, add_bent_transform, add_transform, pixels

from radgs.errors import GeometryError, InputFileError


@pytest.fixture
def an_xray(a_logic: Any) -> Any:
    from RadGSRegLib.scene.xray_nodes import add_xray

    return add_xray("AP", pixels(0), AP, "attenuation", "simulated")


def test_the_geometry_comes_back_from_the_nodes(an_xray: Any) -> None:
    from RadGSRegLib.scene.xray_nodes import geometry_of, pixels_of

    geometry = geometry_of(an_xray)
    np.testing.assert_array_equal(pixels_of(an_xray), pixels(0))
    np.testing.assert_allclose(geometry.source_ras, AP.source_ras, atol=1e-9)
    corners = [[0, 0], [127, 0], [0, 95], [12.5, 70.25]]
    np.testing.assert_allclose(geometry.pixel_to_ras(corners), AP.pixel_to_ras(corners), atol=1e-6)
    assert geometry.shape == AP.shape


def test_the_window_shows_the_middle_of_the_film_whatever_its_edges_hold(a_logic: Any) -> None:
    from RadGSRegLib.scene.xray_nodes import add_xray

    film = np.full((96, 128), 50.0, dtype=np.float32)
    film[24:72, 32:96] = np.linspace(2.0, 4.0, 48 * 64).reshape(48, 64)
    display = add_xray("AP", film, AP, "attenuation").GetDisplayNode()
    assert display.GetWindowLevelMin() == pytest.approx(2.0, abs=0.05)
    assert display.GetWindowLevelMax() == pytest.approx(4.0, abs=0.05)


def test_linear_parents_carry_the_xray_and_its_source_along(an_xray: Any) -> None:
    from RadGSRegLib.scene.xray_nodes import geometry_of

    outer, inner = add_transform(POSE, "Outer"), add_transform(POSE, "Inner")
    inner.SetAndObserveTransformNodeID(outer.GetID())
    an_xray.SetAndObserveTransformNodeID(inner.GetID())
    an_xray.GetNodeReference("RadGSReg.source").SetAndObserveTransformNodeID(inner.GetID())
    geometry, moved = geometry_of(an_xray), POSE @ POSE
    np.testing.assert_allclose(geometry.source_ras, moved.apply(AP.source_ras), atol=1e-6)
    np.testing.assert_allclose(geometry.pixel_to_ras([3, 7]), moved.apply(AP.pixel_to_ras([3, 7])), atol=1e-6)


def test_a_bent_parent_is_refused_with_a_sentence(an_xray: Any) -> None:
    from RadGSRegLib.scene.xray_nodes import geometry_of

    an_xray.SetAndObserveTransformNodeID(add_bent_transform().GetID())
    with pytest.raises(GeometryError, match=r"AP stands under Bent, which is not a linear transform\. Harden"):
        geometry_of(an_xray)


def test_an_xray_without_source_or_with_a_source_of_two_points_is_refused(an_xray: Any) -> None:
    from RadGSRegLib.scene.xray_nodes import geometry_of

    an_xray.GetNodeReference("RadGSReg.source").AddControlPoint(0, 0, 0)
    with pytest.raises(GeometryError, match="has 2 points instead of one"):
        geometry_of(an_xray)
    slicer.mrmlScene.RemoveNode(an_xray.GetNodeReference("RadGSReg.source"))
    with pytest.raises(GeometryError, match="The X-ray AP has no source"):
        geometry_of(an_xray)


def test_a_stack_of_images_is_no_xray(a_logic: Any) -> None:
    from RadGSRegLib.scene.xray_nodes import pixels_of

    volume = slicer.util.addVolumeFromArray(np.zeros((2, 20, 20), np.float32), name="Run")
    with pytest.raises(InputFileError, match="Run holds 2 images"):
        pixels_of(volume)
    with pytest.raises(InputFileError, match="Empty holds no image"):
        pixels_of(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Empty"))


def test_setting_a_source_again_replaces_it(a_logic: Any, an_xray: Any) -> None:
    count = slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLMarkupsFiducialNode")
    source = a_logic.setSource(an_xray, [1.0, 2.0, 3.0])
    assert an_xray.GetNodeReference("RadGSReg.source") is source
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLMarkupsFiducialNode") == count


def test_a_click_stands_on_the_detector_where_its_ray_ends(a_logic: Any, an_xray: Any) -> None:
    from RadGSRegLib.scene.xray_nodes import click_pixel

    pixel = (40.25, 61.5)
    on_detector = AP.pixel_to_ras(pixel)
    halfway = (on_detector + AP.source_ras) / 2
    click = a_logic.setClick("L3", an_xray, halfway)
    node = a_logic.getParameterNode().parameterNode
    position = [0.0, 0.0, 0.0]
    click.GetNthControlPointPositionWorld(0, position)
    np.testing.assert_allclose(position, on_detector, atol=1e-6)
    assert node.GetNodeReference("RadGSReg.click.L3.AP") is click
    np.testing.assert_allclose(click_pixel(node, "L3", an_xray), pixel, atol=1e-6)

    click.SetNthControlPointPositionWorld(0, *halfway)  # dragged off the detector, along its ray
    np.testing.assert_allclose(click_pixel(node, "L3", an_xray), pixel, atol=1e-6)


def test_clicks_of_levels_and_views_are_kept_apart_whatever_they_are_called(a_logic: Any) -> None:
    from RadGSRegLib.scene.xray_nodes import add_xray, click_pixel, set_click_pixel

    node = a_logic.getParameterNode().parameterNode
    names = ["AP", "X-ray 1", "ÄP; von:links", "a.b"]
    xrays = [add_xray(name, pixels(n), AP) for n, name in enumerate(names)]
    for n, xray in enumerate(xrays):
        for m, level in enumerate(("L3", "T10")):
            set_click_pixel(node, level, xray, (n + 10, m + 20))
    for n, xray in enumerate(xrays):
        for m, level in enumerate(("L3", "T10")):
            np.testing.assert_allclose(click_pixel(node, level, xray), (n + 10, m + 20), atol=1e-6)
    assert click_pixel(node, "L4", xrays[0]) is None


def test_clicking_again_moves_the_click(a_logic: Any, an_xray: Any) -> None:
    count = slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLMarkupsFiducialNode")
    for column in (10.0, 20.0):
        a_logic.setClick("L3", an_xray, AP.pixel_to_ras([column, 5.0]))
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLMarkupsFiducialNode") == count + 1


def test_a_click_behind_the_source_is_refused(a_logic: Any, an_xray: Any) -> None:
    with pytest.raises(GeometryError, match="behind the source"):
        a_logic.setClick("L3", an_xray, 2 * AP.source_ras - AP.centre_ras)
