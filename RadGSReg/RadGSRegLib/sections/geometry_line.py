"""One X-ray's geometry: a line that says where it came from, red where it is missing, and two buttons to mend it."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import qt
from slicer.i18n import tr as _

from radgs.errors import InputFileError, RadgsError
from RadGSRegLib.review.readiness import geometry_problem
from RadGSRegLib.scene import dicom_xrays, geometry_files, xray_nodes
from RadGSRegLib.scene.former_geometry import change_of, former_geometry, restore_geometry
from RadGSRegLib.scene.node_contract import ASSUMED_ATTRIBUTE, MISSING_ATTRIBUTE
from RadGSRegLib.scene.placement import in_scene
from RadGSRegLib.sections.section import PanelServices
from RadGSRegLib.sections.texts import put_text
from RadGSRegLib.theme import style


class GeometryLine:
    """The line under an X-ray's selector.

    Args:
        number: Which X-ray of the panel, from 0.
        label: Says what is known.
        load_button: Takes the geometry from files.
        edit_button: Lets the user type it.
        undo_button: Puts it back where it stood before a self-calibration; hidden where none changed it.
        logic: A ``RadGSRegLogic``.
        panel: What the panel does for its sections.
    """

    def __init__(
        self,
        number: int,
        label: Any,
        load_button: Any,
        edit_button: Any,
        undo_button: Any,
        logic: Any,
        panel: PanelServices,
    ) -> None:
        self._number = number
        self._label, self._load_button, self._edit_button = label, load_button, edit_button
        self._undo_button = undo_button
        self._logic, self._panel = logic, panel
        self._xray: Any = None
        self._dialog: Any = None
        load_button.connect("clicked(bool)", self._load)
        edit_button.connect("clicked(bool)", self._edit)
        undo_button.connect("clicked(bool)", self._undo)

    def show(self, xray: Any, other: Any = None) -> None:
        """Shows an X-ray's geometry.

        Args:
            xray: The X-ray; None where none is chosen.
            other: The panel's other X-ray.
        """
        self._xray = xray if in_scene(xray) else None
        can_change = self._xray is not None and not self._logic.running
        if self._dialog is not None and (not can_change or self._dialog.xray is not self._xray):
            self._dialog.close()
        self._load_button.enabled = self._edit_button.enabled = self._undo_button.enabled = can_change
        self._undo_button.setVisible(self._xray is not None and former_geometry(self._xray) is not None)
        if self._xray is None:
            self._label.text, self._label.styleSheet = _("No X-ray is chosen"), style("faint", self._load_button)
            return
        problem = geometry_problem(self._xray)
        if problem is not None:
            self._show_problem(problem)
            return
        self._label.toolTip = _("Where the geometry comes from, and the distance from source to detector")
        assumed = self._xray.GetAttribute(ASSUMED_ATTRIBUTE)
        if assumed:
            self._label.toolTip += "\n" + _("Taken to be so: {assumed}").format(assumed=assumed)
        change = change_of(self._xray)
        if change is not None:
            moved = _(
                "A self-calibration moved the source by {source:.1f} mm, the film by {film:.1f} mm and {turn:.1f}°."
            )
            self._label.toolTip += "\n" + moved.format(source=change[0], film=change[1], turn=change[2])
        if in_scene(other) and dicom_xrays.other_study(self._xray, other):
            self._label.styleSheet = style("doubt", self._load_button)
            put_text(self._label, _("Of another study than the other X-ray: the patient may have moved"))
            return
        self._label.styleSheet = ""
        put_text(self._label, describe_geometry(self._xray))

    def close(self) -> None:
        """Closes the dialog, where it is open."""
        if self._dialog is not None:
            self._dialog.close()

    def _show_problem(self, problem: RadgsError) -> None:
        self._label.styleSheet = style("bad", self._load_button)
        missing = self._xray.GetAttribute(MISSING_ATTRIBUTE)
        if missing and not xray_nodes.has_source(self._xray):
            self._label.toolTip = _("Press Edit... and give it, or Load... a calibration.")
            put_text(self._label, _("Its DICOM file does not say: {missing}").format(missing=missing))
            return
        self._label.toolTip = problem.remedy
        put_text(self._label, problem.problem)

    def _load(self) -> None:
        kinds = (
            "*.json *.txt *.csv *.yml *.yaml *.npy *.xma *.cfg *.tra *.dcm *.ima",
            _("Calibrations, cases and DICOM ({patterns})"),
            _("All files (*)"),
        )
        filters = ";;".join((kinds[1].format(patterns=kinds[0]), kinds[2]))
        title = _("Load the X-ray's geometry: one file, or one for each X-ray")
        paths = qt.QFileDialog.getOpenFileNames(self._load_button, title, "", filters)
        if paths:
            self.load([Path(path) for path in paths])

    def load(self, paths: Sequence[Path]) -> None:
        """Takes the geometry from files: a case.json, a DICOM X-ray, or a calibration."""
        try:
            done = self._take(paths)
        except RadgsError as error:
            self._panel.say_error(error)
            return
        if done:
            self._panel.say("")
            self._panel.refresh()

    def _take(self, paths: Sequence[Path]) -> bool:
        """True where the geometry is there now; False where the user left it, or goes on in a dialog."""
        kinds = {geometry_files.kind_of(path) for path in paths}
        alone = kinds & {"case.json", "DICOM"}
        if alone and len(paths) > 1:
            raise InputFileError(
                _("Several files were chosen, and one of them is a case or an X-ray."),
                _("Choose that one alone, or the calibration's files alone."),
            )
        if alone == {"case.json"}:
            geometry_files.load_from_case(self._xray, paths[0])
            return True
        if alone:
            return self._take_dicom(paths[0])
        from RadGSRegLib.sections.calibration_dialog import CalibrationDialog

        inputs = self._logic.inputs()
        xrays = [xray for xray in inputs.xrays if in_scene(xray)]
        clicks = None
        if len(xrays) > 1:
            node = self._panel.parameters.parameterNode
            clicks = geometry_files.common_clicks(node, list(inputs.segments), xrays)
        return CalibrationDialog(paths, xrays, xrays.index(self._xray), clicks, self._load_button, self._logic).exec_()

    def _take_dicom(self, path: Path) -> bool:
        """The geometry of the X-ray's own DICOM file; what it lacks is asked for."""
        from RadGSRegLib.sections.frame_dialog import choose_frame

        frame = choose_frame(path, self._load_button)
        if frame is None:
            return False
        view = dicom_xrays.connect_to_file(self._xray, path, frame)
        if view.c_arm is not None:
            dicom_xrays.put_dicom_geometry(self._xray, view)
            return True
        self._edit()
        return False

    def _edit(self) -> None:
        from RadGSRegLib.sections.geometry_dialog import GeometryDialog

        if self._dialog is not None:
            self._dialog.open()
            return
        parameters = self._panel.parameters
        try:
            self._dialog = GeometryDialog(
                (parameters.xray1, parameters.xray2), self._number, self._edit_button, self._over, self._logic
            )
        except RadgsError as error:
            self._panel.say_error(error)
            return
        self._dialog.open()

    def _undo(self) -> None:
        try:
            restore_geometry(self._xray)
        except RadgsError as error:
            self._panel.say_error(error)
            return
        name = html.escape(xray_nodes.view_name(self._xray))
        said = _("{view} stands where it stood before the self-calibration. Poses found with the other geometry stay.")
        self._panel.say(said.format(view=name))
        self._panel.refresh()

    def _over(self, problem: RadgsError | None) -> None:
        self._dialog = None
        if problem is not None:
            self._panel.say_error(problem)
        self._panel.refresh()


def describe_geometry(xray: Any) -> str:
    """Where an X-ray's geometry comes from, and its distance from source to detector (SDD)."""
    geometry = xray_nodes.geometry_of(xray)
    origin = xray_nodes.geometry_origin(xray) or _("source placed by hand")
    sdd = _("SDD {sdd:.0f} mm").format(sdd=geometry.source_to_detector_mm)
    return f"{origin}; {sdd}"
