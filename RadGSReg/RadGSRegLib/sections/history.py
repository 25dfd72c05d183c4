"""The earlier runs of the level that is shown: select one to have its pose and its verdict back."""

from __future__ import annotations

import math
from typing import Any

from slicer.i18n import tr as _

from radgs.geometry import FloatArray
from RadGSRegLib.review.history import Run, current_run, middle_of, restore_run, runs_of
from RadGSRegLib.review.verdicts import signed_verdict
from RadGSRegLib.scene.levels import active_level, level_transforms
from RadGSRegLib.sections.section import Section


class HistorySection(Section):
    """A choice of runs under the results; not to be seen before there are two."""

    def connect(self) -> None:
        """Connects the choice."""
        self.ui.runsComboBox.connect("currentIndexChanged(int)", lambda number: self._choose(number))

    def follow(self, parameters: Any) -> None:
        """Shows the runs of the level that the CT follows."""
        box, transform = self.ui.runsComboBox, self._transform()
        runs = [] if transform is None else runs_of(transform)
        for widget in (self.ui.runsCaption, box):
            widget.setVisible(len(runs) > 1)
        blocked = box.blockSignals(True)
        box.clear()
        for run in runs:
            box.addItem(_line(run, middle_of(transform)))
        now = None if transform is None else current_run(transform)
        box.setCurrentIndex(-1 if now is None else now)
        box.enabled = not self.logic.running
        box.blockSignals(blocked)

    def _transform(self) -> Any:
        ct = None if self.panel.parameters is None else self.panel.parameters.ct
        return None if ct is None else level_transforms(ct).get(active_level(ct) or "")

    def _choose(self, number: int) -> None:
        transform = self._transform()
        runs = [] if transform is None else runs_of(transform)
        if 0 <= number < len(runs) and number != current_run(transform):
            restore_run(transform, runs[number])
            self.panel.refresh()


def _line(run: Run, middle: FloatArray | None) -> str:
    """A run in a line: when, verdict, predicted error, how far from its start, and the model."""
    result = run.values
    error = result["predicted_error_mm"].get("surface_p95")
    known = error is not None and math.isfinite(error)
    expected = _("{error:.1f} mm").format(error=error) if known else _("unknown")
    moved = None if middle is None else run.moved_mm(middle)
    begun = "" if moved is None else _("{moved:.1f} mm from its start").format(moved=moved)
    return "  ".join((run.time, signed_verdict(result["verdict"]), expected, begun, run.model))
