"""Edit...: what is known of an X-ray, typed by hand, while a sketch in the 3D view and a DRR follow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import qt
from slicer.i18n import tr as _

from radgs.errors import GeometryError, RadgsError
from radgs.geometry import FloatArray, ViewGeometry
from radgs.geometry.c_arm import CArm, c_arm_of
from radgs.io.dicom_geometry import completed
from RadGSRegLib.scene import dicom_xrays, xray_nodes
from RadGSRegLib.scene.geometry_sketch import GeometrySketch
from RadGSRegLib.scene.node_contract import GEOMETRY_ATTRIBUTE, PIXEL_TYPE_ATTRIBUTE, SOURCE_ROLE, VIEW_ATTRIBUTE
from RadGSRegLib.scene.placement import in_scene, world_point
from RadGSRegLib.scene.view_geometry import put_geometry
from RadGSRegLib.sections.c_arm_fields import FARTHEST, CArmFields, usual_exposure
from RadGSRegLib.sections.exposure_pictures import ExposurePreview
from RadGSRegLib.sections.texts import error_text, fit
from RadGSRegLib.theme import style

PIXEL_TYPES = ("auto", "intensity", "attenuation", "display")

#: What is typed: items of the choice, in their order.
C_ARM, FOCAL_SPOT = 0, 1

#: Source and film that moved by less than a field's last digit were not edited, mm.
UNCHANGED_MM = 0.005

#: Pixels that a loader gives images that state no size of theirs, mm.
NO_SPACING = 1.0


class GeometryDialog:
    """Name, kind of pixel values, and where source and film of one X-ray stand.

    It is not modal: the 3D view with the sketch can be turned meanwhile.

    Args:
        xrays: The X-rays of the panel; None where one is not chosen.
        number: Which of them is edited, from 0.
        parent: The widget in front of which the dialog opens.
        done: Called when the dialog is over, with what went wrong, if anything did.
        logic: A ``RadGSRegLogic``, which has the DRR drawn.
    """

    def __init__(
        self, xrays: Sequence[Any], number: int, parent: Any, done: Callable[[RadgsError | None], None], logic: Any
    ) -> None:
        self.xray = xrays[number]
        self._xrays, self._number, self._done = tuple(xrays), number, done
        self._sketch = GeometrySketch()
        columns, rows = xray_nodes.pixels_of(self.xray).shape[1::-1]
        self._size = (columns, rows)
        self._former = _geometry_or_none(self.xray)
        self._from_dicom = False
        self.dialog = qt.QDialog(parent)
        self.dialog.windowTitle = _("Geometry of {name}").format(name=self.xray.GetName())
        self._form = qt.QFormLayout(self.dialog)
        self._add_name_and_values()
        self._add_choice_of_what_is_typed()
        self._preview = ExposurePreview(logic, self.dialog)
        self._form.addRow(self._preview.widget)
        self._add_notes_and_buttons()
        self._fill()
        self._at_start = self.mode.currentIndex, self.geometry()
        self.mode.connect("currentIndexChanged(int)", lambda index: self._follow())
        self._follow()
        self.dialog.connect("finished(int)", self._finish)

    def open(self) -> None:
        """Shows the dialog and returns."""
        self.dialog.show()
        self.dialog.activateWindow()

    def close(self) -> None:
        """Closes the dialog without a change, where it is open."""
        self.dialog.reject()

    def geometry(self) -> ViewGeometry:
        """Source and film as they are typed now, RAS mm.

        Raises:
            GeometryError: They are impossible.
        """
        if self.mode.currentIndex == C_ARM:
            return self.c_arm.geometry()
        source = np.array([box.value for box in self.source])
        return ViewGeometry(source, xray_nodes.detector_to_world(self.xray), self._size[::-1])

    def _add_name_and_values(self) -> None:
        self.name = qt.QLineEdit(xray_nodes.view_name(self.xray))
        self.name.objectName = "viewNameEdit"
        self.name.toolTip = _("What the X-ray is called in the case; its clicks go by this name")
        self._form.addRow(_("Name:"), self.name)
        self.pixel_type = qt.QComboBox()
        self.pixel_type.objectName = "pixelTypeComboBox"
        for kind in PIXEL_TYPES:
            self.pixel_type.addItem(kind)
        self.pixel_type.setCurrentText(xray_nodes.pixel_type(self.xray))
        self.pixel_type.toolTip = _(
            "intensity: more exposure is larger; attenuation: line integrals; display: bone is bright"
        )
        self._form.addRow(_("Pixel values:"), self.pixel_type)

    def _add_choice_of_what_is_typed(self) -> None:
        self.mode = qt.QComboBox()
        self.mode.objectName = "geometryModeComboBox"
        self.mode.addItem(_("C-arm: angles and distances"))
        self.mode.addItem(_("Focal spot only; the film stays"))
        self.mode.toolTip = _("What you know: how the C-arm stood, or where its focal spot was")
        self._form.addRow(_("Give:"), self.mode)
        self.c_arm = CArmFields(self._size, self._follow)
        self._form.addRow(self.c_arm.widget)
        self.spot = qt.QWidget()
        form = qt.QFormLayout(self.spot)
        form.setContentsMargins(0, 0, 0, 0)
        self.source = [self._coordinate(axis) for axis in "RAS"]
        for axis, box in zip("RAS", self.source, strict=True):
            form.addRow(_("Source {axis} (mm):").format(axis=axis), box)
        note = qt.QLabel(_("The detector is the volume itself: move it with a transform in the Transforms module."))
        note.wordWrap = True
        form.addRow(note)
        self._form.addRow(self.spot)

    def _add_notes_and_buttons(self) -> None:
        self.note = qt.QLabel()
        self.note.objectName = "geometryNoteLabel"
        self.note.wordWrap = True
        self.note.minimumWidth = 360
        self._form.addRow(self.note)
        self.buttons = qt.QDialogButtonBox()
        self.buttons.setStandardButtons(qt.QDialogButtonBox.Ok | qt.QDialogButtonBox.Cancel)
        self.buttons.connect("accepted()", self.dialog.accept)
        self.buttons.connect("rejected()", self.dialog.reject)
        self._form.addRow(self.buttons)

    def _coordinate(self, axis: str) -> Any:
        box = qt.QDoubleSpinBox()
        box.objectName = f"source{axis}SpinBox"
        box.setRange(-FARTHEST, FARTHEST)
        box.setDecimals(3)
        box.toolTip = _("Position of the focal spot in the frame of the X-rays, RAS mm")
        box.connect("valueChanged(double)", lambda value: self._follow())
        return box

    def _fill(self) -> None:
        """The exposure that is there, else what its DICOM file says, else a mobile C-arm's."""
        self._said = ""
        if xray_nodes.has_source(self.xray):
            for box, value in zip(self.source, world_point(self.xray.GetNodeReference(SOURCE_ROLE)), strict=True):
                box.value = float(value)
        exposure = None if self._former is None else c_arm_of(self._former)
        if exposure is not None:
            self.c_arm.put(*exposure)
            return
        c_arm, isocentre = self._start()
        self.c_arm.put(c_arm, isocentre)
        if self._former is not None:
            self.mode.setCurrentIndex(FOCAL_SPOT)
            self._said = _("The film is slanted, or turned as no C-arm turns it: C-arm numbers would replace it.")

    def _start(self) -> tuple[CArm, FloatArray]:
        usual = self._usual()
        try:
            view = dicom_xrays.dicom_view_of(self.xray)
            if view is not None and self._former is None:
                missing, view = ", ".join(view.missing), completed(view, usual)
                exposure = dicom_xrays.exposure_of(self.xray, view)
                self._from_dicom = True
                said = _("Its DICOM file does not say: {missing}. The numbers here in their place are usual ones.")
                self._said = said.format(missing=missing) if missing else ""
                return exposure
        except RadgsError as error:
            self._said = f"{error.problem} {error.remedy}"
        if self._former is None:
            self._said = self._said or _("Nothing is known of its geometry: these are usual numbers. Correct them.")
        return usual, np.zeros(3)

    def _usual(self) -> CArm:
        """A mobile C-arm, with the pixel size that the volume has, where it has one."""
        usual = usual_exposure(("mobile-c-arm", self._number % 2), self._size)
        spacing = self.xray.GetSpacing()[:2]
        return usual if NO_SPACING in spacing else replace(usual, spacing_mm=(float(spacing[0]), float(spacing[1])))

    def _follow(self) -> None:
        """Shows in the sketch and in words what the fields come to."""
        by_c_arm = self.mode.currentIndex == C_ARM
        self.c_arm.widget.setVisible(by_c_arm)
        self.spot.setVisible(not by_c_arm)
        ok = self.buttons.button(qt.QDialogButtonBox.Ok)
        try:
            geometry = self.geometry()
            if geometry.source_to_detector_mm < 1.0:
                raise GeometryError(
                    _("The focal spot lies in the film."), _("Give the place where the X-rays came from.")
                )
        except RadgsError as error:
            self.note.text, self.note.styleSheet = error_text(error), style("bad", self.dialog)
            self.note.setVisible(True)
            self.c_arm.words.text, ok.enabled = "", False
            self._sketch.hide(self._number)
            self._preview.clear()
            fit(self.dialog)
            return
        ok.enabled = True
        self.note.text, self.note.styleSheet = self._said, style("doubt", self.dialog)
        self.note.setVisible(bool(self._said))
        if by_c_arm:
            self.c_arm.show_words(geometry)
        fit(self.dialog)
        self._draw(geometry)

    def _draw(self, geometry: ViewGeometry) -> None:
        self._sketch.show(self._number, geometry, self.name.text)
        others = []
        for number, xray in enumerate(self._xrays):
            other = None if number == self._number or xray is None else _geometry_or_none(xray)
            if other is not None:
                self._sketch.show(number, other, xray_nodes.view_name(xray))
                others.append((xray, other))
        self._sketch.show_patient(self.c_arm.isocentre_ras)
        self._preview.show(self.xray, geometry, others)

    def _finish(self, accepted: int) -> None:
        self._sketch.remove()
        self._preview.stop()
        problem = None
        try:
            if accepted and in_scene(self.xray):
                self._apply()
        except RadgsError as error:
            problem = error
        self.dialog.deleteLater()  # its parent would keep it as long as the panel lives
        self._done(problem)

    def _apply(self) -> None:
        geometry = self.geometry()
        if self._edited(geometry):
            if self.mode.currentIndex == C_ARM:
                put_geometry(self.xray, geometry, self._origin())
            else:
                xray_nodes.set_source(self.xray, geometry.source_ras)
                self.xray.SetAttribute(GEOMETRY_ATTRIBUTE, _("source typed in"))
        self.xray.SetAttribute(PIXEL_TYPE_ATTRIBUTE, self.pixel_type.currentText)
        name = self.name.text.strip()
        if name:
            self.xray.SetAttribute(VIEW_ATTRIBUTE, name)

    def _edited(self, geometry: ViewGeometry) -> bool:
        """Whether the user said something of source and film; numbers of the fields are rounded, which is no edit."""
        mode, shown = self._at_start
        compared = shown if self.mode.currentIndex == mode else self._former
        return self._former is None or compared is None or _moved_mm(compared, geometry) > UNCHANGED_MM

    def _origin(self) -> str:
        angles = f"{self.c_arm.primary.value:g}, {self.c_arm.secondary.value:g}"
        if self._from_dicom:
            return _("DICOM, completed by hand ({angles} degrees)").format(angles=angles)
        return _("C-arm typed in ({angles} degrees)").format(angles=angles)


def _geometry_or_none(xray: Any) -> ViewGeometry | None:
    try:
        return xray_nodes.geometry_of(xray)
    except RadgsError:
        return None


def _moved_mm(one: ViewGeometry, other: ViewGeometry) -> float:
    """How far the source or a corner of the film is from where it was, mm."""
    rows, columns = one.shape
    corners = [[0, 0], [columns - 1, 0], [0, rows - 1], [columns - 1, rows - 1]]
    films = np.abs(one.pixel_to_ras(corners) - other.pixel_to_ras(corners)).max()
    return float(max(films, np.abs(one.source_ras - other.source_ras).max()))
