"""Beside each vertebra in a picture stands what it is called."""

from __future__ import annotations

from typing import Any

import pytest


def line(kind: str, *rows: float) -> dict[str, Any]:
    return {"kind": kind, "part": "bone", "points": [[10.0, row] for row in rows]}


@pytest.mark.parametrize(
    ("level", "names"),
    [("L3", ["L2", "L3", "L4"]), ("T12", ["T11", "T12", "L1"]), ("T1", ["T1", "T2"]), ("L5", ["L4", "L5"])],
)
def test_names_go_down_the_picture_as_levels_go_down_the_spine(host: Any, level: str, names: list[str]) -> None:
    from RadGSRegLib.engine.overlay_pictures import named_rows

    above, below = line("neighbour", 20.0, 40.0), line("neighbour", 160.0, 180.0, 200.0)
    own = [line("silhouette", 90.0, 110.0), line("crest", 300.0)]
    rows = named_rows(level, [below, above, *own])
    assert sorted(rows, key=lambda name: rows[name]) == names
    assert rows[level] == 100.0


def test_what_is_alone_or_no_vertebra_has_no_names(host: Any) -> None:
    from RadGSRegLib.engine.overlay_pictures import named_rows

    assert named_rows("L3", [line("silhouette", 90.0, 110.0)]) == {}
    assert named_rows("radius", [line("silhouette", 90.0), line("neighbour", 20.0)]) == {}
