"""The geometry that an X-ray had before a self-calibration changed it: kept with the X-ray, to go back to."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from radgs.errors import GeometryError, RadgsError
from radgs.geometry import FloatArray, ViewGeometry, angle_between
from radgs.geometry.sigma import GeometrySigma
from RadGSRegLib.scene import xray_nodes
from RadGSRegLib.scene.node_contract import ASSUMED_ATTRIBUTE, FORMER_GEOMETRY_ATTRIBUTE
from RadGSRegLib.scene.view_geometry import put_geometry, sigma_of, sigma_of_text


def change_geometry(volume: Any, geometry: ViewGeometry, origin: str, sigma: GeometrySigma | None) -> None:
    """Puts an X-ray where a self-calibration found it, and keeps where it stood; of several, before the first.

    Raises:
        GeometryError: The X-ray had no geometry, or the new one belongs to an image of another size.
        InputFileError: The volume holds no image, or more than one.
    """
    kept = volume.GetAttribute(FORMER_GEOMETRY_ATTRIBUTE) or _as_text(volume)
    put_geometry(volume, geometry, origin, (), sigma)
    volume.SetAttribute(FORMER_GEOMETRY_ATTRIBUTE, kept)


def former_geometry(volume: Any) -> ViewGeometry | None:
    """Source and film as they stood before a self-calibration, RAS mm; None where none changed them."""
    kept = _kept(volume)
    if kept is None:
        return None
    try:
        source, film = np.array(kept["source_ras"], float), np.array(kept["detector_to_ras"], float)
        return ViewGeometry(source, film, xray_nodes.pixels_of(volume).shape[:2])
    except (RadgsError, KeyError, TypeError, ValueError):
        return None


def restore_geometry(volume: Any) -> None:
    """Puts an X-ray back where it stood before a self-calibration, with all that was said of it.

    Raises:
        GeometryError: Nothing is kept of it.
    """
    geometry, kept = former_geometry(volume), _kept(volume)
    if geometry is None or kept is None:
        raise GeometryError(
            f"Nothing is kept of where {volume.GetName()} stood before.", "Load its geometry, or edit it."
        )
    assumed = kept.get("assumed")
    sigma = sigma_of_text(json.dumps(kept["geometry_sigma"])) if kept.get("geometry_sigma") else None
    put_geometry(volume, geometry, str(kept.get("origin") or ""), [str(assumed)] if assumed else (), sigma)


def change_of(volume: Any) -> tuple[float, float, float] | None:
    """How far source and film's middle stand from where they stood, mm, and how far the film is turned, degrees."""
    former = former_geometry(volume)
    if former is None:
        return None
    now = xray_nodes.geometry_of(volume)
    turn = max(angle_between(getattr(former, axis), getattr(now, axis)) for axis in ("normal", "column_step"))
    return _distance(former.source_ras, now.source_ras), _distance(former.centre_ras, now.centre_ras), np.degrees(turn)


def _distance(one: FloatArray, other: FloatArray) -> float:
    return float(np.linalg.norm(one - other))


def _as_text(volume: Any) -> str:
    geometry, sigma = xray_nodes.geometry_of(volume), sigma_of(volume)
    return json.dumps(
        {
            "source_ras": geometry.source_ras.tolist(),
            "detector_to_ras": geometry.detector_to_ras.tolist(),
            "origin": xray_nodes.geometry_origin(volume),
            "assumed": volume.GetAttribute(ASSUMED_ATTRIBUTE),
            "geometry_sigma": None if sigma is None else sigma.to_json_dict(),
        }
    )


def _kept(volume: Any) -> dict[str, Any] | None:
    text = volume.GetAttribute(FORMER_GEOMETRY_ATTRIBUTE)
    if text is None:
        return None
    try:
        kept = json.loads(text)
    except ValueError:
        return None  # somebody else's
    return kept if isinstance(kept, dict) else None
