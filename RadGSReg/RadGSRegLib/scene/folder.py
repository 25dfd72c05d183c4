"""The subject hierarchy's folder for what belongs to one CT's registration."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import slicer


def show_in_folder(name: str, nodes: Iterable[Any]) -> int:
    """Puts nodes into a folder of that name at the top of the subject hierarchy, and returns the folder's item."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    top = hierarchy.GetSceneItemID()
    folder = hierarchy.GetItemChildWithName(top, name)
    if not folder:
        folder = hierarchy.CreateFolderItem(top, name)
    for node in nodes:
        item = hierarchy.GetItemByDataNode(node)
        if item:
            hierarchy.SetItemParent(item, folder)
        else:
            hierarchy.CreateItem(folder, node)
    return folder
