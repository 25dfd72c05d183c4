"""One X-ray's geometry: a line that says where it came from, red where it is missing, and two buttons to mend it."""

from __future__ import annotations

from typing import Any

import qt
from slicer.i18n import tr as _

from radgs.errors import RadgsError
from RadGSRegLib.review.readiness import geometry_problem
from RadGSRegLib.scene import xray_nodes
from RadGSRegLib.scene.placement import in_scene
from RadGSRegLib.sections.section import PanelServices
from RadGSRegLib.sections.texts import put_text
from RadGSRegLib.theme import style


class GeometryLine:
    """The line under an X-ray's selector.

    Args:
        label: Says what is known.
        load_button: Takes the geometry from a file.
        edit_button: Lets the user type it.
        logic: A ``RadGSRegLogic``.
        panel: What the panel does for its sections.
    """

    def __init__(self, label: Any, load_button: Any, edit_button: Any, logic: Any, panel: PanelServices) -> None:
        self._label, self._load_button, self._edit_button = label, load_button, edit_button
        self._logic, self._panel = logic, panel
        self._xray: Any = None
        load_button.connect("clicked(bool)", self._load)
        edit_button.connect("clicked(bool)", self._edit)

    def show(self, xray: Any) -> None:
        """Shows an X-ray's geometry; None where none is chosen."""
        self._xray = xray if in_scene(xray) else None
        can_change = self._xray is not None and not self._logic.running
        self._load_button.enabled = self._edit_button.enabled = can_change
        if self._xray is None:
            self._label.text, self._label.styleSheet = _("No X-ray is chosen"), style("faint", self._load_button)
            return
        problem = geometry_problem(self._xray)
        self._label.styleSheet = "" if problem is None else style("bad", self._load_button)
        self._label.toolTip = _("Where the geometry comes from, and the distance from source to detector")
        if problem is not None:
            self._label.toolTip = problem.remedy
        put_text(self._label, describe_geometry(self._xray) if problem is None else problem.problem)

    def _load(self) -> None:
        path = qt.QFileDialog.getOpenFileName(
            self._load_button, _("Load the X-ray's geometry"), "", _("Cases (*.json)")
        )
        if path:
            self.load(path)

    def load(self, path: str) -> None:
        """Takes the geometry from the view of that name in a case.json."""
        try:
            xray_nodes.load_geometry(self._xray, path)
        except RadgsError as error:
            self._panel.say_error(error)
            return
        self._panel.say("")
        self._panel.refresh()

    def _edit(self) -> None:
        from RadGSRegLib.sections.geometry_dialog import GeometryDialog

        dialog = GeometryDialog(self._xray, self._edit_button)
        try:
            if dialog.exec_():
                self._panel.refresh()
        finally:
            dialog.delete()


def describe_geometry(xray: Any) -> str:
    """Where an X-ray's geometry comes from, and its distance from source to detector (SDD)."""
    geometry = xray_nodes.geometry_of(xray)
    origin = xray_nodes.geometry_origin(xray) or _("source placed by hand")
    sdd = _("SDD {sdd:.0f} mm").format(sdd=geometry.source_to_detector_mm)
    return f"{origin}; {sdd}"
