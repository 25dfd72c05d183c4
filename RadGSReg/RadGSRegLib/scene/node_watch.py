"""Being told when something that the panel shows has changed in the scene."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import slicer
import vtk
from slicer.util import VTKObservationMixin


class NodeWatch(VTKObservationMixin):
    """Observes a changing set of nodes.

    Args:
        changed: Called, often several times in a row, when one of them changes.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        super().__init__()
        self._changed = changed
        self._nodes: list[Any] = []

    def watch(self, nodes: Iterable[Any]) -> None:
        """Observes these nodes and no others; None among them is let pass."""
        wanted = [node for node in nodes if node is not None]
        if len(wanted) == len(self._nodes) and all(a is b for a, b in zip(wanted, self._nodes, strict=True)):
            return
        self.removeObservers()
        self._nodes = wanted
        for node in dict.fromkeys(wanted):
            for target, events in _what_to_observe(node):
                for event in events:
                    self.addObserver(target, event, self._tell)

    def _tell(self, caller: Any = None, event: Any = None) -> None:
        self._changed()


class SceneWatch(VTKObservationMixin):
    """Tells when a node comes into a scene or leaves it.

    Args:
        changed: Called, often several times in a row; while it is called a node may still lack its data.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        super().__init__()
        self._changed = changed

    def start(self, scene: Any) -> None:
        """Observes a scene."""
        for event in (scene.NodeAddedEvent, scene.NodeRemovedEvent):
            self.addObserver(scene, event, lambda *_: self._changed())

    def stop(self) -> None:
        """Observes nothing."""
        self.removeObservers()


def _what_to_observe(node: Any) -> list[tuple[Any, tuple[int, ...]]]:
    found: list[tuple[Any, tuple[int, ...]]] = [
        (node, (vtk.vtkCommand.ModifiedEvent, slicer.vtkMRMLTransformableNode.TransformModifiedEvent))
    ]
    if node.IsA("vtkMRMLMarkupsNode"):
        kind = slicer.vtkMRMLMarkupsNode
        found.append(
            (node, (kind.PointPositionDefinedEvent, kind.PointPositionUndefinedEvent, kind.PointModifiedEvent))
        )
    if node.IsA("vtkMRMLSegmentationNode") and node.GetSegmentation() is not None:
        kind = slicer.vtkSegmentation
        found.append((node.GetSegmentation(), (kind.SegmentAdded, kind.SegmentRemoved, kind.SegmentModified)))
    return found
