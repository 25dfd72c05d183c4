"""The slice views: an X-ray each in its own plane, the CT in the third."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import slicer

from RadGSRegLib.scene import xray_nodes
from RadGSRegLib.scene.drr_nodes import drr_of
from RadGSRegLib.scene.film_nodes import on_film
from RadGSRegLib.scene.node_contract import COMPARED_ROLE, ON_FILM_ATTRIBUTE, SHADING_ROLE
from RadGSRegLib.scene.placement import in_scene

#: Singleton tags of the slice views for X-ray 1, X-ray 2 and the CT.
XRAY_VIEWS = ("Red", "Yellow")
CT_VIEW = "Green"

#: Slicer's orientation presets by the RAS axis along their normal.
ORIENTATIONS = ("Sagittal", "Coronal", "Axial")


def show_xrays(xrays: Sequence[Any], ct: Any = None, opacity: float = 0.5) -> None:
    """Shows each X-ray in a slice view that lies in its film, and the CT in the third, as far as there are such views.

    Args:
        xrays: X-ray volumes, at most as many as there are views for them.
        ct: The CT; None leaves its view as it is.
        opacity: Of a DRR, or of what is compared with it, that comes to lie over its X-ray.
    """
    for tag, xray in zip(XRAY_VIEWS, xrays, strict=False):
        view, layers = slice_view(tag)
        if view is not None:
            layers.SetBackgroundVolumeID(xray.GetID())
            _lay(layers, on_film(xray, COMPARED_ROLE) or drr_of(xray), opacity)
            _lay_labels(layers, on_film(xray, SHADING_ROLE))
            _lie_in_film(view, xray)
            _fit(view)
    view, layers = slice_view(CT_VIEW)
    if view is not None and in_scene(ct):
        layers.SetBackgroundVolumeID(ct.GetID())
        _fit(view)


def are_shown(xrays: Sequence[Any]) -> bool:
    """Whether each X-ray is in the slice view that ``show_xrays`` puts it into."""
    layers = [slice_view(tag)[1] for tag in XRAY_VIEWS[: len(xrays)]]
    return all(
        layer is not None and layer.GetBackgroundVolumeID() == xray.GetID()
        for layer, xray in zip(layers, xrays, strict=False)
    )


def views_beside_films(xrays: Sequence[Any]) -> list[str]:
    """IDs of the 3D views, and of the slice views that show none of the X-rays."""
    films = {xray.GetID() for xray in xrays}
    layers = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
    tags = {layer.GetLayoutName() for layer in layers if layer.GetBackgroundVolumeID() in films}
    views = slicer.util.getNodesByClass("vtkMRMLAbstractViewNode")
    kinds = ("vtkMRMLSliceNode", "vtkMRMLViewNode")
    return [view.GetID() for view in views if view.GetClassName() in kinds and view.GetLayoutName() not in tags]


def lay_over(background: Any, foreground: Any, opacity: float) -> None:
    """Lays a volume over another in every slice view that shows the other; None takes away what lies there.

    Where it lies already, its opacity is the user's, who may have set it at the view.
    """
    for layer in _layers_over(background):
        _lay(layer, foreground, opacity)


def exchange(background: Any, former: Sequence[Any], foreground: Any, opacity: float) -> None:
    """Lays a volume over another wherever one of the former ones lies; what the user laid there stays.

    Args:
        background: The volume below.
        former: Volumes that may lie over it; None is let pass.
        foreground: What takes their place, one of them or another.
        opacity: How much of it is mixed in, 0..1.
    """
    known = {volume.GetID() for volume in (*former, foreground) if volume is not None}
    for layer in _layers_over(background):
        if layer.GetForegroundVolumeID() in known:
            layer.SetForegroundVolumeID(foreground.GetID())
            layer.SetForegroundOpacity(opacity)


def lay_labels_over(background: Any, labels: Any) -> None:
    """Lays a label map over a volume in every slice view that shows it and no labels of the user's."""
    for layer in _layers_over(background):
        _lay_labels(layer, labels)


def _lay_labels(layer: Any, labels: Any) -> None:
    there = layer.GetLabelVolumeID()
    node = None if there is None else slicer.mrmlScene.GetNodeByID(there)
    if node is None or node.GetAttribute(ON_FILM_ATTRIBUTE) is not None:
        layer.SetLabelVolumeID(None if labels is None else labels.GetID())


def _lay(layer: Any, foreground: Any, opacity: float) -> None:
    identifier = None if foreground is None else foreground.GetID()
    if layer.GetForegroundVolumeID() != identifier:
        layer.SetForegroundVolumeID(identifier)
        layer.SetForegroundOpacity(opacity)


def _layers_over(background: Any) -> list[Any]:
    layers = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
    return [layer for layer in layers if layer.GetBackgroundVolumeID() == background.GetID()]


def show_xrays_in_3d(shown: bool) -> None:
    """Shows the X-rays' slice views in the 3D view, where they stand, or takes them out of it."""
    for tag in XRAY_VIEWS:
        view, _layers = slice_view(tag)
        if view is not None:
            view.SetSliceVisible(shown)


def are_xrays_in_3d() -> bool:
    """Whether the X-rays' slice views are shown in the 3D view."""
    views = [slice_view(tag)[0] for tag in XRAY_VIEWS]
    return all(view is not None and bool(view.GetSliceVisible()) for view in views)


def slice_view(tag: str) -> tuple[Any, Any]:
    """A slice view's node and that of its layers, by the view's singleton tag; None for both where there is no view."""
    view = slicer.mrmlScene.GetSingletonNode(tag, "vtkMRMLSliceNode")
    layers = slicer.mrmlScene.GetSingletonNode(tag, "vtkMRMLSliceCompositeNode")
    return (None, None) if view is None or layers is None else (view, layers)


def _lie_in_film(view: Any, xray: Any) -> None:
    """Turns a view into an X-ray's plane, as upright as its preset orientation, and moves it there."""
    detector_to_ras = xray_nodes.detector_to_world(xray)
    normal = np.cross(detector_to_ras[:3, 0], detector_to_ras[:3, 1])
    view.SetOrientation(ORIENTATIONS[int(np.argmax(np.abs(normal)))])
    view.RotateToVolumePlane(xray)
    view.JumpSliceByOffsetting(*detector_to_ras[:3, 3])


def _fit(view: Any) -> None:
    logic = slicer.app.applicationLogic().GetSliceLogic(view)
    if logic is not None:
        logic.FitSliceToBackground()
