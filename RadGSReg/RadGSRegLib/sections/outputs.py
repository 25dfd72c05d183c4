"""Outputs: what the results are called, and which of them will be new."""

from __future__ import annotations

from typing import Any

from RadGSRegLib.sections.section import Section


class OutputsSection(Section):
    """Names; the line edits are bound to their parameters by the form."""

    def follow(self, parameters: Any) -> None:
        """Says which nodes a registration will make or renew."""
