"""A click per level and X-ray: placed from a button, shown in words, its ray compared with the other's."""

from __future__ import annotations

from typing import Any

import pytest
import slicer
from placing import click_in_the_view, interaction, place_button, to_do


@pytest.fixture
def a_filled_panel(a_panel: Any, user: Any) -> Any:
    user.press(a_panel.ui.demoButton)
    return a_panel


def test_the_demo_cases_clicks_are_shown_with_their_gap(a_filled_panel: Any) -> None:
    table = a_filled_panel.ui.clicksTable
    assert [table.horizontalHeaderItem(column).text() for column in range(4)] == ["Level", "AP", "LAT", "Gap"]
    assert [place_button(a_filled_panel, 0, column).text for column in (1, 2)] == ["✓ Placed", "✓ Placed"]
    assert table.item(0, 3).text().endswith(" mm")


def test_a_click_is_placed_anew_in_the_xrays_own_plane(a_filled_panel: Any, user: Any) -> None:
    import numpy as np

    from RadGSRegLib.scene.xray_nodes import click_pixel, geometry_of

    xray = a_filled_panel.logic.getParameterNode().xray1
    node = a_filled_panel.logic.getParameterNode().parameterNode
    user.press(place_button(a_filled_panel, 0, 1))
    assert interaction().GetCurrentInteractionMode() == interaction().Place
    assert place_button(a_filled_panel, 0, 1).text == "Click in the X-ray..."
    view = slicer.mrmlScene.GetSingletonNode("Red", "vtkMRMLSliceNode")
    on_film = geometry_of(xray).pixel_to_ras([120.0, 90.0])
    slice_to_ras = slicer.util.arrayFromVTKMatrix(view.GetSliceToRAS())
    assert abs((on_film - slice_to_ras[:3, 3]) @ slice_to_ras[:3, 2]) < 1e-3  # the view lies in the film
    click_in_the_view(on_film)
    np.testing.assert_allclose(click_pixel(node, "L3", xray), [120.0, 90.0], atol=1e-6)
    assert place_button(a_filled_panel, 0, 1).text == "✓ Placed"
    assert not place_button(a_filled_panel, 0, 1).checked
    fiducials = slicer.util.getNodesByClass("vtkMRMLMarkupsFiducialNode")
    assert len(fiducials) == 4  # two sources, two clicks, and nothing left over from placing
    gap = a_filled_panel.ui.clicksTable.item(0, 3)
    assert "Too far" in gap.toolTip()


def test_giving_up_keeps_the_former_click(a_filled_panel: Any, user: Any) -> None:
    logic = a_filled_panel.logic
    xray = logic.getParameterNode().xray2
    former = logic.click("L3", xray)
    user.press(place_button(a_filled_panel, 0, 2))
    user.press(place_button(a_filled_panel, 0, 2))
    assert interaction().GetCurrentInteractionMode() != interaction().Place
    assert logic.click("L3", xray) is former
    user.press(place_button(a_filled_panel, 0, 2))
    interaction().SwitchToViewTransformMode()  # as the right mouse button does in a view
    slicer.app.processEvents()
    assert place_button(a_filled_panel, 0, 2).text == "✓ Placed"


def test_leaving_the_module_or_the_scene_ends_placing(a_filled_panel: Any, user: Any, a_scene: Any) -> None:
    user.press(place_button(a_filled_panel, 0, 1))
    a_filled_panel.exit()
    assert interaction().GetCurrentInteractionMode() != interaction().Place
    a_filled_panel.enter()
    user.press(place_button(a_filled_panel, 0, 1))
    a_scene.Clear(0)
    assert interaction().GetCurrentInteractionMode() != interaction().Place


def test_a_deleted_click_is_missing_again(a_filled_panel: Any, user: Any, a_scene: Any) -> None:
    user.press(a_filled_panel.ui.confirmLevelsCheckBox)
    logic = a_filled_panel.logic
    a_scene.RemoveNode(logic.click("L3", logic.getParameterNode().xray2))
    slicer.app.processEvents()
    assert to_do(a_filled_panel) == "Click L3 in LAT"
    assert place_button(a_filled_panel, 0, 2).text == "Place"
