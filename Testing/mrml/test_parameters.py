"""The module's parameters over a node that another version, or another program, has written."""

from __future__ import annotations

from typing import Any

import pytest


def parameters_of(node: Any) -> Any:
    from RadGSRegLib import parameters  # once there is a Slicer to import from

    return parameters.parameters_of(node)


@pytest.fixture
def node(a_scene: Any) -> Any:
    return a_scene.AddNewNodeByClass("vtkMRMLScriptedModuleNode")


@pytest.mark.parametrize(
    ("name", "text", "kept"),
    [
        ("device", "cpu", "cpu"),
        ("device", "tpu", "auto"),
        ("preparationMinutes", "45", 45),
        ("preparationMinutes", "0", 20),
        ("preparationMinutes", "7.5", 20),
        ("preparationMinutes", "", 20),
        ("streamPort", "70000", 18944),
        ("streamPort", "-1", 18944),
        ("streamPort", "\u0663", 18944),  # a digit, but not ours
    ],
)
def test_a_value_that_no_widget_could_show_gives_way_to_the_default(node: Any, name: str, text: str, kept: Any) -> None:
    node.SetParameter(name, text)
    assert getattr(parameters_of(node), name) == kept
    assert node.GetParameter(name) == str(kept)


def test_whoever_listens_finds_what_another_has_written(node: Any, a_scene: Any) -> None:
    parameters, told = parameters_of(node), []
    parameters.AddObserver("ModifiedEvent", lambda *_: told.append((parameters.ct, parameters.device)))
    another = parameters_of(node)
    another.ct = ct = a_scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    another.device = "cpu"
    assert told[0] == (ct, "auto")
    assert told[-1] == (ct, "cpu")


def test_a_script_cannot_set_what_the_panel_could_not_show(node: Any) -> None:
    parameters = parameters_of(node)
    for name, value in (("device", "tpu"), ("preparationMinutes", 0), ("streamPort", 70000)):
        with pytest.raises(ValueError, match="Value"):
            setattr(parameters, name, value)
