"""Where an X-ray was measured, as somebody said: a mask's file or a polygon, kept with its volume."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from radgs.geometry import FloatArray
from RadGSRegLib.scene.node_contract import FIELD_ATTRIBUTE


def set_field(volume: Any, field: Path | FloatArray | None) -> None:
    """Keeps a mask's file, or the (N, 2) corners (column, row) of a polygon; None: it is to be found in the image."""
    if field is None:
        volume.RemoveAttribute(FIELD_ATTRIBUTE)
    else:
        value = str(field.absolute()) if isinstance(field, Path) else field.tolist()
        volume.SetAttribute(FIELD_ATTRIBUTE, json.dumps(value))


def field_of(volume: Any) -> Path | FloatArray | None:
    """What was kept; None where nothing was, or nothing that can be read."""
    try:
        value = json.loads(volume.GetAttribute(FIELD_ATTRIBUTE) or "null")
        if isinstance(value, str):
            return Path(value)
        corners = np.array(value, dtype=np.float64)
    except (ValueError, TypeError):
        return None
    return corners if corners.ndim == 2 and corners.shape[1] == 2 else None
