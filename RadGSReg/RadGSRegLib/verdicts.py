"""How verdicts look."""

from __future__ import annotations

from typing import Any

from RadGSRegLib.theme import colour

VERDICT_SIGNS = {"accept": "✓", "check": "?", "reject": "✗"}
KINDS = {"accept": "good", "check": "doubt", "reject": "bad"}


def verdict_colour(verdict: str, widget: Any) -> str:
    """A verdict's colour, for words on a widget's own background."""
    return colour(KINDS[verdict], widget)
