"""Edit...: what is known of an X-ray, typed by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import qt
from slicer.i18n import tr as _

from RadGSRegLib.scene import xray_nodes
from RadGSRegLib.scene.node_contract import GEOMETRY_ATTRIBUTE, PIXEL_TYPE_ATTRIBUTE, SOURCE_ROLE, VIEW_ATTRIBUTE
from RadGSRegLib.scene.placement import world_point

PIXEL_TYPES = ("auto", "intensity", "attenuation", "display")

#: Further than any C-arm reaches, mm.
FARTHEST = 5000.0


class GeometryDialog:
    """Name, kind of pixel values, and source of one X-ray. Its detector is the volume itself, where it stands.

    Args:
        xray: The X-ray volume.
        parent: The widget in front of which the dialog opens.
    """

    def __init__(self, xray: Any, parent: Any) -> None:
        self._xray = xray
        self.dialog = qt.QDialog(parent)
        self.dialog.windowTitle = _("Geometry of {name}").format(name=xray.GetName())
        form = qt.QFormLayout(self.dialog)
        self.name = qt.QLineEdit(xray_nodes.view_name(xray))
        self.name.objectName = "viewNameEdit"
        self.name.toolTip = _("What the X-ray is called in the case; its clicks go by this name")
        form.addRow(_("Name:"), self.name)
        self.pixel_type = qt.QComboBox()
        self.pixel_type.objectName = "pixelTypeComboBox"
        for kind in PIXEL_TYPES:
            self.pixel_type.addItem(kind)
        self.pixel_type.setCurrentText(xray_nodes.pixel_type(xray))
        self.pixel_type.toolTip = _(
            "intensity: more exposure is larger; attenuation: line integrals; display: bone is bright"
        )
        form.addRow(_("Pixel values:"), self.pixel_type)
        self.source = [self._coordinate(axis) for axis in "RAS"]
        for axis, box in zip("RAS", self.source, strict=True):
            form.addRow(_("Source {axis} (mm):").format(axis=axis), box)
        note = qt.QLabel(_("The detector is the volume itself: move it with a transform in the Transforms module."))
        note.wordWrap = True
        form.addRow(note)
        buttons = qt.QDialogButtonBox()
        buttons.setStandardButtons(qt.QDialogButtonBox.Ok | qt.QDialogButtonBox.Cancel)
        buttons.connect("accepted()", self.dialog.accept)
        buttons.connect("rejected()", self.dialog.reject)
        form.addRow(buttons)
        if xray_nodes.has_source(xray):
            for box, value in zip(self.source, world_point(xray.GetNodeReference(SOURCE_ROLE)), strict=True):
                box.value = float(value)

    def exec_(self) -> bool:
        """Opens the dialog; True where something was changed."""
        if not self.dialog.exec_():
            return False
        return self._apply()

    def delete(self) -> None:
        """Takes the dialog away; its parent would keep it as long as the panel lives."""
        self.dialog.deleteLater()

    def _apply(self) -> bool:
        source = np.array([box.value for box in self.source])
        former = self._xray.GetNodeReference(SOURCE_ROLE)
        if former is None or not np.allclose(world_point(former), source, atol=1e-3):
            xray_nodes.set_source(self._xray, source)
            self._xray.SetAttribute(GEOMETRY_ATTRIBUTE, _("source typed in"))
        self._xray.SetAttribute(PIXEL_TYPE_ATTRIBUTE, self.pixel_type.currentText)
        name = self.name.text.strip()
        if name:
            self._xray.SetAttribute(VIEW_ATTRIBUTE, name)
        return True

    @staticmethod
    def _coordinate(axis: str) -> Any:
        box = qt.QDoubleSpinBox()
        box.objectName = f"source{axis}SpinBox"
        box.setRange(-FARTHEST, FARTHEST)
        box.setDecimals(3)
        box.toolTip = _("Position of the focal spot in the frame of the X-rays, RAS mm")
        return box
