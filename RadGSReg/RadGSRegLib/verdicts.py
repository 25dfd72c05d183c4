"""How verdicts look."""

from __future__ import annotations

from typing import Any

from RadGSRegLib.theme import colour, colour_on_selection

VERDICT_SIGNS = {"accept": "✓", "check": "?", "reject": "✗"}
KINDS = {"accept": "good", "check": "doubt", "reject": "bad"}


def verdict_colours(verdict: str, widget: Any) -> tuple[str, str]:
    """A verdict's colour for words on a widget's own background, and that for a patch on a selected row."""
    return verdict_colour(verdict, widget), colour_on_selection(KINDS[verdict])


def verdict_colour(verdict: str, widget: Any) -> str:
    """A verdict's colour, for words on a widget's own background."""
    return colour(KINDS[verdict], widget)
