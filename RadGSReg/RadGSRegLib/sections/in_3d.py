"""What the 3D view shows beside the vertebra: the X-rays where they stood, and the reconstruction over the CT."""

from __future__ import annotations

from typing import Any

import slicer
from slicer.i18n import tr as _

from radgs.errors import RadgsError
from RadGSRegLib.engine.kept_runs import reconstruction_of
from RadGSRegLib.scene.levels import transform_looked_at
from RadGSRegLib.scene.placement import in_scene
from RadGSRegLib.scene.slice_views import are_xrays_in_3d, lay_over, show_xrays, show_xrays_in_3d
from RadGSRegLib.scene.uncertainty import (
    covariance_of,
    hide_uncertainty,
    is_uncertainty_out_of_date,
    is_uncertainty_shown,
    put_uncertainty,
)
from RadGSRegLib.sections.section import Section

#: How much of the reconstruction is mixed into the CT's slices.
RECONSTRUCTION_OPACITY = 0.5


class In3DSection(Section):
    """Boxes under the pictures; what they say is read off the scene."""

    def connect(self) -> None:
        """Connects the boxes."""
        self.ui.xraysIn3DCheckBox.connect("clicked(bool)", self.show_xrays)
        self.ui.reconstructionCheckBox.connect("clicked(bool)", self.show_reconstruction)
        self.ui.uncertaintyCheckBox.connect("clicked(bool)", self.show_uncertainty)

    def follow(self, parameters: Any) -> None:
        """Shows what there is to be shown, and what is shown."""
        ui = self.ui
        ui.xraysIn3DCheckBox.enabled = any(in_scene(xray) for xray in (parameters.xray1, parameters.xray2))
        ui.xraysIn3DCheckBox.checked = are_xrays_in_3d()
        display = self._rendering()
        ui.reconstructionCheckBox.enabled = display is not None
        ui.reconstructionCheckBox.checked = display is not None and bool(display.GetVisibility())
        ui.reconstructionCheckBox.toolTip = (
            _("Render the volume reconstructed from the X-rays in 3D, and lay it over the CT in the slice views")
            if display is not None
            else _("There is a reconstruction once a level has been registered; an earlier run's goes with the session")
        )

        self._follow_uncertainty()

    def _follow_uncertainty(self) -> None:
        """The ellipsoids are those of the result that is there now, also where an earlier run has come back."""
        box, transform = self.ui.uncertaintyCheckBox, self._transform()
        covariance = None if transform is None else covariance_of(transform)
        shown = is_uncertainty_shown(transform)
        if shown and is_uncertainty_out_of_date(transform):
            self.show_uncertainty(covariance is not None)
            shown = covariance is not None
        box.enabled, box.checked = covariance is not None, shown
        box.toolTip = (
            _("Ellipsoids that hold the middle of the body, and of the pedicles, with 95 % certainty, in 3D and slices")
            if covariance is not None
            else _("There is no result that says how uncertain it is")
        )

    def show_uncertainty(self, shown: bool) -> None:
        """Shows how uncertain the pose is, or takes it away; nothing happens where that is not known."""
        transform = self._transform()
        if not shown or transform is None:
            hide_uncertainty(transform)
        elif covariance_of(transform) is not None:
            put_uncertainty(transform)

    def show_xrays(self, shown: bool) -> None:
        """Shows the X-rays where their detectors stood, or takes them away."""
        try:
            if shown:
                show_xrays(self.logic.inputs().xrays)
            show_xrays_in_3d(shown)
        except RadgsError as error:
            self.panel.say_error(error)

    def show_reconstruction(self, shown: bool) -> None:
        """Renders the reconstruction and lays it over the CT, or takes it away; nothing happens where there is none."""
        display = self._rendering()
        if display is not None:
            display.SetVisibility(shown)
            lay_over(self.panel.parameters.ct, self._reconstruction() if shown else None, RECONSTRUCTION_OPACITY)

    def lay_reconstruction_again(self) -> None:
        """For a CT that has come into a slice view, with nothing over it."""
        self.show_reconstruction(self.ui.reconstructionCheckBox.checked)

    def _transform(self) -> Any:
        return transform_looked_at(self.panel.parameters)

    def _reconstruction(self) -> Any:
        return reconstruction_of(self._transform())

    def _rendering(self) -> Any:
        volume = self._reconstruction()
        rendering = slicer.modules.volumerendering.logic()
        return None if volume is None else rendering.GetFirstVolumeRenderingDisplayNode(volume)
