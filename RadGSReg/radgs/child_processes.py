"""Processes of our own that run a part of the engine."""

from __future__ import annotations

import os
from pathlib import Path

_ENGINE = Path(__file__).resolve().parents[1]


def child_environment(**settings: str) -> dict[str, str]:
    """The environment of a Python that finds this engine, and looks for no module in the folder that it runs in.

    Args:
        settings: Variables besides this process's own.
    """
    path = os.pathsep.join([str(_ENGINE), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1", **settings}
