"""Where the CT would stand if X-rays' sources and films stood where somebody says: its level on the clicks.

Nothing is registered: it is good enough for a DRR to be told from one of a wrong geometry by eye.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import slicer

from radgs.anatomy.body import SPACING_MM, thick_part
from radgs.errors import CaseError, RadgsError
from radgs.geometry import FloatArray, RigidTransform, ViewGeometry, Volume
from radgs.geometry.projection import likely_point
from RadGSRegLib.scene import xray_nodes
from RadGSRegLib.scene.case_inputs import CaseInputs
from RadGSRegLib.scene.levels import unmoved_parent
from RadGSRegLib.scene.placement import ijk_to_own_ras, in_scene, pose_of
from RadGSRegLib.scene.segments import alone
from RadGSRegLib.scene.view_geometry import marked_pixel


class CtPlacement:
    """Places the CT of the inputs by the level that was clicked most, or else by the first.

    Args:
        inputs: The inputs, as far as they are chosen; there is a CT.
        parameter_node: The module's vtkMRMLScriptedModuleNode, which refers to the clicks.
    """

    def __init__(self, inputs: CaseInputs, parameter_node: Any) -> None:
        self._node = parameter_node
        levels = list(inputs.segments)
        self._level = max(levels, key=lambda level: self._clicks(level, inputs.xrays), default=None)
        self._turn = _start_rotation(inputs.ct)
        self._point = self._centre(inputs)

    def pose(self, views: Sequence[tuple[Any, ViewGeometry]]) -> RigidTransform:
        """``ct_to_world`` where X-rays have a geometry, whatever geometry they have now.

        Args:
            views: X-rays with their geometry, in one world; one or more.
        """
        clicks = [self._click(xray) for xray, _geometry in views]
        point = likely_point([geometry for _xray, geometry in views], clicks)
        return RigidTransform(self._turn, point - self._turn @ self._point)

    def _clicks(self, level: str, xrays: Sequence[Any]) -> int:
        return sum(xray_nodes.click_of(self._node, level, xray) is not None for xray in xrays if in_scene(xray))

    def _click(self, xray: Any) -> FloatArray | None:
        """(2,) the pixel that was clicked; None where none was, or where it cannot be told."""
        fiducial = None if self._level is None else xray_nodes.click_of(self._node, self._level, xray)
        if fiducial is None:
            return None
        try:
            pixel = marked_pixel(xray, fiducial)
        except RadgsError:
            return None
        return pixel if np.isfinite(pixel).all() else None

    def _centre(self, inputs: CaseInputs) -> FloatArray:
        """(3,) the level's body, the CT's own RAS; the CT's middle, where there is no level."""
        if self._level is not None and in_scene(inputs.segmentation):
            vertebra = alone(inputs.segmentation, inputs.segments[self._level])
            if vertebra is not None:
                return body_of(vertebra)
        size = np.array(slicer.util.arrayFromVolume(inputs.ct).shape[::-1])
        middle: FloatArray = (ijk_to_own_ras(inputs.ct) @ np.append((size - 1) / 2, 1.0))[:3]
        return middle


def body_of(vertebra: Volume) -> FloatArray:
    """(3,) the middle of a bone's thick part, RAS mm: within millimetres of a vertebra's body centre.

    Args:
        vertebra: 1 within the bone, 0 around it.
    """
    corners = vertebra.to_ras(np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)]) * vertebra.size)
    low, high = corners.min(axis=0), corners.max(axis=0)
    counts = np.ceil((high - low) / SPACING_MM).astype(int) + 1
    grid = Volume(np.zeros(counts[::-1], dtype=np.float32), np.diag([SPACING_MM] * 3 + [1.0]))
    grid.index_to_ras[:3, 3] = low
    inside = vertebra.resampled_to(grid).array > 0.5
    try:
        part = thick_part(inside, 1)
    except CaseError:  # a sliver: its middle is as good
        part = inside
    return grid.to_ras(np.argwhere(part if part.any() else inside)[:, ::-1].mean(axis=0))


def _start_rotation(ct: Any) -> FloatArray:
    """(3, 3) how the user's own transform turns the CT; not at all, where there is none that could be used."""
    parent = unmoved_parent(ct)
    if parent is None:
        return np.eye(3)
    try:
        return pose_of(parent).rotation
    except RadgsError:
        return np.eye(3)
