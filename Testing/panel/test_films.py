"""What the slice views show of a comparison, drawn by MRML's own displayable managers, is where geometry demands it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import slicer
import vtk
from matplotlib.image import imsave
from seen import ends_of_line, marked
from slicer_fixtures import in_full_slicer

from radgs.colours import AGREEING, DOUBTFUL, RESULT, UNMEASURED, rgb
from radgs.geometry import FloatArray, RigidTransform, ViewGeometry

pytestmark = pytest.mark.skipif(in_full_slicer(), reason="the application draws its own views")

#: A film that is parallel to no plane of the patient, of 300 x 240 pixels, and a picture around a point before it.
TURN = RigidTransform.from_rotation_vector([0.25, -0.15, 0.35], [12.0, -7.0, 20.0])
UPRIGHT = np.array([[-0.4, 0.0, 0.0, 60.0], [0.0, 0.0, 1.0, -400.0], [0.0, -0.5, 0.0, 60.0], [0.0, 0.0, 0.0, 1.0]])
FILM = ViewGeometry(TURN.apply(np.array([0.0, 600.0, 0.0])), TURN.matrix @ UPRIGHT, (240, 300))
PIXELS = 128
CROP = FILM.crop_geometry(TURN.apply(np.array([5.0, 0.0, -4.0])), 50.0, PIXELS)
POSE = RigidTransform.from_rotation_vector([0.1, 0.2, -0.1], TURN.translation)
XRAY, DRR = 40.0, 200.0
#: The contour: a square in the picture's pixels, and a neighbour's line below it.
SQUARE = np.array([[40.0, 30.0], [90.0, 30.0], [90.0, 80.0], [40.0, 80.0], [40.0, 30.0]])
VIEW = (400, 400)


def write_pictures(folder: Path) -> Path:
    """What the engine writes of one view: everything of one grey, and edges in two columns of the film."""
    for name, grey in (("xray", XRAY), ("drr", DRR), ("difference", 128), ("unmeasured", 0)):
        imsave(folder / f"{name}.png", np.full((PIXELS, PIXELS), grey / 255), cmap="gray", vmin=0, vmax=1)
    edges, difference = np.zeros(FILM.shape, np.uint8), np.full(FILM.shape, 128, np.uint8)
    edges[:, 140:144] = 255
    difference[:120], difference[:, :20] = 230, 0
    agreement, unmeasured = np.zeros(FILM.shape, np.uint8), np.zeros(FILM.shape, np.uint8)
    agreement[:120, 140:144], agreement[120:, 140:144] = 1, 255
    unmeasured[:, :20] = 1
    reconstruction = np.zeros(FILM.shape, np.float32)
    reconstruction[80:160, 110:190], reconstruction[100:140, 130:170] = 0.5, 1.0
    np.save(folder / "whole.npy", np.full(FILM.shape, DRR, np.float32))
    np.save(folder / "whole_edges.npy", edges)
    np.save(folder / "whole_difference.npy", difference)
    np.save(folder / "whole_agreement.npy", agreement)
    np.save(folder / "whole_unmeasured.npy", unmeasured)
    np.save(folder / "whole_reconstruction.npy", reconstruction)
    drawn = {
        "ct_to_world": POSE.matrix.tolist(),
        "drr": "drr.png",
        "edges": "drr.png",
        "difference": "difference.png",
        "contour": [
            {"kind": "silhouette", "part": "body", "points": SQUARE.tolist()},
            {"kind": "neighbour", "part": "bone", "points": [[10.0, 110.0], [110.0, 110.0]]},
        ],
        "whole": "whole.npy",
        "whole_edges": "whole_edges.npy",
        "whole_difference": "whole_difference.npy",
        "whole_agreement": "whole_agreement.npy",
    }
    view = {"xray": "xray.png", "unmeasured": "unmeasured.png", "borders": {}, "binned": 1}
    view |= {"whole_unmeasured": "whole_unmeasured.npy", "whole_reconstruction": "whole_reconstruction.npy"}
    view |= {"source_ras": CROP.source_ras.tolist(), "detector_to_ras": CROP.detector_to_ras.tolist()}
    described = {"level": "L3", "landmarks": {}, "views": {"AP": {**view, "poses": {"result": drawn}}}}
    (folder / "overlay.json").write_text(json.dumps(described), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def a_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pictures(tmp_path_factory.mktemp("overlay"))


@pytest.fixture
def films(a_scene: Any, the_module: Any, a_folder: Path) -> Any:
    """An X-ray in its film's slice view with a DRR over it, and a CT around the origin, whose pose it is."""
    from slicerhost.views import OffscreenSliceView

    from RadGSRegLib.engine.overlay_pictures import OverlayPictures
    from RadGSRegLib.scene.slice_views import show_xrays
    from RadGSRegLib.scene.xray_nodes import add_xray
    from RadGSRegLib.sections.film_views import FilmViews

    xray = add_xray("AP", np.full(FILM.shape, XRAY, np.float32), FILM, "attenuation")
    ct = slicer.util.addVolumeFromArray(
        np.zeros((30, 30, 30), np.int16),
        ijkToRAS=np.array(((2.0, 0, 0, -29), (0, 2, 0, -29), (0, 0, 2, -29), (0, 0, 0, 1))),
    )
    inputs = SimpleNamespace(ct=ct, xrays=(xray,))
    show_xrays([xray])
    view = OffscreenSliceView("Red", VIEW)
    shown = FilmViews(SimpleNamespace(inputs=lambda: inputs))
    found = SimpleNamespace(
        xray=xray, ct=ct, view=view, shown=shown, inputs=inputs, pictures=OverlayPictures(a_folder), mode="blend"
    )
    grey_window(xray)
    yield found
    shown.clear()


