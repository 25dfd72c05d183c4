"""What SlicerRT looks for on a registration's transform before it writes or finds a DICOM Spatial Registration.

Its export plugin takes the moving and the fixed volume from two roles that Slicer itself names
(``vtkMRMLTransformNode::GetMovingNodeReferenceRole`` and ``GetFixedNodeReferenceRole``). Its importer sets the same
roles, and the subject hierarchy's attribute ``DICOM.ReferencedInstanceUIDs``, by which Slicer finds the nodes of the
objects spoken of.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import slicer

from RadGSRegLib.scene.dicom_sources import instance_uids


def refer_as_registration(transform: Any, ct: Any, xrays: Sequence[Any]) -> None:
    """Names the CT as what was moved, and the X-rays as what it was moved to.

    Args:
        transform: A level's transform; it need not be in the subject hierarchy yet.
        ct: The CT's volume.
        xrays: The X-rays' volumes; those that have left the scene are passed over.
    """
    moving, fixed = transform.GetMovingNodeReferenceRole(), transform.GetFixedNodeReferenceRole()
    transform.RemoveNodeReferenceIDs(moving)
    transform.RemoveNodeReferenceIDs(fixed)
    transform.SetNodeReferenceID(moving, ct.GetID())
    there = [xray for xray in xrays if slicer.mrmlScene.IsNodePresent(xray)]
    for xray in there:
        transform.AddNodeReferenceID(fixed, xray.GetID())
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    item = hierarchy.GetItemByDataNode(transform) or hierarchy.CreateItem(hierarchy.GetSceneItemID(), transform)
    referenced = slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMReferencedInstanceUIDsAttributeName()
    uids = [uid for volume in (ct, *there) for uid in instance_uids(volume)]
    if uids:
        hierarchy.SetItemAttribute(item, referenced, " ".join(uids))
    elif hierarchy.HasItemAttribute(item, referenced):
        hierarchy.RemoveItemAttribute(item, referenced)


def registered_xrays(transform: Any) -> list[Any]:
    """The X-rays that a level was registered to, as far as they are in the scene."""
    role = transform.GetFixedNodeReferenceRole()
    nodes = [transform.GetNthNodeReference(role, n) for n in range(transform.GetNumberOfNodeReferences(role))]
    return [node for node in nodes if node is not None]
