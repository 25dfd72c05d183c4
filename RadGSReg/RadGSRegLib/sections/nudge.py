"""Nudge: a copy of the vertebra moved by hand, its DRR and contour drawn along, and a registration from there."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from slicer.i18n import tr as _

from radgs.errors import RadgsError
from radgs.geometry import RigidTransform
from RadGSRegLib.review.readiness import what_to_do
from RadGSRegLib.scene.levels import level_looked_at, level_transforms, transform_looked_at
from RadGSRegLib.scene.node_watch import NodeWatch
from RadGSRegLib.scene.nudged_pose import (
    begin_nudge,
    end_nudge,
    is_out_of_date,
    nudge_of,
    show_handles_in,
    turning_point,
)
from RadGSRegLib.scene.placement import pose_of, set_pose
from RadGSRegLib.scene.slice_views import views_beside_films
from RadGSRegLib.sections.apply import ApplySection
from RadGSRegLib.sections.section import Section
from RadGSRegLib.sections.visual_qa import VisualQaSection

#: What one press of a button may do: millimetres, or degrees.
STEPS = (0.2, 0.5, 1.0, 2.0, 5.0)
FIRST_STEP = 1

#: The patient's axes, world RAS, by the buttons that shift along them and that turn about them.
SHIFTS = {"R": (1, 0, 0), "L": (-1, 0, 0), "A": (0, 1, 0), "P": (0, -1, 0), "S": (0, 0, 1), "I": (0, 0, -1)}
TURNS = {
    "Forward": (-1, 0, 0),
    "Backward": (1, 0, 0),
    "TiltR": (0, 1, 0),
    "TiltL": (0, -1, 0),
    "FaceR": (0, 0, -1),
    "FaceL": (0, 0, 1),
}


class NudgeSection(Section):
    """Everything it knows is in the scene: the copy is there, or nobody nudges."""

    def connect(self) -> None:
        """Connects the buttons."""
        ui = self.ui
        self._watch = NodeWatch(self._follow_copy)
        self._seen: RigidTransform | None = None
        for step in STEPS:
            ui.nudgeStepComboBox.addItem(_("{step:g} mm, {step:g}°").format(step=step), step)
        ui.nudgeStepComboBox.setCurrentIndex(FIRST_STEP)
        for name, axis in SHIFTS.items():
            getattr(ui, f"nudgeShift{name}Button").connect("clicked()", partial(self._move, axis, False))
        for name, axis in TURNS.items():
            getattr(ui, f"nudgeTurn{name}Button").connect("clicked()", partial(self._move, axis, True))
        ui.nudgeButton.connect("clicked(bool)", self._begin_or_end)
        ui.nudgeBackButton.connect("clicked(bool)", self._go_back)
        ui.nudgeRefineButton.connect("clicked(bool)", self._refine)

    def let_go(self) -> None:
        """The copy stays in the scene, where its handles can be moved; it is drawn again when the module is."""
        self._watch.watch([])
        self._seen = None

    def follow(self, parameters: Any) -> None:
        """Ends a nudge beside a result that is not there any more, or is not looked at."""
        transform = self._transform()
        for other in [] if parameters.ct is None else level_transforms(parameters.ct).values():
            if nudge_of(other) is not None and (other is not transform or is_out_of_date(other)):
                self._end(other)
        nudge = nudge_of(transform)
        if nudge is None and self._seen is not None:  # somebody has deleted it
            self._end(transform)
        if nudge is not None:
            show_handles_in(nudge, views_beside_films(self.logic.inputs().xrays))
        self._watch.watch([nudge])
        self._show_state(parameters, nudge)
        self._follow_copy()

    def _transform(self) -> Any:
        return transform_looked_at(self.panel.parameters)

    def _begin_or_end(self, begin: bool) -> None:
        transform = self._transform()
        result = self.panel.section(VisualQaSection).result_pose
        if begin and transform is not None and result is not None:
            begin_nudge(transform, result)
        else:
            self._end(transform)
        self.panel.refresh()

    def _end(self, transform: Any) -> None:
        self._watch.watch([])
        self._seen = None
        end_nudge(transform)
        self.panel.section(VisualQaSection).show_nudged(None)

    def _follow_copy(self) -> None:
        """Draws the copy where it is now, whoever moved it."""
        nudge = nudge_of(self._transform())
        pictures = self.panel.section(VisualQaSection)
        if nudge is None or pictures.result_pose is None:
            return
        pose = self._pose(nudge)
        if pose is None:
            return
        if self._seen is None or not np.array_equal(pose.matrix, self._seen.matrix):
            self._seen = pose
            pictures.show_nudged(pose)
        away = np.linalg.norm(pose.apply(turning_point(nudge)) - pictures.result_pose.apply(turning_point(nudge)))
        degrees = np.degrees(pose.geodesic_angle_to(pictures.result_pose))
        text = _("{away:.1f} mm and {degrees:.1f}° from the result")
        self.ui.nudgeLabel.text = text.format(away=away, degrees=degrees)

    def _pose(self, nudge: Any) -> RigidTransform | None:
        """Where the copy stands; None, and a sentence, where it was scaled."""
        try:
            return pose_of(nudge)
        except RadgsError as error:
            self.panel.say_error(error)
            return None

    def _move(self, axis: tuple[int, int, int], turn: bool) -> None:
        nudge = nudge_of(self._transform())
        pose = None if nudge is None else self._pose(nudge)
        if pose is None:
            return
        step = float(self.ui.nudgeStepComboBox.currentData)
        by = np.array(axis) * step
        rotation, shift = (np.radians(by), np.zeros(3)) if turn else (np.zeros(3), by)
        set_pose(nudge, pose.rotated_about(pose.apply(turning_point(nudge)), rotation, shift))

    def _go_back(self) -> None:
        nudge, result = nudge_of(self._transform()), self.panel.section(VisualQaSection).result_pose
        if nudge is not None and result is not None:
            set_pose(nudge, result)

    def _refine(self) -> None:
        nudge, inputs = nudge_of(self._transform()), self.logic.inputs()
        level = level_looked_at(self.panel.parameters)
        if nudge is None or level not in inputs.segments:
            self.panel.say_error(RadgsError(f"{level} is not among the levels ticked.", "Tick it, then refine."))
            return
        start = self._pose(nudge)
        if start is None:
            return
        one = replace(inputs, segments={level: inputs.segments[level]}, starts={level: start})
        self.panel.section(ApplySection).register(one)

    def _show_state(self, parameters: Any, nudge: Any) -> None:
        ui = self.ui
        drawn = self.panel.section(VisualQaSection).result_pose is not None
        ui.nudgeButton.enabled = (drawn or nudge is not None) and not self.logic.running
        ui.nudgeButton.checked = nudge is not None
        ui.nudgeButton.toolTip = (
            _("Move a copy of the vertebra by hand, with the buttons or the handles in the views")
            if ui.nudgeButton.enabled
            else _("There is nothing to nudge before a result has been drawn")
        )
        ui.nudgeFrame.setVisible(nudge is not None)
        todo = [_("A registration is under way")] if self.logic.running else what_to_do(self.logic.inputs(), parameters)
        ui.nudgeRefineButton.enabled = not todo
        ui.nudgeRefineButton.toolTip = (
            _("Still to do: {things}").format(things="; ".join(todo))
            if todo
            else _("Register this level again, starting from where you put it; the result so far stays among the runs")
        )
