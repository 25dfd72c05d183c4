"""What Slicer's parameterNodeWrapper demands of a module, by the host's stand-in and by Slicer's own files alike."""

from __future__ import annotations

import pathlib
import types
from typing import Annotated, Any

import pytest
import slicer


@pytest.fixture
def wrapper(a_scene: Any) -> Any:
    """The package, as a module imports it."""
    return slicer.parameterNodeWrapper


@pytest.fixture
def node(a_scene: Any) -> Any:
    return a_scene.AddNewNodeByClass("vtkMRMLScriptedModuleNode")


def bound(widget: Any, name: str) -> Any:
    """A form with one widget that names a parameter."""
    widget.setProperty("SlicerParameterName", name)
    return types.SimpleNamespace(widget=widget)


def wrapped(wrapper: Any, node: Any, **members: Any) -> Any:
    """A parameter node with members as given: a type, or a type and a default."""
    hints = {name: given[0] if isinstance(given, tuple) else given for name, given in members.items()}
    defaults = {name: given[1] for name, given in members.items() if isinstance(given, tuple)}
    return wrapper.parameterNodeWrapper(type("Parameters", (), {"__annotations__": hints, **defaults}))(node)


def test_values_are_typed_have_defaults_and_are_kept_in_the_node(wrapper: Any, node: Any) -> None:
    members = {"volume": slicer.vtkMRMLScalarVolumeNode, "name": (str, "auto"), "segments": dict[str, str]}
    parameters = wrapped(wrapper, node, **members)
    assert (parameters.volume, parameters.name, parameters.segments) == (None, "auto", {})
    parameters.segments = {"L3": "Segment_1"}
    assert wrapped(wrapper, node, **members).segments == {"L3": "Segment_1"}


@pytest.mark.parametrize("value", [None, 7])
def test_a_value_of_another_type_is_refused(wrapper: Any, node: Any, value: Any) -> None:
    parameters = wrapped(wrapper, node, name=str)
    with pytest.raises((TypeError, ValueError), match="Value must"):
        parameters.name = value
    assert parameters.name == ""


def test_a_node_of_another_class_is_refused(wrapper: Any, node: Any, a_scene: Any) -> None:
    parameters = wrapped(wrapper, node, volume=slicer.vtkMRMLScalarVolumeNode)
    with pytest.raises(TypeError, match="Value must be of type"):
        parameters.volume = a_scene.AddNewNodeByClass("vtkMRMLModelNode")


def test_a_type_that_cannot_be_kept_is_refused(wrapper: Any, node: Any) -> None:
    with pytest.raises(Exception, match="Unable to create serializer"):
        wrapped(wrapper, node, anything=types.SimpleNamespace)


def test_the_wrappers_own_names_are_reserved(wrapper: Any, node: Any) -> None:
    with pytest.raises(ValueError, match="reserved name"):
        wrapped(wrapper, node, default=(str, ""))


def test_a_default_outside_its_own_bounds_is_refused(wrapper: Any, node: Any) -> None:
    with pytest.raises(ValueError, match="within range"):
        wrapped(wrapper, node, port=(Annotated[int, wrapper.WithinRange(1, 9)], 0))


def test_a_mapping_that_is_read_is_no_dict_and_writes_itself_back(wrapper: Any, node: Any) -> None:
    parameters = wrapped(wrapper, node, segments=dict[str, str])
    read = parameters.segments
    read["L3"] = "Segment_1"
    assert wrapped(wrapper, node, segments=dict[str, str]).segments == {"L3": "Segment_1"}
    assert not isinstance(read, dict)
    with pytest.raises(TypeError):
        read.get("L4", "")


def test_the_form_follows_the_node_and_the_node_the_form_until_they_are_parted(wrapper: Any, node: Any) -> None:
    import qt

    parameters = wrapped(wrapper, node, device=(Annotated[str, wrapper.Choice(["auto", "cpu"])], "auto"))
    box = qt.QComboBox()
    tag = parameters.connectGui(bound(box, "device"))
    box.setCurrentText("cpu")
    assert parameters.device == "cpu"
    parameters.device = "auto"
    assert box.currentText == "auto"
    parameters.disconnectGui(tag)
    box.setCurrentText("cpu")
    assert parameters.device == "auto"


