"""Visual QA: the X-rays with the CT drawn over them, before and after, and as it is moved."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from radgs.errors import RadgsError
from radgs.geometry import RigidTransform
from RadGSRegLib.engine.kept_runs import reconstruction_of
from RadGSRegLib.engine.overlay_pictures import OverlayPictures
from RadGSRegLib.engine.result_import import result_of
from RadGSRegLib.review.readiness import what_is_missing
from RadGSRegLib.review.where_to_look import WhereToLook
from RadGSRegLib.scene import xray_nodes
from RadGSRegLib.scene.levels import level_looked_at, level_transforms, transform_looked_at
from RadGSRegLib.scene.placement import in_scene
from RadGSRegLib.scene.slice_views import are_shown, show_xrays
from RadGSRegLib.scene.uncertainty import keep_landmarks
from RadGSRegLib.sections.added_poses import AddedPoses
from RadGSRegLib.sections.in_3d import In3DSection
from RadGSRegLib.sections.section import Section
from RadGSRegLib.sections.shown_pictures import Sent, ShownPictures


class VisualQaSection(Section):
    """Pictures of both views. They are drawn by the engine, and are drawn again when what they show has changed."""

    def connect(self) -> None:
        """Connects the widgets; the button in Initialization that draws the start is served here too."""
        ui = self.ui
        #: What has been drawn, is being drawn, and could not be drawn and is not tried again by itself.
        self._drawn: tuple[Any, ...] | None = None
        self._asked: tuple[Any, ...] | None = None
        self._failed: tuple[Any, ...] | None = None
        self._why = ""
        #: What is done once there are pictures.
        self._once_drawn: Callable[[], None] | None = None
        ui.drawButton.connect("clicked(bool)", self._press_draw)
        ui.showStartButton.connect("clicked(bool)", self._draw_start)
        self._shown = ShownPictures(ui, self.logic, self.panel)
        self._live = AddedPoses(self.logic, self._shown, self._give_up, self._draw, self._say)

    def take_up(self) -> None:
        """The keys work."""
        self._shown.shortcuts.install()

    def let_go(self) -> None:
        """Forgets the pictures, which are of a scene that may go; the keys are free again."""
        self._shown.shortcuts.remove()
        self._shown.controls.show(False)
        self._live.let_go()
        self.look_freely()
        self._shown.pictures = self._drawn = self._asked = self._failed = None
        self._shown.clear()

    def forget_patient(self) -> None:
        """There is nothing to look at any more."""
        self.looking = False

    def follow(self, parameters: Any) -> None:
        """Shows the pictures while they are those of the scene; a new result is drawn without being asked for."""
        if self._asked is not None and not self.logic.drawing:
            self._asked = None  # given up for other work
        wanted = self._what_to_draw(parameters)
        if self._drawn != wanted:
            self._shown.pictures = self._drawn = None
            self._shown.sent = None
        missing = self._missing(parameters)
        is_result = wanted is not None and wanted[1] is not None
        known = (self._drawn, self._asked, self._failed)
        is_chosen = wanted is not None and wanted[0] in parameters.segments
        if is_result and is_chosen and not missing and self.logic.worker.running and wanted not in known:
            self._draw()
        self._show_state(wanted, missing)
        self._shown.paint_all()

    def _missing(self, parameters: Any) -> str | None:
        if self.logic.running:
            return _("A registration is under way")
        todo = what_is_missing(self.logic.inputs(), parameters)
        return todo[0] if todo else None

    def _what_to_draw(self, parameters: Any) -> tuple[Any, ...] | None:
        """What pictures depend on: level, result, CT, segmentation, the X-rays and where they stand, and clicks."""
        ct, segmentation = parameters.ct, parameters.segmentation
        xrays = [xray for xray in (parameters.xray1, parameters.xray2) if in_scene(xray)]
        level = level_looked_at(parameters)
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

    def _result(self) -> dict[str, Any] | None:
        """The result of the level that is drawn; None where there is none with a pose."""
        transform = transform_looked_at(self.panel.parameters)
        result = None if transform is None else result_of(transform)
        return result if result is not None and result["ct_to_world"] is not None else None

    def _draw_start(self) -> None:
        self.ui.startRadioButton.checked = True
        self._press_draw()

    def _press_draw(self) -> None:
        self.look_freely()
        self._draw()
        self.panel.refresh()  # the section opens

    def _draw(self) -> None:
        parameters, inputs = self.panel.parameters, self.logic.inputs()
        level, result = level_looked_at(parameters), self._result()
        poses = {}
        if result is not None:
            poses["result"] = RigidTransform.from_matrix(result["ct_to_world"])
            if result["stages"]["start"] is not None:
                poses = {"start": RigidTransform.from_matrix(result["stages"]["start"]), **poses}
            if (nudged := self._live.wanted("nudged")) is not None:
                poses = {"nudged": nudged, **poses}  # the pictures lie around the last
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
            None if result is None else reconstruction_of(transform_looked_at(parameters)),
        )
        self._show_state(asked, None)

    def _take(self, folder: Path, asked: Any) -> None:
        if self.panel.parameters is None or asked != self._asked:
            return
        self._asked = None
        self._shown.pictures, self._drawn = OverlayPictures(folder), asked
        transform = level_transforms(self.panel.parameters.ct).get(self._shown.pictures.level)
        if transform is not None:
            keep_landmarks(transform, self._shown.pictures.landmarks)
        if self._live.wanted("nudged") is None:
            self._shown.look_at("result")
        self._live.draw_what_is_missing()
        xrays = self.logic.inputs().xrays
        if not are_shown(xrays):  # views that the user has moved within are left as they are
            show_xrays(xrays, self.panel.parameters.ct, self._shown.controls.comparison.share)
        self._shown.show()
        once_drawn, self._once_drawn = self._once_drawn, None
        if once_drawn is not None:
            once_drawn()
        self.panel.section(In3DSection).lay_reconstruction_again()
        self.panel.refresh()

    def _take_failure(self, error: RadgsError, asked: Any) -> None:
        if asked == self._asked:
            self._asked, self._failed, self._why = None, asked, f"{error.problem} {error.remedy}"
            self._once_drawn = None
            self.panel.refresh()

    @property
    def result_pose(self) -> RigidTransform | None:
        """The pose of the result that is drawn; None where none is."""
        return self._shown.result_pose

    def look(self, where: WhereToLook, views: Collection[str]) -> None:
        """Shows a pose in a way to compare, draws it first where that has not been done, and says what to look for.

        Args:
            where: What to show.
            views: Names of the views to which the eye shall go.
        """

        def show() -> None:
            self._shown.controls.choose(where.mode)
            self._shown.sent = Sent(where.mode, where.what, views)
            self._shown.look_at(where.pose)
            self.ui.contourCheckBox.checked = where.mode != "agreement"  # which lies under the contour
            if where.films:
                show_xrays(self.logic.inputs().xrays, self.panel.parameters.ct, self._shown.controls.comparison.share)
            self._show_state(self._drawn, None)
            self._shown.paint_all()

        if self._shown.pictures is not None:
            show()
            return
        if self.ui.drawButton.enabled:
            self._press_draw()
        self._once_drawn = show

    def look_freely(self) -> None:
        """Forgets what the user was sent to look at."""
        self._shown.sent = self._once_drawn = None

    def show_nudged(self, pose: RigidTransform | None) -> None:
        """Draws a vertebra where a person has moved it, now and at its quickest; None when nobody moves it any more."""
        if pose is None:
            self._live.leave("nudged")
            if self.ui.nudgedRadioButton.checked:
                self.ui.resultRadioButton.checked = True
            return
        if self._live.wanted("nudged") is None:
            self.ui.nudgedRadioButton.checked = True
        self._live.show("nudged", pose)

    def compare_with(self, pose: RigidTransform | None) -> None:
        """Draws the contour of another pose beside the result's; None for none."""
        if pose is not None:
            self._live.show("compared", pose)
        elif self._live.wanted("compared") is not None:
            self._live.leave("compared")
            self._shown.paint_all()

    def _give_up(self) -> None:
        """What is being drawn makes room for what moves."""
        if self._asked is not None:
            self._asked = None
            self._show_state(self._drawn, None)

    def _say(self, error: RadgsError) -> None:
        self.ui.visualQaLabel.text = f"{error.problem} {error.remedy}"

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
        elif self._shown.pictures is not None and self._shown.sent is not None:
            label.text = f"{self._shown.pictures.level}: {self._shown.sent.what}"
        elif self._shown.pictures is not None:
            label.text = _("{level}: the contour should follow the bone in both views").format(
                level=self._shown.pictures.level
            )
        elif missing:
            label.text = _("Not drawn: {why}").format(why=missing)
        else:
            failed = wanted is not None and wanted == self._failed
            label.text = self._why if failed else _("Press Draw to compare")
        self._shown.enable()
        ui.nudgedRadioButton.setVisible(self._live.wanted("nudged") is not None)


def _what_is_seen(xray: Any) -> tuple[Any, ...]:
    """An X-ray's image, name and geometry, as something that can be compared."""
    geometry = xray_nodes.geometry_of(xray)
    stands = geometry.source_ras.tobytes(), geometry.detector_to_ras.tobytes()
    image = xray.GetID(), xray.GetImageData().GetMTime()
    return xray_nodes.view_name(xray), xray_nodes.pixel_type(xray), *image, *stands
