"""Outputs: what the results are called, and which of them will be new."""

from __future__ import annotations

from typing import Any

from slicer.i18n import tr as _

from RadGSRegLib.levels import level_transforms
from RadGSRegLib.result_import import name_of
from RadGSRegLib.sections.section import Section


class OutputsSection(Section):
    """Names; the line edits are bound to their parameters by the form."""

    def follow(self, parameters: Any) -> None:
        """Says which transforms a registration will make or renew."""
        for edit in (self.ui.transformNameEdit, self.ui.reconstructionNameEdit):
            edit.enabled = not self.logic.running
        known = {} if parameters.ct is None else level_transforms(parameters.ct)
        lines = [
            (_("{name} (will be replaced)") if level in known else _("{name} (new)")).format(
                name=name_of(parameters.transformName, level)
            )
            for level in parameters.segments
        ]
        self.ui.outputsLabel.text = ", ".join(lines)
        self.ui.outputsLabel.setVisible(bool(lines))
