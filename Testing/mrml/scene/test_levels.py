"""The CT follows the active level, every vertebra its own, and Revert puts things back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import slicer
from scene_parts import POSE, add_transform, world_points

from radgs.errors import CaseError
from radgs.geometry import RigidTransform

OTHER = RigidTransform.from_rotation_vector([-0.1, 0.0, 0.2], [1.0, 2.0, 3.0])


def put(inputs: Any, level: str, pose: RigidTransform) -> Any:
    from RadGSRegLib.scene.levels import put_level, put_vertebra

    transform = put_level(inputs.ct, level, pose)
    put_vertebra(transform, inputs.segmentation, inputs.segments["L3"])
    return transform


def parents(inputs: Any) -> list[Any]:
    return [inputs.ct.GetParentTransformNode(), inputs.segmentation.GetParentTransformNode()]


def test_ct_and_segmentation_follow_the_active_level_only(a_logic: Any, a_demo_case: Any) -> None:
    l3, l4 = put(a_demo_case, "L3", POSE), put(a_demo_case, "L4", OTHER)
    a_logic.setActiveLevel(a_demo_case, "L3")
    assert parents(a_demo_case) == [l3, l3]
    points = np.array([[1.0, 2.0, 3.0], [-40.0, 50.0, 60.0]])
    np.testing.assert_allclose(world_points(a_demo_case.ct, points), POSE.apply(points), atol=1e-9)
    a_logic.setActiveLevel(a_demo_case, "L4")
    assert parents(a_demo_case) == [l4, l4]
    for transform in (l3, l4):
        vertebra = transform.GetNodeReference("RadGSReg.vertebra")
        assert vertebra.GetParentTransformNode() is transform
    assert all(xray.GetParentTransformNode() is None for xray in a_demo_case.xrays)
    assert (l3.GetName(), l3.GetClassName()) == ("L3CTToWorld", "vtkMRMLLinearTransformNode")


def test_revert_restores_the_parent_of_before_any_registration(a_logic: Any, a_demo_case: Any) -> None:
    users = add_transform(OTHER, "User's")
    for node in (a_demo_case.ct, a_demo_case.segmentation):
        node.SetAndObserveTransformNodeID(users.GetID())
    l3, _ = put(a_demo_case, "L3", POSE), put(a_demo_case, "L4", OTHER)
    a_logic.setActiveLevel(a_demo_case, "L3")
    a_logic.setActiveLevel(a_demo_case, "L4")
    a_logic.revert(a_demo_case)
    assert parents(a_demo_case) == [users, users]
    assert l3.GetNodeReference("RadGSReg.vertebra").GetParentTransformNode() is l3
    a_logic.revert(a_demo_case)
    assert parents(a_demo_case) == [users, users]


def test_revert_without_a_former_parent_leads_back_to_the_world(a_logic: Any, a_demo_case: Any) -> None:
    put(a_demo_case, "L3", POSE)
    a_logic.setActiveLevel(a_demo_case, "L3")
    a_logic.revert(a_demo_case)
    assert parents(a_demo_case) == [None, None]


def test_a_former_parent_that_was_deleted_is_not_missed(a_logic: Any, a_demo_case: Any) -> None:
    users = add_transform(OTHER, "User's")
    for node in (a_demo_case.ct, a_demo_case.segmentation):
        node.SetAndObserveTransformNodeID(users.GetID())
    put(a_demo_case, "L3", POSE)
    a_logic.setActiveLevel(a_demo_case, "L3")
    slicer.mrmlScene.RemoveNode(users)
    a_logic.revert(a_demo_case)
    assert parents(a_demo_case) == [None, None]


def test_where_the_user_moves_the_ct_himself_that_is_remembered(a_logic: Any, a_demo_case: Any) -> None:
    put(a_demo_case, "L3", POSE)
    a_logic.setActiveLevel(a_demo_case, "L3")
    users = add_transform(OTHER, "User's")
    for node in (a_demo_case.ct, a_demo_case.segmentation):
        node.SetAndObserveTransformNodeID(users.GetID())
    a_logic.revert(a_demo_case)
    assert parents(a_demo_case) == [users, users]
    a_logic.setActiveLevel(a_demo_case, "L3")
    a_logic.revert(a_demo_case)
    assert parents(a_demo_case) == [users, users]


def test_a_second_result_moves_the_same_nodes(a_logic: Any, a_demo_case: Any) -> None:
    first = put(a_demo_case, "L3", POSE)
    model = first.GetNodeReference("RadGSReg.vertebra")
    again = put(a_demo_case, "L3", OTHER)
    assert again is first
    assert again.GetNodeReference("RadGSReg.vertebra") is model
    np.testing.assert_allclose(slicer.util.arrayFromTransformMatrix(again), OTHER.matrix, atol=1e-12)


def test_two_cts_have_levels_of_their_own(a_logic: Any, a_demo_case: Any) -> None:
    other = a_logic.loadCase(a_logic.demoCase())
    mine, theirs = put(a_demo_case, "L3", POSE), put(other, "L3", OTHER)
    assert mine is not theirs
    a_logic.setActiveLevel(other, "L3")
    assert parents(other) == [theirs, theirs]
    assert parents(a_demo_case) == [None, None]


def test_a_level_that_was_not_registered_cannot_be_active(a_logic: Any, a_demo_case: Any) -> None:
    put(a_demo_case, "L3", POSE)
    with pytest.raises(CaseError, match=r"Level L5 has not been registered\. Registered are: L3"):
        a_logic.setActiveLevel(a_demo_case, "L5")


def test_a_nudge_goes_along_with_its_level_to_another_transform(a_logic: Any, a_demo_case: Any) -> None:
    from RadGSRegLib.scene.levels import put_level
    from RadGSRegLib.scene.nudged_pose import begin_nudge, end_nudge, nudge_of

    former = put_level(a_demo_case.ct, "L3", POSE)
    nudge = begin_nudge(former, POSE)
    heir = put_level(a_demo_case.ct, "L3", POSE, into=add_transform(POSE, "chosen"))
    assert nudge_of(heir) is nudge
    assert nudge_of(former) is None
    end_nudge(heir)
    assert slicer.mrmlScene.GetFirstNodeByName("L3 nudged") is None
