"""Nodes that lie on an X-ray's film: each is made anew from what is drawn, and none is saved with the scene."""

from __future__ import annotations

from typing import Any

import slicer

from RadGSRegLib.scene.node_contract import ON_FILM_ATTRIBUTE
from RadGSRegLib.scene.placement import in_scene, remove


def on_film(xray: Any, role: str) -> Any:
    """What lies on an X-ray's film in a role; None where nothing does."""
    node = xray.GetNodeReference(role)
    # It is not saved: in a scene that was, its ID may have become another node's.
    return node if in_scene(node) and node.GetAttribute(ON_FILM_ATTRIBUTE) == role else None


def lay_on_film(xray: Any, role: str, node: Any) -> None:
    """Lets a node that has its display node lie on an X-ray's film in a role."""
    for part in (node, node.GetDisplayNode()):
        part.SetSaveWithScene(False)
    node.SetAttribute(ON_FILM_ATTRIBUTE, role)
    xray.SetNodeReferenceID(role, node.GetID())


def take_off_film(xray: Any, role: str) -> None:
    """Takes what lies on an X-ray's film in a role out of the scene."""
    remove(on_film(xray, role))
    xray.SetNodeReferenceID(role, None)


def all_on_films(role: str) -> list[Any]:
    """What lies on any film in a role, also where the X-ray has gone."""
    nodes = slicer.util.getNodesByClass("vtkMRMLDisplayableNode")
    return [node for node in nodes if node.GetAttribute(ON_FILM_ATTRIBUTE) == role]
