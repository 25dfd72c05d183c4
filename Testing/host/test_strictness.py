"""The host lets nothing pass that the real application would stumble over or ignore in silence."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest
import slicer
from slicerhost import slicer_source

FORM = """<ui version="4.0"><class>Form</class><widget class="qMRMLWidget" name="Form">
<layout class="QVBoxLayout" name="v">
<item><widget class="{cls}" name="child"><property name="{prop}"><string>x</string></property></widget></item>
</layout></widget><connections>{connections}</connections></ui>"""
CONNECTION = """<connection><sender>Form</sender><signal>{signal}</signal><receiver>{receiver}</receiver>
<slot>setMRMLScene(vtkMRMLScene*)</slot></connection>"""


def load_form(
    tmp_path: Path, cls: str = "QLabel", prop: str = "text", signal: str = "", receiver: str = "child"
) -> Any:
    path = tmp_path / "form.ui"
    connections = CONNECTION.format(signal=signal, receiver=receiver) if signal else ""
    path.write_text(FORM.format(cls=cls, prop=prop, connections=connections), encoding="utf-8")
    return slicer.util.loadUI(str(path))


def test_a_form_becomes_widgets_that_read_like_attributes(a_scene: Any, tmp_path: Path) -> None:
    ui = slicer.util.childWidgetVariables(load_form(tmp_path))
    assert ui.child.text == "x"
    ui.child.text = "y"
    assert ui.child.text == "y"


def test_a_form_with_an_unknown_class_is_refused(a_scene: Any, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="no widget class ctkMadeUp"):
        load_form(tmp_path, cls="ctkMadeUp")


def test_a_form_with_an_unknown_property_is_refused(a_scene: Any, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="QLabel has no property txet"):
        load_form(tmp_path, prop="txet")


def test_a_form_with_an_unknown_signal_or_object_is_refused(a_scene: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no signal 'sceneChanged"):
        load_form(tmp_path, "qMRMLNodeComboBox", "noneDisplay", signal="sceneChanged(vtkMRMLScene*)")
    with pytest.raises(Exception, match="no object elsewhere"):
        load_form(tmp_path, signal="mrmlSceneChanged(vtkMRMLScene*)", receiver="elsewhere")


def test_an_unknown_attribute_is_refused(a_scene: Any) -> None:
    import qt

    button = qt.QPushButton()
    with pytest.raises(AttributeError, match="no attribute 'txet'"):
        button.txet = "x"
    with pytest.raises(AttributeError):
        button.txet  # noqa: B018


def test_a_subclass_in_python_may_have_attributes_of_its_own(a_scene: Any) -> None:
    import qt

    class Mine(qt.QObject):
        pass

    mine = Mine()
    mine.note = "kept"
    assert mine.note == "kept"


@pytest.mark.parametrize("signature", ["clickd()", "clicked", "clicked(int)", "finished(int)"])
def test_an_unknown_signal_is_refused(a_scene: Any, signature: str) -> None:
    import qt

    with pytest.raises(ValueError, match="no signal"):
        qt.QPushButton().connect(signature, lambda: None)


def test_a_slot_gets_as_many_arguments_as_it_takes(a_scene: Any) -> None:
    import qt

    button, told = qt.QPushButton(), []
    button.checkable = True
    button.connect("toggled(bool)", lambda checked: told.append(checked))
    button.connect("toggled(bool)", lambda: told.append("none"))
    button.checked = True
    assert told == [True, "none"]


def test_what_is_no_function_gets_every_argument(host: Any, a_scene: Any) -> None:
    import qt

    button, told = qt.QPushButton(), []
    button.checkable = True
    button.connect("toggled(bool)", told.append)
    button.connect("toggled(bool)", functools.partial(lambda *given: told.append(given), "first"))
    button.connect("toggled(bool)", functools.partial(lambda first: None, "first"))
    button.checked = True
    assert told == [True, ("first", True)]
    assert "takes 1 positional argument but 2 were given" in "".join(host.failures.take())


def test_a_file_dialog_returns_a_path(a_scene: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import qt

    timer = qt.QTimer()
    timer.setInterval(0)
    timer.connect("timeout()", lambda: [one.close() for one in qt.QApplication.topLevelWidgets() if one.isModal()])
    timer.start()
    options = qt.QFileDialog.DontUseNativeDialog
    assert qt.QFileDialog.getOpenFileName(None, "Open", "", "", "", options) == ""
    timer.stop()


def test_a_slot_can_be_disconnected_once(a_scene: Any) -> None:
    import qt

    button, told = qt.QPushButton(), []

    def slot() -> None:
        told.append(1)

    button.connect("clicked(bool)", slot)
    button.disconnect("clicked(bool)", slot)
    button.click()
    assert told == []
    with pytest.raises(ValueError, match="not connected"):
        button.disconnect("clicked(bool)", slot)


def test_an_exception_in_a_slot_or_an_observer_is_a_failure(host: Any, a_scene: Any) -> None:
    import qt

    def fails(*arguments: Any) -> None:
        raise RuntimeError("in a slot")

    button = qt.QPushButton()
    button.connect("clicked(bool)", fails)
    button.click()
    node = a_scene.AddNewNodeByClass("vtkMRMLModelNode")
    node.AddObserver("ModifiedEvent", fails)
    node.Modified()
    failed = host.failures.take()
    assert len(failed) == 2
    assert all("in a slot" in text for text in failed)


def test_what_crashes_slicer_is_not_there(a_scene: Any) -> None:
    import qt

    assert not hasattr(qt, "Signal")


@pytest.mark.skipif(slicer_source.folder() is not None, reason="of the stand-in; Slicer's own is tested elsewhere")
def test_pip_install_knows_slicers_arguments_and_refuses_what_the_module_does_not_use(a_scene: Any) -> None:
    from slicer.packaging import pip_install

    with pytest.raises(TypeError, match="test host"):
        pip_install(["anything"], blocking=False)
    with pytest.raises(TypeError, match="requesterName"):
        pip_install(["anything"], requesterName="RadGS-Reg")
    with pytest.raises(ValueError, match="string or list"):
        pip_install(("a", "tuple"))


def test_a_node_selector_follows_the_scene(a_scene: Any) -> None:
    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    selector.hideChildNodeTypes = ["vtkMRMLLabelMapVolumeNode"]
    selector.noneEnabled = True
    selector.setMRMLScene(a_scene)
    told: list[Any] = []
    selector.connect("currentNodeChanged(vtkMRMLNode*)", told.append)
    volume = a_scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    a_scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode")
    assert (selector.currentNode(), selector.nodeCount()) == (None, 1)
    selector.setCurrentNode(volume)
    a_scene.RemoveNode(volume)
    assert selector.currentNode() is None
    assert [node is None for node in told] == [False, True]