def grey_window(volume: Any) -> None:
    """A value is shown as the grey of the same number."""
    volume.GetDisplayNode().AutoWindowLevelOff()
    volume.GetDisplayNode().SetWindowLevelMinMax(0.0, 255.0)


def show(films: Any, **how: Any) -> np.ndarray:
    """Compares in a way, and returns what is seen."""
    from RadGSRegLib.review.comparison import Comparison
    from RadGSRegLib.scene.drr_nodes import drr_of

    if drr_of(films.xray) is None:
        films.shown.show(films.pictures, "result", Comparison())
        grey_window(drr_of(films.xray))
    films.shown.compare(Comparison(**how))
    return films.view.picture().astype(int)


def in_view(films: Any, pixels: FloatArray, geometry: ViewGeometry = CROP) -> FloatArray:
    """(N, 2) where pixels (N, 2) of a picture, or of the film, are seen in the slice view."""
    on_film = FILM.pixel_to_ras(FILM.project(geometry.pixel_to_ras(pixels)))
    return films.view.to_view(on_film)


def at(picture: np.ndarray, places: FloatArray) -> np.ndarray:
    columns, rows = np.rint(places).astype(int).T
    return picture[rows, columns]


def test_cells_alternate_over_the_film_as_in_the_panels_picture(films: Any) -> None:
    from RadGSRegLib.review.comparison import Comparison

    for amount in (0.0, 0.6):
        cells = Comparison("checkerboard", amount).cells
        seen = show(films, mode="checkerboard", amount=amount)[..., 0]
        rows, columns = np.indices((cells, cells))
        middles = np.stack([columns.ravel() + 0.5, rows.ravel() + 0.5], axis=-1) * PIXELS / cells - 0.5
        expected = np.where((rows + columns).ravel() % 2 == 0, DRR, XRAY)
        np.testing.assert_allclose(at(seen, in_view(films, middles)), expected, atol=1)
        assert set(np.unique(seen[60:-60, 60:-60])) == {XRAY, DRR}  # nothing dark along the cells
        # And their borders lie where the geometry has them, to a pixel of the film.
        side = PIXELS / cells
        for away, shares in ((-1.6, (DRR, XRAY)), (1.6, (XRAY, DRR))):
            border = np.array([[side - 0.5 + away * 0.6, side / 2], [side - 0.5 + away * 0.6, side * 1.5]])
            np.testing.assert_allclose(at(seen, in_view(films, border)), shares, atol=1)


