"""Levels that were asked for and never found: they have no transform to keep their result, so that the CT keeps it."""

from __future__ import annotations

import json
from typing import Any

from radgs.case import LevelResult
from RadGSRegLib.scene.node_contract import NEVER_FOUND_ATTRIBUTE


def never_found(ct: Any) -> dict[str, dict[str, Any]]:
    """By level, its part of result.json; what somebody else wrote there is none."""
    try:
        kept: dict[str, dict[str, Any]] = json.loads(ct.GetAttribute(NEVER_FOUND_ATTRIBUTE) or "{}")
    except ValueError:
        return {}
    return kept if isinstance(kept, dict) else {}


def keep_never_found(ct: Any, level: str, outcome: LevelResult) -> None:
    """Remembers why a level has no pose."""
    _write(ct, {**never_found(ct), level: outcome.to_json_dict()})


def forget_never_found(ct: Any, level: str) -> None:
    """A level has a pose now."""
    _write(ct, {name: kept for name, kept in never_found(ct).items() if name != level})


def _write(ct: Any, kept: dict[str, dict[str, Any]]) -> None:
    if kept:
        ct.SetAttribute(NEVER_FOUND_ATTRIBUTE, json.dumps(kept, ensure_ascii=False))
    else:
        ct.RemoveAttribute(NEVER_FOUND_ATTRIBUTE)
