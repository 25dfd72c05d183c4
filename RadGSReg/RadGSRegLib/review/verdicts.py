"""How verdicts look, and what they are called."""

from __future__ import annotations

from typing import Any

from slicer.i18n import tr as _

from radgs.case import VERDICT_SIGNS
from radgs.colours import VERDICT_WORDS
from RadGSRegLib.theme import colour, colour_on_selection


def verdict_word(verdict: str) -> str:
    """A verdict in the user's language."""
    return {"accept": _("accept"), "check": _("check"), "reject": _("reject")}[verdict]


def signed_verdict(verdict: str) -> str:
    """A verdict's sign and its word."""
    return f"{VERDICT_SIGNS[verdict]} {verdict_word(verdict)}"


def verdict_colours(verdict: str, widget: Any) -> tuple[str, str]:
    """A verdict's colour for words on a widget's own background, and that for a patch on a selected row."""
    return verdict_colour(verdict, widget), colour_on_selection(VERDICT_WORDS[verdict])


def verdict_colour(verdict: str, widget: Any) -> str:
    """A verdict's colour, for words on a widget's own background."""
    return colour(VERDICT_WORDS[verdict], widget)
