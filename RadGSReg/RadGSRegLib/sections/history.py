"""The earlier runs of the level that is shown: select one to have its pose and verdict back, or compare two."""

from __future__ import annotations

import math
from typing import Any

from slicer.i18n import tr as _

from radgs.errors import RadgsError
from radgs.geometry import FloatArray
from RadGSRegLib.review.history import Run, current_run, difference, middle_of, runs_of
from RadGSRegLib.review.verdicts import signed_verdict
from RadGSRegLib.scene.levels import active_level, level_transforms
from RadGSRegLib.scene.node_contract import LEVEL_ATTRIBUTE
from RadGSRegLib.sections.section import Section
from RadGSRegLib.sections.visual_qa import VisualQaSection


class HistorySection(Section):
    """Two choices of runs under the results; not to be seen before there are two runs."""

    def connect(self) -> None:
        """Connects the choices."""
        #: The level whose run is compared, and that run.
        self._compared: tuple[str, Run] | None = None
        self.ui.runsComboBox.connect("currentIndexChanged(int)", lambda number: self._choose(number))
        self.ui.compareComboBox.connect("currentIndexChanged(int)", lambda number: self._compare(number))

    def let_go(self) -> None:
        """Nothing is compared any more."""
        self._compared = None

    def follow(self, parameters: Any) -> None:
        """Shows the runs of the level that the CT follows."""
        ui, transform = self.ui, self._transform()
        runs = [] if transform is None else runs_of(transform)
        for widget in (ui.runsCaption, ui.runsComboBox, ui.compareCaption, ui.compareComboBox):
            widget.setVisible(len(runs) > 1)
        now = None if transform is None else current_run(transform)
        is_of_another_level = self._compared is not None and self._compared[0] != active_level(parameters.ct)
        if is_of_another_level or self._other(runs) == now:
            self._compared = None
        lines = [_line(run, middle_of(transform)) for run in runs]
        _fill(ui.runsComboBox, lines, -1 if now is None else now)
        _fill(ui.compareComboBox, [_("nothing"), *lines], 1 + self._other(runs))
        for box in (ui.runsComboBox, ui.compareComboBox):
            box.enabled = not self.logic.running
        self._show_difference(transform, runs, now)

    def _transform(self) -> Any:
        ct = None if self.panel.parameters is None else self.panel.parameters.ct
        return None if ct is None else level_transforms(ct).get(active_level(ct) or "")

    def _other(self, runs: list[Run]) -> int:
        """The number of the run that is compared; -1 where none is."""
        return -1 if self._compared is None or self._compared[1] not in runs else runs.index(self._compared[1])

    def _choose(self, number: int) -> None:
        transform = self._transform()
        runs = [] if transform is None else runs_of(transform)
        if 0 <= number < len(runs) and number != current_run(transform):
            level = transform.GetAttribute(LEVEL_ATTRIBUTE)
            try:
                is_whole = self.logic.restoreRun(self.logic.inputs(), level, number)
            except RadgsError as error:
                self.panel.say_error(error)
            else:
                self.panel.say("" if is_whole else _("That run's reconstruction is not kept any more."))
            self.panel.refresh()

    def _compare(self, entry: int) -> None:
        transform = self._transform()
        runs = [] if transform is None else runs_of(transform)
        chosen = runs[entry - 1] if 1 <= entry <= len(runs) else None
        level = active_level(self.panel.parameters.ct)
        self._compared = None if chosen is None or level is None else (level, chosen)
        self.panel.refresh()

    def _show_difference(self, transform: Any, runs: list[Run], now: int | None) -> None:
        """How far the two are apart, in words and as two contours in one picture."""
        label, other = self.ui.compareLabel, self._other(runs)
        shown = now is not None and other >= 0
        label.setVisible(shown)
        self.panel.section(VisualQaSection).compare_with(runs[other].pose if shown else None)
        if not shown or now is None:
            return
        apart = difference(transform, runs[now].pose, runs[other].pose)
        verdicts = [signed_verdict(run.values["verdict"]) for run in (runs[now], runs[other])]
        far = (
            _("how far apart is not known")
            if apart is None
            else _("{mean:.2f} mm apart at the surface, {largest:.2f} at most, and {degrees:.2f}°").format(
                mean=apart.mean_mm, largest=apart.largest_mm, degrees=apart.degrees
            )
        )
        mine, others = verdicts
        label.text = _("{mine} (blue) against {other} (green): {far}").format(mine=mine, other=others, far=far)


def _fill(box: Any, lines: list[str], chosen: int) -> None:
    """Gives a choice its lines, without telling anybody."""
    blocked = box.blockSignals(True)
    box.clear()
    for line in lines:
        box.addItem(line)
    box.setCurrentIndex(chosen)
    box.blockSignals(blocked)


def _line(run: Run, middle: FloatArray | None) -> str:
    """A run in a line: when, verdict, predicted error, how far from its start, and the model."""
    result = run.values
    error = result["predicted_error_mm"].get("surface_p95")
    known = error is not None and math.isfinite(error)
    expected = _("{error:.1f} mm").format(error=error) if known else _("unknown")
    moved = None if middle is None else run.moved_mm(middle)
    begun = "" if moved is None else _("{moved:.1f} mm from its start").format(moved=moved)
    return "  ".join((run.time, signed_verdict(result["verdict"]), expected, begun, run.model))