def test_a_split_follows_its_line(films: Any) -> None:
    for amount in (0.25, 0.7):
        seen = show(films, mode="split", amount=amount)[..., 0]
        for away, grey in ((-2.0, DRR), (2.0, XRAY)):
            line = np.column_stack([np.full(9, amount * PIXELS - 0.5 + away), np.linspace(5, PIXELS - 5, 9)])
            np.testing.assert_allclose(at(seen, in_view(films, line)), grey, atol=1)


def test_edges_are_in_the_poses_colour_over_the_xray(films: Any) -> None:
    seen = show(films, mode="edges", amount=1.0)
    on = in_view(films, np.column_stack([np.full(5, 141.5), np.linspace(20, 220, 5)]), FILM)
    np.testing.assert_allclose(at(seen, on), np.tile(np.array(rgb(RESULT)) * 255, (5, 1)), atol=3)
    beside = in_view(films, np.column_stack([[120.0, 138.0, 146.0, 160.0], np.full(4, 100.0)]), FILM)
    np.testing.assert_allclose(at(seen, beside), XRAY, atol=1)
    half = at(show(films, mode="edges", amount=0.5), on)
    np.testing.assert_allclose(half, np.tile((np.array(rgb(RESULT)) * 255 + XRAY) / 2, (5, 1)), atol=3)


def test_a_difference_takes_the_xrays_place_where_that_was_measured(films: Any) -> None:
    seen = show(films, mode="difference", amount=1.0)[..., 0]
    places = in_view(films, np.array([[150.0, 60.0], [150.0, 200.0]]), FILM)
    np.testing.assert_allclose(at(seen, places), [230, 128], atol=2)


def test_edges_that_agree_and_edges_that_do_not_have_their_colours(films: Any) -> None:
    seen = show(films, mode="agreement", amount=1.0)
    for rows, colour in (((20, 100), DOUBTFUL), ((140, 220), AGREEING)):
        on = in_view(films, np.column_stack([np.full(5, 141.5), np.linspace(*rows, 5)]), FILM)
        np.testing.assert_allclose(at(seen, on), np.tile(np.array(rgb(colour)) * 255, (5, 1)), atol=3)
    beside = in_view(films, np.column_stack([[120.0, 138.0, 146.0, 160.0], np.full(4, 100.0)]), FILM)
    np.testing.assert_allclose(at(seen, beside), XRAY, atol=1)


def test_a_reconstruction_lies_where_it_is_cast_in_the_drrs_greys(films: Any) -> None:
    seen = show(films, mode="reconstruction", amount=1.0)[..., 0]
    places = in_view(films, np.array([[150.0, 120.0], [120.0, 90.0], [60.0, 120.0]]), FILM)
    np.testing.assert_allclose(at(seen, places), [255, 128, XRAY], atol=2)


