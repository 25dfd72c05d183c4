"""How uncertain a pose is, as ellipsoids in the vertebra: they hold a point's true place with 95 % certainty."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import slicer

from radgs.case.pose_covariance import ELLIPSOID_95, PoseCovariance
from radgs.colours import RESULT, rgb
from radgs.errors import InputFileError
from radgs.geometry import FloatArray, RigidTransform
from radgs.io.json_fields import JsonObject
from RadGSRegLib.scene.gaussian_glyphs import surface_of_ellipsoids
from RadGSRegLib.scene.node_contract import (
    LANDMARKS_ATTRIBUTE,
    LEVEL_ATTRIBUTE,
    OPACITY_ATTRIBUTE,
    RESULT_ATTRIBUTE,
    UNCERTAINTY_ROLE,
    VERTEBRA_ROLE,
)
from RadGSRegLib.scene.placement import in_scene, remove

#: Of the ellipsoids, and of the vertebra around them, which must not hide them.
OPACITY, VERTEBRA_OPACITY = 0.8, 0.3
#: Corners, against those of a Gaussian: there are only three.
FINER = 3
#: What the ellipsoids are made from.
WHAT_IS_SHOWN = (RESULT_ATTRIBUTE, LANDMARKS_ATTRIBUTE)


def covariance_of(transform: Any) -> PoseCovariance | None:
    """The covariance that the result of a level's transform holds; None where it holds none that can be read."""
    result = json.loads(transform.GetAttribute(RESULT_ATTRIBUTE) or "{}")
    if result.get("pose_covariance") is None or result.get("ct_to_world") is None:
        return None
    try:
        return PoseCovariance.read(JsonObject(result["pose_covariance"], Path(transform.GetName()), "", InputFileError))
    except InputFileError:
        return None


def keep_landmarks(transform: Any, points: Mapping[str, FloatArray]) -> None:
    """Remembers points (3,) of a level's vertebra by name, the CT's own RAS, at which ellipsoids stand."""
    transform.SetAttribute(LANDMARKS_ATTRIBUTE, json.dumps({name: point.tolist() for name, point in points.items()}))


def ellipsoids_in_ct(transform: Any) -> tuple[FloatArray, FloatArray]:
    """Centres (N, 3) and half axes (N, 3, 3), one a row, of the ellipsoids, in the CT's own RAS, mm.

    They stand at the vertebra's landmarks; where these are not known yet, at the middle of its body.

    Args:
        transform: A level's, with a result that knows its covariance.
    """
    covariance = covariance_of(transform)
    assert covariance is not None
    pose = RigidTransform.from_matrix(json.loads(transform.GetAttribute(RESULT_ATTRIBUTE))["ct_to_world"])
    points = list(json.loads(transform.GetAttribute(LANDMARKS_ATTRIBUTE) or "{}").values())
    world = pose.apply(points) if points else covariance.centre[None]
    size, direction = np.linalg.eigh(covariance.of_points(world))
    half = ELLIPSOID_95 * np.sqrt(np.maximum(size, 0.0))[:, None, :] * direction  # a column each, world axes
    return pose.inverse().apply(world), half.transpose(0, 2, 1) @ pose.rotation


def put_uncertainty(transform: Any) -> Any:
    """Shows the ellipsoids of a level's result as a model under its transform, and returns it."""
    centres, axes = ellipsoids_in_ct(transform)
    model = transform.GetNodeReference(UNCERTAINTY_ROLE)
    level = transform.GetAttribute(LEVEL_ATTRIBUTE)
    if not in_scene(model):
        model = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode", f"{level} uncertainty (95 %)")
        model.SetAttribute(LEVEL_ATTRIBUTE, level)
        transform.SetNodeReferenceID(UNCERTAINTY_ROLE, model.GetID())
    model.SetAndObservePolyData(surface_of_ellipsoids(centres, axes, np.ones(len(centres)), FINER))
    model.CreateDefaultDisplayNodes()
    display = model.GetDisplayNode()
    display.SetColor(*rgb(RESULT))
    display.SetScalarVisibility(False)
    display.SetOpacity(OPACITY)
    display.SetVisibility2D(True)
    for name in WHAT_IS_SHOWN:
        model.SetAttribute(name, transform.GetAttribute(name))
    model.SetAndObserveTransformNodeID(transform.GetID())
    _let_through(transform.GetNodeReference(VERTEBRA_ROLE), model)
    return model


def hide_uncertainty(transform: Any) -> None:
    """Takes the ellipsoids of a level out of the scene, if there are any; its vertebra is as opaque as before."""
    if not is_uncertainty_shown(transform):
        return
    model, vertebra = (transform.GetNodeReference(role) for role in (UNCERTAINTY_ROLE, VERTEBRA_ROLE))
    before = model.GetAttribute(OPACITY_ATTRIBUTE)
    display = vertebra.GetDisplayNode() if in_scene(vertebra) else None
    if before is not None and display is not None and display.GetOpacity() == VERTEBRA_OPACITY:
        display.SetOpacity(float(before))  # otherwise somebody has chosen another meanwhile
    remove(model)


def _let_through(vertebra: Any, model: Any) -> None:
    """Makes a vertebra so translucent that what is inside it can be seen; the ellipsoids remember how it was."""
    display = vertebra.GetDisplayNode() if in_scene(vertebra) else None
    if display is not None and display.GetOpacity() > VERTEBRA_OPACITY:
        model.SetAttribute(OPACITY_ATTRIBUTE, str(display.GetOpacity()))
        display.SetOpacity(VERTEBRA_OPACITY)


def is_uncertainty_shown(transform: Any) -> bool:
    """Whether a level's ellipsoids are in the scene."""
    return transform is not None and in_scene(transform.GetNodeReference(UNCERTAINTY_ROLE))


def is_uncertainty_out_of_date(transform: Any) -> bool:
    """Whether the ellipsoids shown are of another result than the transform holds."""
    model = transform.GetNodeReference(UNCERTAINTY_ROLE)
    return any(model.GetAttribute(name) != transform.GetAttribute(name) for name in WHAT_IS_SHOWN)
