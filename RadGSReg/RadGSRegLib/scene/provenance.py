"""Which registration a level comes from, and where CT and X-rays stood then, as the level's transform keeps it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import slicer
from numpy.typing import ArrayLike

from radgs.errors import RadgsError
from radgs.export.released_poses import Provenance
from radgs.geometry import FloatArray
from RadGSRegLib.export.references import registered_xrays
from RadGSRegLib.scene.node_contract import PROVENANCE_ATTRIBUTE
from RadGSRegLib.scene.placement import ijk_to_own_ras, in_scene
from RadGSRegLib.scene.xray_nodes import geometry_of

#: What is further than this from where it stood has been moved, not merely saved and read again.
STILL_MM = 0.01
#: Corners of a cube of one metre about the origin, (8, 3): where a moved transform is told from one that was not.
CUBE = np.array(np.meshgrid(*[[-500.0, 500.0]] * 3)).reshape(3, -1).T


def moved_by_mm(transform: Any, registered: ArrayLike) -> float:
    """How far a level's transform takes a point of a metre's cube from where the pose (4, 4) of its result takes it."""
    now, then = slicer.util.arrayFromTransformMatrix(transform), np.asarray(registered, dtype=float)
    apart: FloatArray = CUBE @ (now - then)[:3, :3].T + (now - then)[:3, 3]
    return float(np.linalg.norm(apart, axis=1).max())


def keep_provenance(transform: Any, provenance: Provenance, ct: Any, xrays: Sequence[Any]) -> None:
    """Writes onto a level's transform which registration it comes from, and where CT and X-rays stand now."""
    rays = [_rays(xray) for xray in xrays if in_scene(xray)]
    values = {
        "result_sha256": provenance.result_sha256,
        "case_sha256": provenance.case_sha256,
        "versions": dict(provenance.versions),
        "ct": _corners(ct),
        "xrays": [points for points in rays if points is not None],
    }
    transform.SetAttribute(PROVENANCE_ATTRIBUTE, json.dumps(values, ensure_ascii=False))


def provenance_of(transform: Any) -> Provenance:
    """Which registration a level comes from; an unknown one where its transform keeps nothing.

    Raises:
        ValueError: What it keeps was not written by ``keep_provenance``.
    """
    kept = _kept(transform)
    versions = kept.get("versions") or {}
    if not isinstance(versions, dict):
        raise ValueError("versions are not a table")
    return Provenance(kept.get("result_sha256"), kept.get("case_sha256"), versions)


def what_has_moved(transform: Any, ct: Any) -> str | None:
    """What does not stand any more where it stood when a level was registered, as a phrase; None where all does.

    A pose between two frames holds only while both do: the CT's own, and that of the X-rays.

    Raises:
        ValueError: What the transform keeps was not written by ``keep_provenance``.
    """
    kept = _kept(transform)
    if "ct" in kept and not _same(kept["ct"], _corners(ct)):
        return f"{ct.GetName()} has another geometry than when it was registered"
    known = kept.get("xrays") or []
    for xray in registered_xrays(transform) if known else []:
        now = _rays(xray)
        if not any(_same(then, now) for then in known):
            return f"the X-ray {xray.GetName()} does not stand where it stood when it was registered"
    return None


def _kept(transform: Any) -> dict[str, Any]:
    kept = json.loads(transform.GetAttribute(PROVENANCE_ATTRIBUTE) or "{}")
    if not isinstance(kept, dict):
        raise ValueError("not a table")
    return kept


def _corners(ct: Any) -> list[list[float]]:
    """(4, 3) a volume's three far corners and its first voxel, in its own RAS: its whole geometry."""
    size = ct.GetImageData().GetDimensions() if ct.GetImageData() is not None else (0, 0, 0)
    to_ras = ijk_to_own_ras(ct)
    return (np.vstack([np.diag(size), np.zeros(3)]) @ to_ras[:3, :3].T + to_ras[:3, 3]).tolist()


def _rays(xray: Any) -> list[list[float]] | None:
    """(4, 3) an X-ray's source and three corners of its film, in the world; None where it has no such geometry."""
    try:
        geometry = geometry_of(xray)
    except RadgsError:
        return None
    rows, columns = geometry.shape
    corners = geometry.pixel_to_ras([[0, 0], [columns, 0], [0, rows]])
    return np.vstack([geometry.source_ras, corners]).tolist()


def _same(first: Any, second: Any) -> bool:
    if np.shape(first) != np.shape(second):
        return False
    difference: FloatArray = np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
    return bool(np.abs(difference).max() <= STILL_MM)
