"""Stand-ins for the ctk and qMRML widgets that the module's form uses, backed by a real scene.

Each lists the signals of the real class that may be connected, in the form in which Slicer code writes them.
"""

from __future__ import annotations

from typing import Any

import slicer
from PySide6 import QtCore, QtGui, QtWidgets

from slicerhost.module_frame import qMRMLWidget, qSlicerScriptedLoadableModuleWidget
from slicerhost.node_selector import qMRMLNodeComboBox
from slicerhost.path_line_edit import ctkPathLineEdit
from slicerhost.pythonqt import expose_properties


class ctkCollapsibleButton(QtWidgets.QAbstractButton):  # noqa: N801
    """A button as wide as the panel, with its contents below; pressing it folds them away."""

    STAND_IN = True
    SIGNALS = ("contentsCollapsed(bool)", "toggled(bool)", "clicked(bool)")
    contentsCollapsed = QtCore.Signal(bool)  # noqa: N815

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.__dict__.update(_collapsed=False, _forcing=False)
        self.setCheckable(True)
        self.setChecked(True)
        self.setSizePolicy(QtWidgets.QSizePolicy.Policy.Minimum, QtWidgets.QSizePolicy.Policy.Preferred)
        self.setContentsMargins(0, self._header_height(), 0, 0)
        self.toggled.connect(lambda checked: self._collapse(not checked))

    def _get_collapsed(self) -> bool:
        return self.__dict__["_collapsed"]

    def _set_collapsed(self, collapsed: bool) -> None:
        self.setChecked(not collapsed)

    collapsed = QtCore.Property(bool, _get_collapsed, _set_collapsed)

    def sizeHint(self) -> QtCore.QSize:  # noqa: N802
        return self._size(None if self._get_collapsed() else self.layout(), "totalSizeHint")

    def minimumSizeHint(self) -> QtCore.QSize:  # noqa: N802
        return self._size(None if self._get_collapsed() else self.layout(), "totalMinimumSize")

    def _size(self, layout: QtWidgets.QLayout | None, which: str) -> QtCore.QSize:
        return QtCore.QSize(0, self._header_height() + 4) if layout is None else getattr(layout, which)()

    def hitButton(self, position: QtCore.QPoint) -> bool:  # noqa: N802
        return position.y() <= self._header_height() and self.rect.contains(position)

    def childEvent(self, event: QtCore.QChildEvent) -> None:  # noqa: N802
        child = event.child()
        if event.added() and child.isWidgetType():
            child.installEventFilter(self)
        super().childEvent(event)

    def eventFilter(self, child: QtCore.QObject, event: QtCore.QEvent) -> bool:  # noqa: N802
        """Remembers which children were hidden on purpose, and keeps the others folded away."""
        kinds = QtCore.QEvent.Type
        if not self.__dict__["_forcing"] and event.type() in (kinds.ShowToParent, kinds.HideToParent):
            child.setProperty("visibilityToParent", event.type() == kinds.ShowToParent)
            if self._get_collapsed():
                self._show_child(child)
        return super().eventFilter(child, event)

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:  # noqa: N802
        painter, style = QtWidgets.QStylePainter(self), self.style()
        option = QtWidgets.QStyleOptionButton()
        option.initFrom(self)
        option.rect.setHeight(self._header_height())
        option.state |= QtWidgets.QStyle.StateFlag.State_Raised
        painter.drawControl(QtWidgets.QStyle.ControlElement.CE_PushButtonBevel, option)
        arrow = QtWidgets.QStyleOption()
        arrow.initFrom(self)
        size = style.pixelMetric(QtWidgets.QStyle.PixelMetric.PM_IndicatorHeight, option, self)
        arrow.rect = QtCore.QRect(6, (self._header_height() - size) // 2, size, size)
        element = QtWidgets.QStyle.PrimitiveElement
        folded = element.PE_IndicatorArrowRight if self._get_collapsed() else element.PE_IndicatorArrowDown
        painter.drawPrimitive(folded, arrow)
        place = option.rect.adjusted(12 + size, 0, -6, 0)
        painter.drawText(place, QtCore.Qt.AlignmentFlag.AlignLeft | QtCore.Qt.AlignmentFlag.AlignVCenter, self.text)

    def _header_height(self) -> int:
        return self.fontMetrics().height() + 10

    def _collapse(self, collapsed: bool) -> None:
        if collapsed == self._get_collapsed():
            return
        self.__dict__["_collapsed"] = collapsed
        self.setMaximumHeight(self.sizeHint().height() if collapsed else (1 << 24) - 1)
        only_direct = QtCore.Qt.FindChildOption.FindDirectChildrenOnly
        for child in self.findChildren(QtWidgets.QWidget, options=only_direct):
            self._show_child(child)
        self.updateGeometry()
        self.contentsCollapsed.emit(collapsed)

    def _show_child(self, child: QtWidgets.QWidget) -> None:
        self.__dict__["_forcing"] = True
        child.setVisible(not self._get_collapsed() and child.property("visibilityToParent") is not False)
        self.__dict__["_forcing"] = False


#: Classes that Slicer's own Python files compare with, and that no form of the module may use.
CTK_NAMES = (
    *("ctkCheckBox", "ctkCheckablePushButton", "ctkColorPickerButton", "ctkComboBox", "ctkDirectoryButton"),
    *("ctkDoubleRangeSlider", "ctkDoubleSlider", "ctkDoubleSpinBox", "ctkRangeWidget", "ctkSliderWidget"),
)
QMRML_NAMES = ("qMRMLRangeWidget", "qMRMLSliderWidget", "qMRMLSpinBox", "qSlicerWidget")

CTK = (ctkCollapsibleButton, ctkPathLineEdit)
QMRML = (qMRMLWidget, qMRMLNodeComboBox, qSlicerScriptedLoadableModuleWidget)


def install(ctk: Any) -> None:
    """Puts the stand-ins where Slicer code looks for them."""
    for cls in (*CTK, *QMRML):
        expose_properties(cls)
    for module, classes, names in ((ctk, CTK, CTK_NAMES), (slicer, QMRML, QMRML_NAMES)):
        vars(module).update({cls.__name__: cls for cls in classes})
        vars(module).update({name: type(name, (QtWidgets.QWidget,), {}) for name in names})