def test_without_a_reconstruction_its_mode_shows_the_xray_alone(
    films: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    show(films, mode="blend")
    monkeypatch.setattr(films.pictures, "reconstruction", lambda view: None)
    seen = show(films, mode="reconstruction", amount=1.0)[..., 0]
    assert at(seen, in_view(films, np.array([[150.0, 120.0]]), FILM))[0] == XRAY


@pytest.mark.parametrize("mode", ["blend", "edges", "agreement"])
def test_what_was_not_measured_is_hatched(films: Any, mode: str) -> None:
    from RadGSRegLib.scene.film_shading import LINE_PIXELS, PERIOD_PIXELS

    seen = show(films, mode=mode, amount=0.0)[..., 0]
    row = 100
    columns = np.arange(1, 19)
    shown = at(seen, in_view(films, np.column_stack([columns, np.full(len(columns), row)]).astype(float), FILM))
    on_line = (row + columns) % PERIOD_PIXELS < LINE_PIXELS
    np.testing.assert_allclose(shown, np.where(on_line, round(255 * rgb(UNMEASURED)[0]), XRAY), atol=1)
    measured = in_view(films, np.column_stack([np.linspace(21, 120, 9), np.full(9, row)]), FILM)
    np.testing.assert_allclose(at(seen, measured), XRAY, atol=1)


def test_labels_of_the_user_are_not_taken_away(films: Any) -> None:
    from RadGSRegLib.scene.slice_views import show_xrays

    layers = slicer.mrmlScene.GetSingletonNode("Red", "vtkMRMLSliceCompositeNode")
    own = slicer.util.addVolumeFromArray(
        np.zeros((1, *FILM.shape), np.uint8), FILM.detector_to_ras, "own", "vtkMRMLLabelMapVolumeNode"
    )
    layers.SetLabelVolumeID(own.GetID())
    show(films, mode="blend")
    show_xrays([films.xray])
    assert layers.GetLabelVolumeID() == own.GetID()
    films.shown.clear()
    assert layers.GetLabelVolumeID() == own.GetID()


def test_blend_and_flicker_show_the_drr_itself(films: Any) -> None:
    middle = in_view(films, np.array([[150.0, 120.0]]), FILM)
    assert at(show(films, mode="blend", amount=0.25), middle)[0, 0] == pytest.approx(0.75 * XRAY + 0.25 * DRR, abs=2)
    assert at(show(films, mode="flicker", second=True), middle)[0, 0] == DRR
    assert at(show(films, mode="flicker", second=False), middle)[0, 0] == XRAY


def test_what_is_compared_goes_with_the_mode_and_is_not_saved(films: Any, a_scene: Any, tmp_path: Path) -> None:
    before = {node.GetID() for node in slicer.util.getNodesByClass("vtkMRMLVolumeNode")}
    show(films, mode="blend")
    with_drr = {node.GetID() for node in slicer.util.getNodesByClass("vtkMRMLVolumeNode")}
    for mode in ("checkerboard", "edges", "difference", "agreement", "reconstruction", "split"):
        show(films, mode=mode)
        made = {node.GetID() for node in slicer.util.getNodesByClass("vtkMRMLVolumeNode")} - with_drr
        assert len(made) == 1
        node = a_scene.GetNodeByID(made.pop())
        assert not node.GetSaveWithScene()
        assert not node.GetDisplayNode().GetSaveWithScene()
        assert node.GetHideFromEditors()
        show(films, mode="blend")
        assert {node.GetID() for node in slicer.util.getNodesByClass("vtkMRMLVolumeNode")} == with_drr
    assert len(with_drr - before) == 2  # the DRR and the shading


def test_what_the_user_laid_over_an_xray_stays(films: Any) -> None:
    show(films, mode="blend")
    own = slicer.util.addVolumeFromArray(np.full((1, *FILM.shape), 90.0, np.float32), FILM.detector_to_ras, "own")
    layers = slicer.mrmlScene.GetSingletonNode("Red", "vtkMRMLSliceCompositeNode")
    layers.SetForegroundVolumeID(own.GetID())
    layers.SetForegroundOpacity(0.4)
    for mode in ("checkerboard", "edges", "blend"):
        show(films, mode=mode)
        assert layers.GetForegroundVolumeID() == own.GetID()
        assert layers.GetForegroundOpacity() == pytest.approx(0.4)


def test_after_a_scene_is_reloaded_nobodys_volume_is_taken_for_a_drr(films: Any, a_scene: Any, tmp_path: Path) -> None:
    """A scene that was saved refers to a DRR that was not: its ID is given again, to what the user loads next."""
    from RadGSRegLib.scene.drr_nodes import drr_of, put_drr

    show(films, mode="split")
    films.shown.draw_lines(films.pictures, "result", None, True)
    assert a_scene.WriteToMRB(str(tmp_path / "scene.mrb"))
    a_scene.Clear(0)
    a_scene.ReadFromMRB(str(tmp_path / "scene.mrb"))
    names = {node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLDisplayableNode")}
    assert not [name for name in names if "DRR" in name or "contour" in name or "Not measured" in name]
    xray = slicer.util.getNode("AP")
    own = [slicer.util.addVolumeFromArray(np.full((3, 4, 5), 7.0), name=f"own {number}") for number in range(3)]
    assert drr_of(xray) is None
    drr = put_drr(xray, "L3", *films.pictures.whole_drr("AP", "result"))
    assert drr not in own
    assert all((slicer.util.arrayFromVolume(volume) == 7.0).all() for volume in own)


def zoom(films: Any, pixel: FloatArray, width_mm: float = 45.0) -> None:
    """Brings a pixel of the film into the middle of the view, and more than four of the view's over one of its."""
    films.view.look_at(FILM.pixel_to_ras(pixel), width_mm)


def test_the_contour_lies_on_its_points_to_half_a_pixel_at_any_zoom(films: Any) -> None:
    show(films, mode="blend", amount=0.0)
    films.shown.draw_lines(films.pictures, "result", None, True)
    corners = FILM.project(CROP.pixel_to_ras(SQUARE[:4]))
    for width in (120.0, 45.0):
        zoom(films, corners.mean(axis=0), width)
        view_pixel = width / VIEW[0] / 0.4  # in the film's
        seen = marked(films.view, FILM, RESULT)
        assert len(seen) > 100
        for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            for point in (start, end, (start + end) / 2):
                assert np.linalg.norm(seen - point, axis=1).min() < max(0.5, view_pixel)
        along = np.linspace(corners, np.roll(corners, -1, axis=0), 400).reshape(-1, 2)
        away = np.array([np.linalg.norm(along - point, axis=1).min() for point in seen])
        assert away.max() < 0.5 + view_pixel  # a line of two of the view's pixels reaches one of these to its side


def test_the_contour_is_seen_in_its_film_alone_and_goes_where_it_is_not_wanted(films: Any) -> None:
    from slicerhost.views import OffscreenSliceView

    show(films, mode="blend", amount=0.0)
    films.shown.draw_lines(films.pictures, "result", None, True)
    zoom(films, FILM.project(CROP.pixel_to_ras(np.array([60.0, 60.0]))))
    other = OffscreenSliceView("Green", VIEW)
    other.look_at(np.zeros(3), 800.0)
    assert (np.abs(other.picture() - np.array(rgb(RESULT)) * 255).max(axis=-1) > 60).all()
    assert len(marked(films.view, FILM, RESULT))
    models = slicer.util.getNodesByClass("vtkMRMLModelNode")
    assert [model.GetSaveWithScene() for model in models if "contour" in model.GetName()] == [False]
    films.shown.draw_lines(films.pictures, "result", None, False)
    assert not len(marked(films.view, FILM, RESULT))
    films.shown.draw_lines(films.pictures, "result", None, True)
    films.shown.clear()
    assert not len(marked(films.view, FILM, RESULT))
    assert not [model for model in slicer.util.getNodesByClass("vtkMRMLModelNode") if "contour" in model.GetName()]


def test_a_screws_tip_is_seen_where_its_point_in_the_ct_projects(films: Any) -> None:
    show(films, mode="blend", amount=0.0)
    screw = np.array([[-12.0, -10.0, 6.0], [5.0, 14.0, -3.0]])
    line = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsLineNode", "screw")
    for end in screw:
        line.AddControlPoint(vtk.vtkVector3d(*end))
    films.shown.draw_lines(films.pictures, "result", None, False)
    head, tip = FILM.project(POSE.apply(screw))
    zoom(films, (head + tip) / 2)
    seen = ends_of_line(films.view, FILM, np.stack([head, tip]))
    assert np.linalg.norm(seen - [head, tip], axis=1).max() < 0.5
