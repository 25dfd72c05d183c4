"""Prints every word of the panel, state by state, with what went through ``slicer.i18n.tr`` between «quotation marks».

    python Testing/panel/every_word.py

A program of its own, because the module's files take hold of ``tr`` when they are read.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(PROJECT / "Testing" / folder) for folder in ("host", "panel")] + [str(PROJECT / "RadGSReg")]

import slicerhost  # noqa: E402

HOST = slicerhost.start()

import exported_scene  # noqa: E402
import slicer.i18n  # noqa: E402
from PySide6 import QtCore, QtWidgets  # noqa: E402

#: Of any widget. What a user typed (line edits) and what a spin box makes of its number are no words of the panel's.
PROPERTIES = ("text", "toolTip", "title", "windowTitle", "placeholderText", "statusTip")
NOT_OURS = (QtWidgets.QLineEdit, QtWidgets.QAbstractSpinBox)


def words(root: QtWidgets.QWidget) -> Iterator[tuple[str, str]]:
    """Where a text stands, and the text."""
    for widget in [root, *root.findChildren(QtWidgets.QWidget)]:
        if isinstance(widget.parent(), QtWidgets.QDialogButtonBox):
            continue  # Qt's own OK and Cancel
        name = f"{type(widget).__name__} {QtCore.QObject.property(widget, 'objectName')}"
        for one in PROPERTIES:
            if one != "text" or not isinstance(widget, NOT_OURS):
                yield f"{name}.{one}", QtCore.QObject.property(widget, one)
        if isinstance(widget.parent(), QtWidgets.QWidget) and type(widget.parent()).__name__ == "qMRMLNodeComboBox":
            continue  # nodes, and Slicer's own words
        if isinstance(widget, (QtWidgets.QTableWidget, QtWidgets.QListWidget, QtWidgets.QComboBox)):
            yield from ((f"{name}, item", text) for text in items(widget))


def items(widget: QtWidgets.QWidget) -> Iterator[str]:
    """The texts of a table with its headings, of a list or of a choice."""
    model = type(widget).model(widget)
    columns = model.columnCount() if isinstance(widget, QtWidgets.QTableWidget) else 0
    for column in range(columns):
        for role in (QtCore.Qt.ItemDataRole.DisplayRole, QtCore.Qt.ItemDataRole.ToolTipRole):
            yield model.headerData(column, QtCore.Qt.Orientation.Horizontal, role)
    for row in range(model.rowCount()):
        yield from (model.index(row, column).data() for column in range(max(columns, 1)))


def show(state: str, root: QtWidgets.QWidget) -> None:
    """Prints a state's words, a JSON list a line."""
    for where, text in words(root):
        if isinstance(text, str) and text:
            print(json.dumps([state, where, text]))


def show_dialogs(panel: slicerhost.Host) -> None:
    """Prints the words of what opens in front of the panel."""
    from dialogs import open_dialog

    from RadGSRegLib.sections.calibration_dialog import CalibrationDialog

    panel.ui.editGeometry1Button.click()
    dialog = open_dialog()
    show("edit geometry", dialog)
    dialog.reject()
    inputs = panel.logic.inputs()
    with tempfile.TemporaryDirectory() as folder:
        camera = Path(folder) / "AP.txt"
        camera.write_text("900 0 9\n0 900 9\n0 0 1\n1 0 0 0\n0 1 0 0\n0 0 1 900\n", "utf-8")
        loading = CalibrationDialog([camera], inputs.xrays, 0, None, panel.ui.loadGeometry1Button, panel.logic)
        show("load geometry", loading.dialog)
        loading.dialog.reject()


def main() -> None:
    """Takes the panel through the states that need no engine."""
    slicer.i18n.tr = lambda text: f"«{text}»"
    slicer.i18n.translate = lambda context, text: f"«{text}»"
    panel = HOST.open_panel(HOST.load(PROJECT / "RadGSReg" / "RadGSReg.py"))
    show("empty", panel.parent)
    panel.ui.demoButton.click()
    show("loaded", panel.parent)
    panel.ui.confirmLevelsCheckBox.click()
    show("confirmed", panel.parent)
    show_dialogs(panel)
    exported_scene.bring_in(Path(tempfile.mkdtemp()) / "result", panel.logic.inputs())
    panel.panel.refresh()
    show("registered", panel.parent)
    nodes = slicer.util.getNodesByClass("vtkMRMLNode")
    data = [node.GetName() for node in nodes] + [node.GetAttribute("RadGSReg.geometry") for node in nodes]
    print(json.dumps(["data", "", sorted({text for text in data if text}, key=len, reverse=True)]))
    HOST.close_panel(panel)


if __name__ == "__main__":
    main()
