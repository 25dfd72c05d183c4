"""Visual QA: the X-rays with the CT drawn over them, before and after; X-rays and reconstruction in 3D."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _

from radgs.errors import RadgsError
from radgs.geometry import RigidTransform
from RadGSRegLib.engine.overlay_pictures import OverlayPictures
from RadGSRegLib.engine.result_import import result_of
from RadGSRegLib.review.readiness import what_is_missing
from RadGSRegLib.scene import xray_nodes
from RadGSRegLib.scene.drr_nodes import drr_of, put_drr
from RadGSRegLib.scene.levels import active_level, level_transforms
from RadGSRegLib.scene.node_contract import RECONSTRUCTION_ROLE
from RadGSRegLib.scene.placement import in_scene
from RadGSRegLib.scene.plan_lines import ends_in_ct, planned_lines, show_on_films
from RadGSRegLib.scene.slice_views import are_shown, are_xrays_in_3d, blend, lay_over, show_xrays, show_xrays_in_3d
from RadGSRegLib.sections.comparison_controls import ComparisonControls
from RadGSRegLib.sections.section import Section
from RadGSRegLib.sections.shortcuts import BEFORE_AFTER, MORE_DRR, MORE_XRAY, Shortcuts

#: Side of a picture, pixels: two fit into Slicer's panel.
PICTURE_SIZE = 208

#: How far a key moves the slider between X-ray and DRR, a share of its way.
SLIDER_STEP = 0.1

#: How much of the reconstruction is mixed into the CT's slices.
RECONSTRUCTION_OPACITY = 0.5


class VisualQaSection(Section):
    """Pictures of both views. They are drawn by the engine, and are drawn again when what they show has changed."""

    def connect(self) -> None:
        """Connects the widgets; the button in Initialization that draws the start is served here too."""
        ui = self.ui
        self._pictures: OverlayPictures | None = None
        #: What has been drawn, is being drawn, and could not be drawn and is not tried again by itself.
        self._drawn: tuple[Any, ...] | None = None
        self._asked: tuple[Any, ...] | None = None
        self._failed: tuple[Any, ...] | None = None
        self._why = ""
        for label in (ui.pictureLabel1, ui.pictureLabel2):
            label.setFixedSize(PICTURE_SIZE, PICTURE_SIZE)
        ui.drawButton.connect("clicked(bool)", self._press_draw)
        ui.showStartButton.connect("clicked(bool)", self._draw_start)
        self._controls = ComparisonControls(ui, self._follow_comparison)
        ui.startRadioButton.connect("toggled(bool)", self._choose_pose)
        ui.contourCheckBox.connect("toggled(bool)", self._show_pictures)
        ui.xraysIn3DCheckBox.connect("clicked(bool)", self._show_xrays_in_3d)
        ui.reconstructionCheckBox.connect("clicked(bool)", self._show_reconstruction)
        self._shortcuts = Shortcuts(
            {
                BEFORE_AFTER: self._swap_before_and_after,
                MORE_XRAY: lambda: self._controls.step(-SLIDER_STEP),
                MORE_DRR: lambda: self._controls.step(SLIDER_STEP),
            }
        )
        for button in (ui.startRadioButton, ui.resultRadioButton):
            button.toolTip = f"{button.toolTip} ({BEFORE_AFTER})"
        ui.blendSlider.toolTip = f"{ui.blendSlider.toolTip} ({MORE_XRAY}, {MORE_DRR})"

    def take_up(self) -> None:
        """The keys work."""
        self._shortcuts.install()

    def let_go(self) -> None:
        """Forgets the pictures, which are of a scene that may go; the keys are free again."""
        self._shortcuts.remove()
        self._controls.show(False)
        self._pictures = self._drawn = self._asked = self._failed = None

    def forget_patient(self) -> None:
        """There is nothing to look at any more."""
        self.looking = False

    def follow(self, parameters: Any) -> None:
        """Shows the pictures while they are those of the scene; a new result is drawn without being asked for."""
        wanted = self._what_to_draw(parameters)
        if self._drawn != wanted:
            self._pictures = self._drawn = None
        missing = self._missing(parameters)
        is_result = wanted is not None and wanted[1] is not None
        known = (self._drawn, self._asked, self._failed)
        is_chosen = wanted is not None and wanted[0] in parameters.segments
        if is_result and is_chosen and not missing and self.logic.worker.running and wanted not in known:
            self._draw()
        self._show_state(wanted, missing)
        self._show_plan()
        self._show_pictures()
        self._show_3d(parameters)

    def _missing(self, parameters: Any) -> str | None:
        if self.logic.running:
            return _("A registration is under way")
        todo = what_is_missing(self.logic.inputs(), parameters)
        return todo[0] if todo else None

    def _what_to_draw(self, parameters: Any) -> tuple[Any, ...] | None:
        """What pictures depend on: level, result, CT, segmentation, the X-rays and where they stand, and clicks."""
        ct, segmentation = parameters.ct, parameters.segmentation
        xrays = [xray for xray in (parameters.xray1, parameters.xray2) if in_scene(xray)]
        level = self._level(parameters)
        if level is None or ct is None or segmentation is None or len(xrays) < 2:
            return None
        transform = level_transforms(ct).get(level)
        result = None if transform is None else result_of(transform)
        try:
            seen = tuple(_what_is_seen(xray) for xray in xrays)
        except RadgsError:
            return None  # what is wrong with its geometry, the X-ray's own line says
        start = None if result is not None else tuple(self._clicks(level, xrays))
        pose = None if result is None else str(result["ct_to_world"])
        return level, pose, ct.GetID(), segmentation.GetID(), seen, start

    def _clicks(self, level: str, xrays: list[Any]) -> list[Any]:
        clicks = (self.logic.click(level, xray) for xray in xrays)
        return [None if click is None else tuple(click.GetNthControlPointPositionWorld(0)) for click in clicks]

    @staticmethod
    def _level(parameters: Any) -> str | None:
        """The level that the CT follows, or else the first of those chosen."""
        return active_level(parameters.ct) or next(iter(parameters.segments), None)

    def _result(self) -> dict[str, Any] | None:
        """The result of the level that is drawn; None where there is none with a pose."""
        parameters = self.panel.parameters
        transforms = {} if parameters.ct is None else level_transforms(parameters.ct)
        transform = transforms.get(self._level(parameters) or "")
        result = None if transform is None else result_of(transform)
        return result if result is not None and result["ct_to_world"] is not None else None

    def _draw_start(self) -> None:
        self.ui.startRadioButton.checked = True
        self._press_draw()

    def _press_draw(self) -> None:
        self._draw()
        self.panel.refresh()  # the section opens

    def _draw(self) -> None:
        parameters, inputs = self.panel.parameters, self.logic.inputs()
        level, result = self._level(parameters), self._result()
        poses = {}
        if result is not None:
            poses["result"] = RigidTransform.from_matrix(result["ct_to_world"])
            if result["stages"]["start"] is not None:
                poses = {"start": RigidTransform.from_matrix(result["stages"]["start"]), **poses}
        if level not in inputs.segments:
            self.panel.say_error(RadgsError(f"{level} is not among the levels ticked.", "Tick it, then draw."))
            return
        asked = self._asked = self._what_to_draw(parameters)
        self.looking = True  # and goes on: pictures that have gone are drawn again in this section
        self._failed = None
        self.logic.draw(
            inputs,
            level,
            poses,
            lambda folder: self._take(folder, asked),
            lambda error: self._take_failure(error, asked),
        )
        self._show_state(asked, None)

    def _take(self, folder: Path, asked: Any) -> None:
        if self.panel.parameters is None or asked != self._asked:
            return
        self._asked = None
        self._pictures, self._drawn = OverlayPictures(folder), asked
        if self._pictures.has("result"):
            self.ui.resultRadioButton.checked = True
        xrays = self.logic.inputs().xrays
        if not are_shown(xrays):  # views that the user has moved within are left as they are
            show_xrays(xrays, self.panel.parameters.ct, self._share)
        self._choose_pose()
        self._show_reconstruction(self.ui.reconstructionCheckBox.checked)
        self.panel.refresh()

    def _take_failure(self, error: RadgsError, asked: Any) -> None:
        if asked == self._asked:
            self._asked, self._failed, self._why = None, asked, f"{error.problem} {error.remedy}"
            self.panel.refresh()

    def _pose(self) -> str:
        """Which of the poses drawn is looked at."""
        before = self.ui.startRadioButton.checked or self._pictures is None or not self._pictures.has("result")
        return "start" if before else "result"

    def _swap_before_and_after(self) -> None:
        """What the key does: nothing where there is only the start."""
        other = self.ui.resultRadioButton if self.ui.startRadioButton.checked else self.ui.startRadioButton
        if self._pictures is not None and other.enabled:
            other.checked = True

    def _show_plan(self) -> None:
        """What was planned in the CT, on the films in the slice views, at the pose looked at."""
        inputs, pictures = self.logic.inputs(), self._pictures
        xrays = [] if pictures is None else [x for x in inputs.xrays if xray_nodes.view_name(x) in pictures.views]
        show_on_films(inputs.ct, xrays, None if pictures is None else pictures.pose(self._pose()))

    def _choose_pose(self) -> None:
        self._put_drrs()
        self._show_plan()
        self._show_pictures()

    def _put_drrs(self) -> None:
        """The DRRs of the pose looked at, in the slice views."""
        if self._pictures is None or self.panel.parameters is None:
            return
        for xray in self.logic.inputs().xrays:
            path, binned = self._pictures.whole_drr(xray_nodes.view_name(xray), self._pose())
            drr = put_drr(xray, self._pictures.level, path, binned)
            lay_over(xray, drr, self._share)

    @property
    def _share(self) -> float:
        """How much of the DRR is mixed into the slice views, 0 to 1."""
        return self._controls.comparison.share

    def _follow_comparison(self) -> None:
        """The slice views are moved along; nothing else sets their opacity once the DRRs lie there."""
        if self._pictures is not None and self.panel.parameters is not None:
            for xray in self.logic.inputs().xrays:
                if (drr := drr_of(xray)) is not None:
                    blend(xray, drr, self._share)
        self._show_pictures()

    def _show_state(self, wanted: Any, missing: str | None) -> None:
        ui, label = self.ui, self.ui.visualQaLabel
        drawing = wanted is not None and wanted == self._asked
        for button in (ui.drawButton, ui.showStartButton):
            button.enabled = missing is None and not drawing
            button.toolTip = missing or _(
                "Draw the CT as X-rays, from where the registration starts and where it ended"
            )
        if drawing:
            label.text = _("Drawing {level}...").format(level=wanted[0])
        elif self._pictures is not None:
            label.text = _("{level}: the contour should follow the bone in both views").format(
                level=self._pictures.level
            )
        elif missing:
            label.text = _("Not drawn: {why}").format(why=missing)
        else:
            failed = wanted is not None and wanted == self._failed
            label.text = self._why if failed else _("Press Draw to compare")
        pictures = self._pictures
        shown = pictures is not None
        self._controls.show(shown)
        for widget in (ui.startRadioButton, ui.contourCheckBox, ui.pictureLabel1, ui.pictureLabel2):
            widget.enabled = shown
        ui.resultRadioButton.enabled = pictures is not None and pictures.has("result")

    def _show_pictures(self) -> None:
        ui, pictures = self.ui, self._pictures
        labels = (ui.pictureLabel1, ui.pictureLabel2)
        for label in labels:
            label.setVisible(pictures is not None)
        if pictures is None or self.panel.parameters is None:
            return
        xrays = self.logic.inputs().xrays
        plans = [ends_in_ct(line) for line in planned_lines(self.panel.parameters.ct)]
        for label, xray in zip(labels, xrays, strict=False):
            view = xray_nodes.view_name(xray)
            if view in pictures.views:
                contour, comparison = ui.contourCheckBox.checked, self._controls.comparison
                label.setPixmap(
                    pictures.compared(view, self._pose(), comparison, contour, PICTURE_SIZE, plans if contour else ())
                )
                agree = pictures.edges_agree(view, self._pose())
                said = _("{view}: edges agree {agree:.2f}, of 1")
                label.toolTip = view if agree is None else said.format(view=view, agree=agree)

    def _show_3d(self, parameters: Any) -> None:
        ui = self.ui
        xrays = [xray for xray in (parameters.xray1, parameters.xray2) if in_scene(xray)]
        ui.xraysIn3DCheckBox.enabled = bool(xrays)
        ui.xraysIn3DCheckBox.checked = are_xrays_in_3d()
        display = self._rendering()
        ui.reconstructionCheckBox.enabled = display is not None
        ui.reconstructionCheckBox.checked = display is not None and bool(display.GetVisibility())
        ui.reconstructionCheckBox.toolTip = (
            _("Render the volume reconstructed from the X-rays in 3D, and lay it over the CT in the slice views")
            if display is not None
            else _("There is a reconstruction once a level has been registered")
        )

    def _show_xrays_in_3d(self, checked: bool) -> None:
        try:
            if checked:
                show_xrays(self.logic.inputs().xrays)
            show_xrays_in_3d(checked)
        except RadgsError as error:
            self.panel.say_error(error)

    def _reconstruction(self) -> Any:
        parameters = self.panel.parameters
        if parameters is None or parameters.ct is None:
            return None
        transform = level_transforms(parameters.ct).get(self._level(parameters) or "")
        return None if transform is None else transform.GetNodeReference(RECONSTRUCTION_ROLE)

    def _rendering(self) -> Any:
        volume = self._reconstruction()
        rendering = slicer.modules.volumerendering.logic()
        return None if volume is None else rendering.GetFirstVolumeRenderingDisplayNode(volume)

    def _show_reconstruction(self, checked: bool) -> None:
        display = self._rendering()
        if display is not None:
            display.SetVisibility(checked)
            lay_over(self.panel.parameters.ct, self._reconstruction() if checked else None, RECONSTRUCTION_OPACITY)


def _what_is_seen(xray: Any) -> tuple[Any, ...]:
    """An X-ray's image, name and geometry, as something that can be compared."""
    geometry = xray_nodes.geometry_of(xray)
    stands = geometry.source_ras.tobytes(), geometry.detector_to_ras.tobytes()
    image = xray.GetID(), xray.GetImageData().GetMTime()
    return xray_nodes.view_name(xray), xray_nodes.pixel_type(xray), *image, *stands
