"""Visual QA: the X-rays with the CT drawn over them, before and after."""

from __future__ import annotations

from typing import Any

from RadGSRegLib.sections.section import Section


class VisualQaSection(Section):
    """Pictures of both views, and what the 3D view shows."""

    def follow(self, parameters: Any) -> None:
        """Shows the pictures there are."""
