"""A nudged vertebra's handles are moved with the mouse, through MRML's own displayable managers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import slicer
import vtk
from slicer_fixtures import in_full_slicer

from radgs.geometry import FloatArray, RigidTransform, ViewGeometry

pytestmark = pytest.mark.skipif(in_full_slicer(), reason="the application draws its own views")

SIZE = (400, 400)
POSE = RigidTransform.from_rotation_vector([0.0, 0.0, 0.0], [4.0, -6.0, 8.0])
FILM = ViewGeometry(
    np.array([30.0, 600.0, 20.0]),
    np.array([[-0.5, 0.0, 0.0, 60.0], [0.0, 0.0, 1.0, -400.0], [0.0, -0.5, 0.0, 60.0], [0.0, 0.0, 0.0, 1.0]]),
    (240, 240),
)


@pytest.fixture
def nudged(a_scene: Any, the_module: Any) -> Any:
    """A cube of a vertebra, its copy with handles; a slice view with the CT, and one with a film."""
    from slicerhost.views import OffscreenSliceView

    from RadGSRegLib.scene.levels import put_level
    from RadGSRegLib.scene.node_contract import VERTEBRA_ROLE
    from RadGSRegLib.scene.nudged_pose import begin_nudge, show_handles_in
    from RadGSRegLib.scene.slice_views import show_xrays, views_beside_films
    from RadGSRegLib.scene.xray_nodes import add_xray

    to_ras = np.array(((2.0, 0, 0, -59), (0, 2, 0, -59), (0, 0, 2, -59), (0, 0, 0, 1)))
    ct = slicer.util.addVolumeFromArray(np.zeros((60, 60, 60), np.int16), ijkToRAS=to_ras)
    transform = put_level(ct, "L3", POSE)
    cube = vtk.vtkCubeSource()
    cube.SetBounds(-15, 15, -15, 15, -15, 15)
    cube.Update()
    vertebra = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode", "L3 vertebra")
    vertebra.SetAndObservePolyData(cube.GetOutput())
    transform.SetNodeReferenceID(VERTEBRA_ROLE, vertebra.GetID())
    xray = add_xray("AP", np.zeros(FILM.shape, np.float32), FILM, "attenuation")
    show_xrays([xray], ct)
    nudge = begin_nudge(transform, POSE)
    views = {tag: OffscreenSliceView(tag, SIZE) for tag in ("Red", "Green")}
    show_handles_in(nudge, views_beside_films([xray]))
    for view in views.values():
        view.render()
    return SimpleNamespace(transform=transform, nudge=nudge, film=views["Red"], slices=views["Green"], xray=xray)


def matrix(node: Any) -> FloatArray:
    return slicer.util.arrayFromTransformMatrix(node)


def by(moved: FloatArray) -> FloatArray:
    """What a matrix does after the pose at which the handles stood."""
    return moved @ np.linalg.inv(POSE.matrix)


def test_the_point_in_a_slice_is_dragged_by_as_much_as_the_mouse(nudged: Any) -> None:
    view = nudged.slices
    place = view.to_view(POSE.translation[None])[0]
    view.drag([place, place + [4, 0], place + [12, 5], place + [30, 10]])
    moved = matrix(nudged.nudge)
    expected = view.to_world(np.array([[30.0, 10.0]])) - view.to_world(np.array([[0.0, 0.0]]))
    np.testing.assert_allclose(by(moved)[:3, 3], expected[0], atol=0.7)
    np.testing.assert_allclose(by(moved)[:3, :3], np.eye(3), atol=1e-9)
    assert np.linalg.norm(expected) > 5.0
    np.testing.assert_array_equal(matrix(nudged.transform), POSE.matrix)  # the result stays


def test_the_ring_in_a_slice_turns_about_the_slices_normal(nudged: Any) -> None:
    view = nudged.slices
    middle = view.to_view(POSE.translation[None])[0]
    seen = np.abs(view.picture().astype(int) - view.picture()[0, 0]).max(axis=-1) > 60
    row = round(middle[1])
    edge = np.flatnonzero(seen[row])[-1]  # where the ring crosses the point's row, farthest to the right
    radius = edge - 4 - middle[0]
    places = [middle + radius * np.array([np.cos(angle), np.sin(angle)]) for angle in np.radians([0, 4, 12, 20])]
    view.drag(places)
    turned = by(matrix(nudged.nudge))
    normal = slicer.util.arrayFromVTKMatrix(view.node.GetSliceToRAS())[:3, 2]
    rotation = RigidTransform.from_matrix(turned).rotation
    np.testing.assert_allclose(rotation @ normal, normal, atol=1e-6)
    assert np.degrees(np.arccos((np.trace(rotation) - 1) / 2)) == pytest.approx(20.0, abs=1.5)
    np.testing.assert_allclose((turned @ [*POSE.translation, 1.0])[:3], POSE.translation, atol=1e-6)
    np.testing.assert_array_equal(matrix(nudged.transform), POSE.matrix)


def test_an_arrow_in_3d_moves_along_its_axis_alone(nudged: Any) -> None:
    from slicerhost.views import Offscreen3DView

    from RadGSRegLib.scene.nudged_pose import show_handles_in
    from RadGSRegLib.scene.slice_views import views_beside_films

    space = Offscreen3DView(SIZE)
    show_handles_in(nudged.nudge, views_beside_films([nudged.xray]))
    space.look((0.0, 1.0, 0.0), 1.0)
    space.render()
    picture = space.picture().astype(int)
    red = (picture[..., 0] > 150) & (picture[..., 1] < 110) & (picture[..., 2] < 110)
    rows, columns = np.nonzero(red)
    assert len(rows) > 50, "the arrow along the right-left axis is red"
    place = np.array([np.median(columns), np.median(rows)])
    space.drag([place, place + [4, 0], place + [12, 3], place + [25, 6]])
    moved = by(matrix(nudged.nudge))
    assert moved[0, 3] > 1.0
    np.testing.assert_allclose(moved[1:3, 3], 0.0, atol=1e-6)
    np.testing.assert_allclose(moved[:3, :3], np.eye(3), atol=1e-9)
    np.testing.assert_array_equal(matrix(nudged.transform), POSE.matrix)


def test_a_film_has_no_handles_beside_where_the_vertebra_is_cast(nudged: Any) -> None:
    """A slice view shows handles where they stand straight behind it, and casts nothing from a source."""
    view = nudged.film
    picture = view.picture().astype(int)
    assert np.ptp(picture[20:-20, 20:-20], axis=(0, 1)).max() < 30
    place = view.to_view(POSE.translation[None])[0]
    view.drag([place, place + [4, 0], place + [30, 10]])
    np.testing.assert_array_equal(matrix(nudged.nudge), POSE.matrix)
