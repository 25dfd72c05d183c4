"""SlicerRT finds on a level's transform what its own sources ask for; MRML itself resolves it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import slicer
from exported_scene import LEVELS, bring_in

from radgs.case import LevelResult


@pytest.fixture
def a_transform(a_demo_case: Any, tmp_path: Path) -> Any:
    """L3's, registered from a CT and X-rays whose DICOM objects are known."""
    a_demo_case.ct.SetAttribute("DICOM.instanceUIDs", "1.2.10 1.2.11")
    a_demo_case.xrays[1].SetAttribute("DICOM.instanceUIDs", "1.2.20")
    for volume, uids in ((a_demo_case.ct, "1.2.10 1.2.11"), (a_demo_case.xrays[1], "1.2.20")):
        constants = slicer.vtkMRMLSubjectHierarchyConstants
        hierarchy().SetItemUID(item_of(volume), constants.GetDICOMInstanceUIDName(), uids)
    bring_in(tmp_path / "result", a_demo_case, {"L3": LEVELS["L3"]})
    return slicer.util.getNode("L3CTToWorld")


def hierarchy() -> Any:
    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)


def item_of(node: Any) -> int:
    return int(hierarchy().GetItemByDataNode(node))


def test_the_moving_volume_is_the_ct(a_demo_case: Any, a_transform: Any) -> None:
    role = slicer.vtkMRMLTransformNode.GetMovingNodeReferenceRole()
    assert role == "spatialRegistrationMoving"
    assert a_transform.GetNodeReference(role) is a_demo_case.ct
    assert a_transform.GetNumberOfNodeReferences(role) == 1


def test_the_fixed_volumes_are_the_xrays_which_are_scalar_volumes_as_slicerrt_wants(
    a_demo_case: Any, a_transform: Any
) -> None:
    role = slicer.vtkMRMLTransformNode.GetFixedNodeReferenceRole()
    assert role == "spatialRegistrationFixed"
    assert a_transform.GetNodeReference(role) is a_demo_case.xrays[0]
    assert a_transform.GetNthNodeReference(role, 1) is a_demo_case.xrays[1]
    assert all(xray.IsA("vtkMRMLScalarVolumeNode") for xray in a_demo_case.xrays)


def test_the_transform_has_an_item_in_the_subject_hierarchy_from_which_slicer_exports(a_transform: Any) -> None:
    item = item_of(a_transform)
    assert item
    assert hierarchy().GetItemDataNode(item) is a_transform


def test_the_objects_it_refers_to_are_found_by_mrml(a_demo_case: Any, a_transform: Any) -> None:
    attribute = hierarchy().GetItemAttribute(item_of(a_transform), "DICOM.ReferencedInstanceUIDs")
    assert attribute == "1.2.10 1.2.11 1.2.20"
    found = set(hierarchy().GetItemsReferencedFromItemByDICOM(item_of(a_transform)))
    assert found == {item_of(a_demo_case.ct), item_of(a_demo_case.xrays[1])}


def test_nothing_is_referred_to_where_no_dicom_objects_are_known(a_demo_case: Any, tmp_path: Path) -> None:
    bring_in(tmp_path / "result", a_demo_case, {"L3": LEVELS["L3"]})
    item = item_of(slicer.util.getNode("L3CTToWorld"))
    assert not hierarchy().HasItemAttribute(item, "DICOM.ReferencedInstanceUIDs")


def test_a_second_registration_replaces_the_references(a_demo_case: Any, a_transform: Any, tmp_path: Path) -> None:
    slicer.mrmlScene.RemoveNode(a_demo_case.xrays[0])
    a_demo_case.ct.SetAttribute("DICOM.instanceUIDs", None)
    a_demo_case.xrays[1].SetAttribute("DICOM.instanceUIDs", None)
    bring_in(tmp_path / "second", a_demo_case, {"L3": LevelResult(LEVELS["L3"].ct_to_world, "accept")})
    role = slicer.vtkMRMLTransformNode.GetFixedNodeReferenceRole()
    assert a_transform.GetNumberOfNodeReferences(role) == 1
    assert a_transform.GetNodeReference(role) is a_demo_case.xrays[1]
    assert not hierarchy().HasItemAttribute(item_of(a_transform), "DICOM.ReferencedInstanceUIDs")


def test_a_saved_scene_keeps_them(a_transform: Any, tmp_path: Path) -> None:
    bundle = str(tmp_path / "scene.mrb")
    assert slicer.mrmlScene.WriteToMRB(bundle)
    slicer.mrmlScene.Clear(0)
    slicer.mrmlScene.ReadFromMRB(bundle)
    transform = slicer.util.getNode("L3CTToWorld")
    assert transform.GetNodeReference("spatialRegistrationMoving") is slicer.util.getNode("CT")
    assert transform.GetNodeReference("spatialRegistrationFixed") is slicer.util.getNode("AP")
    assert transform.GetNthNodeReference("spatialRegistrationFixed", 1) is slicer.util.getNode("LAT")
    assert hierarchy().GetItemAttribute(item_of(transform), "DICOM.ReferencedInstanceUIDs") == "1.2.10 1.2.11 1.2.20"