def test_a_combo_box_needs_a_choice_and_offers_what_it_says(wrapper: Any, node: Any) -> None:
    import qt

    box = qt.QComboBox()
    box.addItems(["of", "the", "form"])
    with pytest.raises(RuntimeError, match="Choice annotation"):
        wrapped(wrapper, node, device=(str, "form")).connectGui(bound(box, "device"))
    parameters = wrapped(wrapper, node, mode=(Annotated[str, wrapper.Choice(["a", "b"])], "b"))
    parameters.connectGui(bound(box, "mode"))
    assert ([box.itemText(row) for row in range(box.count)], box.currentText) == (["a", "b"], "b")


def test_what_is_not_among_the_choices_is_not_written_and_not_shown(wrapper: Any, node: Any) -> None:
    """Another version of the module may have written it; it is read as it is, and the form cannot be bound."""
    import qt

    members = {"mode": (Annotated[str, wrapper.Choice(["a", "b"])], "a")}
    parameters = wrapped(wrapper, node, **members)
    with pytest.raises(ValueError, match="must be in one of"):
        parameters.mode = "c"
    node.SetParameter("mode", "c")
    assert parameters.mode == "c"
    with pytest.raises(ValueError, match="Unable to find value c"):
        wrapped(wrapper, node, **members).connectGui(bound(qt.QComboBox(), "mode"))


def test_a_spin_box_has_its_parameters_range_and_without_one_none(wrapper: Any, node: Any) -> None:
    import qt

    box = qt.QSpinBox()
    box.setRange(1, 99)
    parameters = wrapped(wrapper, node, minutes=(int, 20), port=(Annotated[int, wrapper.WithinRange(1, 65535)], 80))
    parameters.connectGui(bound(box, "minutes"))
    assert (box.minimum, box.maximum, box.value) == (-(2**31), 2**31 - 1, 20)
    box.setValue(7)
    assert parameters.minutes == 7
    other = qt.QSpinBox()
    parameters.connectGui(bound(other, "port"))
    assert (other.minimum, other.maximum) == (1, 65535)
    with pytest.raises(ValueError, match="within range"):
        parameters.port = 70000
    with pytest.raises(TypeError, match="Value must be of type"):
        parameters.minutes = 1.5


def test_a_selector_offers_the_parameters_class_whatever_the_form_says(wrapper: Any, node: Any, a_scene: Any) -> None:
    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes = ["vtkMRMLModelNode"]
    selector.noneEnabled = True
    selector.setMRMLScene(a_scene)
    parameters = wrapped(wrapper, node, volume=slicer.vtkMRMLScalarVolumeNode)
    parameters.connectGui(bound(selector, "volume"))
    assert list(selector.nodeTypes) == ["vtkMRMLScalarVolumeNode"]
    parameters.volume = volume = a_scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    assert selector.currentNode() is volume
    selector.setCurrentNode(None)
    assert parameters.volume is None


def test_a_cleared_path_is_not_told_of_and_an_empty_one_is_shown_as_a_dot(wrapper: Any, node: Any) -> None:
    import ctk

    edit = ctk.ctkPathLineEdit()
    parameters = wrapped(wrapper, node, file=pathlib.Path)
    parameters.connectGui(bound(edit, "file"))
    assert edit.currentPath == "."
    edit.currentPath = "/a"
    edit.currentPath = ""
    assert parameters.file == pathlib.Path("/a")


def test_widgets_that_do_not_fit_are_refused(wrapper: Any, node: Any) -> None:
    import qt

    parameters = wrapped(wrapper, node, volume=slicer.vtkMRMLScalarVolumeNode)
    with pytest.raises(RuntimeError, match="Unable to create GUI connector"):
        parameters.connectGui(bound(qt.QLabel(), "volume"))
    with pytest.raises(ValueError, match="Cannot find a param"):
        parameters.connectGui(bound(qt.QLineEdit(), "name"))


def test_whoever_listens_to_the_node_finds_the_new_value(wrapper: Any, node: Any) -> None:
    parameters, told = wrapped(wrapper, node, name=(str, "a")), []
    parameters.AddObserver("ModifiedEvent", lambda *_: told.append(parameters.name))
    parameters.name = "b"
    assert told == ["b"]
