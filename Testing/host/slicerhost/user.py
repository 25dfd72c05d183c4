"""Someone in front of the panel, with a mouse: what cannot be seen or is disabled cannot be pressed."""

from __future__ import annotations

from typing import Any

from PySide6 import QtCore, QtTest, QtWidgets

LEFT = QtCore.Qt.MouseButton.LeftButton


class User:
    """Real mouse events, sent to where the thing is drawn."""

    def press(self, button: QtWidgets.QAbstractButton) -> None:
        """Clicks a button, or the box of a check box."""
        self._see(button)
        place = button.rect.center()
        if isinstance(button, (QtWidgets.QCheckBox, QtWidgets.QRadioButton)):
            place.setX(8)
        QtTest.QTest.mouseClick(button, LEFT, pos=place)

    def tick(self, item: QtWidgets.QListWidgetItem) -> None:
        """Clicks the box in front of an item."""
        view = item.listWidget()
        self._see(view)
        view.scrollToItem(item)
        box = view.visualItemRect(item)
        QtTest.QTest.mouseClick(view.viewport(), LEFT, pos=QtCore.QPoint(box.left() + 10, box.center().y()))

    def choose_row(self, table: QtWidgets.QTableWidget, row: int) -> None:
        """Clicks the first cell of a row."""
        self._see(table)
        place = table.visualItemRect(table.item(row, 0)).center()
        QtTest.QTest.mouseClick(table.viewport(), LEFT, pos=place)

    def write(self, edit: QtWidgets.QLineEdit, text: str) -> None:
        """Types a text in place of what a line holds."""
        self._see(edit)
        edit.selectAll()
        QtTest.QTest.keyClick(edit, QtCore.Qt.Key.Key_Delete)
        QtTest.QTest.keyClicks(edit, text)

    @staticmethod
    def _see(widget: Any) -> None:
        QtCore.QCoreApplication.processEvents()
        assert widget.isVisible(), f"{widget.objectName} cannot be seen"
        assert widget.isEnabled(), f"{widget.objectName} is disabled: {widget.toolTip}"
