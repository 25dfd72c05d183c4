"""Which nodes fit where: a selector that offers a DRR as the CT invites a mistake.

What is chosen already is never taken away, only not offered any more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer

from RadGSRegLib.scene.levels import level_transforms, unmoved_parent
from RadGSRegLib.scene.node_contract import FORMER_PARENT_ROLE, LEVEL_ATTRIBUTE, RECONSTRUCTION_ROLE, SOURCE_ROLE
from RadGSRegLib.scene.placement import in_scene


def fits_as_ct(volume: Any) -> bool:
    """A volume of several slices that this module did not make."""
    return _slices(volume) != 1 and volume.GetAttribute(LEVEL_ATTRIBUTE) is None and not _is_xray(volume)


def fits_as_xray(volume: Any) -> bool:
    """A single image that this module did not make."""
    return _slices(volume) in (0, 1) and volume.GetAttribute(LEVEL_ATTRIBUTE) is None


def fits_as_output_volume(volume: Any, ct: Any, level: str) -> bool:
    """A volume without an image, which nobody will miss, or the level's own reconstruction."""
    own = level_transforms(ct).get(level)
    if own is not None and own.GetNodeReference(RECONSTRUCTION_ROLE) is volume:
        return True
    return _slices(volume) == 0 and volume.GetAttribute(LEVEL_ATTRIBUTE) is None and not _is_xray(volume)


def fits_as_output_transform(transform: Any, ct: Any, level: str) -> bool:
    """The level's own transform, or one that is nobody's: no other level's, and none under which an input stands."""
    if transform.GetAttribute(LEVEL_ATTRIBUTE) is not None:
        return level_transforms(ct).get(level) is transform
    return transform.GetParentTransformNode() is None and not _moves_something(transform)


def offer(selector: Any, chosen: Any, fits: Callable[[Any], bool]) -> None:
    """Has a selector offer the nodes of its types that fit, and the one that is chosen.

    Args:
        selector: A qMRMLNodeComboBox; its filter is told which nodes to hide.
        chosen: The parameter's node; one that the filter hid until now could not be shown yet.
        fits: Says of a node whether it fits.
    """
    nodes = [node for kind in selector.nodeTypes for node in slicer.util.getNodesByClass(kind)]
    hidden = sorted(node.GetID() for node in nodes if node is not chosen and not fits(node))
    model = selector.sortFilterProxyModel()
    if list(model.hiddenNodeIDs) != hidden:
        model.hiddenNodeIDs = hidden
    if selector.currentNode() is not chosen:
        selector.setCurrentNode(chosen)


def offer_all(selector: Any) -> None:
    """Hides nothing any more: an ID that is hidden may be given to another node of another scene."""
    selector.sortFilterProxyModel().hiddenNodeIDs = []


def _slices(volume: Any) -> int:
    image = volume.GetImageData()
    return 0 if image is None else image.GetDimensions()[2]


def _is_xray(volume: Any) -> bool:
    return in_scene(volume.GetNodeReference(SOURCE_ROLE))


def _moves_something(transform: Any) -> bool:
    """Whether a node stands under a transform, or will again after a Revert."""
    nodes = slicer.util.getNodesByClass("vtkMRMLTransformableNode")
    return any(
        node.GetParentTransformNode() is transform
        or unmoved_parent(node) is transform
        or node.GetNodeReference(FORMER_PARENT_ROLE) is transform
        for node in nodes
    )
