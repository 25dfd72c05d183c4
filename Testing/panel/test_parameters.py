"""The form's combo and spin boxes as Slicer binds them, and values in a scene that no widget can show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


def test_the_boxes_have_the_choices_and_ranges_of_their_parameters(a_panel: Any) -> None:
    ui = a_panel.ui
    box = ui.deviceComboBox
    assert [box.itemText(row) for row in range(box.count)] == ["auto", "cpu", "cuda"]
    assert (ui.minutesSpinBox.minimum, ui.minutesSpinBox.maximum, ui.minutesSpinBox.value) == (1, 600, 20)
    assert (ui.streamPortSpinBox.minimum, ui.streamPortSpinBox.maximum) == (1, 65535)


@pytest.mark.parametrize(("name", "value"), [("device", "tpu"), ("preparationMinutes", "-5"), ("streamPort", "70000")])
def test_a_scene_of_another_version_opens_with_defaults_for_what_is_not_known(
    a_panel: Any, a_scene: Any, tmp_path: Path, name: str, value: str
) -> None:
    default = getattr(a_panel.logic.getParameterNode(), name)
    a_panel.logic.getParameterNode().parameterNode.SetParameter("streamHost", "10.0.0.7")
    a_panel.exit()
    a_panel.logic.getParameterNode().parameterNode.SetParameter(name, value)
    assert a_scene.WriteToMRB(str(tmp_path / "scene.mrb"))
    a_scene.Clear(0)
    a_panel.enter()
    a_scene.ReadFromMRB(str(tmp_path / "scene.mrb"))
    assert getattr(a_panel.logic.getParameterNode(), name) == default
    assert a_panel.ui.streamHostEdit.text == "10.0.0.7"
