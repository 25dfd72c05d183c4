"""Advanced: how and where the engine computes, and which engine it is. The form binds choices to their parameters."""

from __future__ import annotations

from typing import Any

from slicer.i18n import tr as _

from RadGSRegLib.sections.section import Section


class AdvancedSection(Section):
    """Device and version."""

    def connect(self) -> None:
        """Says which engine is installed."""
        self.ui.engineLabel.text = _("radgs {version}").format(version=self.logic.engineVersion())

    def follow(self, parameters: Any) -> None:
        """How a registration under way computes cannot be changed."""
        self.ui.deviceComboBox.enabled = self.ui.selfCalibrateCheckBox.enabled = not self.logic.running
