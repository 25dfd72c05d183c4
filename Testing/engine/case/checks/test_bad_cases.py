"""Bad input is told at the door: every way to spoil a case has its own sentence and its own way out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from radgs.case import InitialPose, Level, RegistrationCase, WorldOrientation
from radgs.case.checks.volumes import check_ct, check_label
from radgs.errors import CaseError, GeometryError, InputFileError, RadgsError
from radgs.geometry import RigidTransform, ViewGeometry, Volume, XRayView

Spoil = Callable[[RegistrationCase], RegistrationCase]


def with_ct(change: Callable[[np.ndarray], np.ndarray]) -> Spoil:
    return lambda case: replace(case, ct=Volume(change(case.ct.array.copy()).astype(np.float32), case.ct.index_to_ras))


def with_labels(change: Callable[[np.ndarray], np.ndarray]) -> Spoil:
    return lambda case: replace(case, labels=Volume(change(case.labels.array.copy()), case.labels.index_to_ras))


def with_levels(*levels: Level) -> Spoil:
    return lambda case: replace(case, levels=levels)


def with_clicks(**clicks: tuple[float, float]) -> Spoil:
    return lambda case: replace(case, initial={"L3": InitialPose(clicks)})


def with_moved_click(view: str, columns: float, rows: float) -> Spoil:
    def spoil(case: RegistrationCase) -> RegistrationCase:
        clicks = dict(case.initial["L3"].clicks)
        clicks[view] = (clicks[view][0] + columns, clicks[view][1] + rows)
        return replace(case, initial={"L3": InitialPose(clicks)})

    return spoil


def with_ap(change: Callable[[XRayView], XRayView]) -> Spoil:
    return lambda case: replace(case, views=(change(case.views[0]), *case.views[1:]))


def with_ap_geometry(change: Callable[[ViewGeometry], ViewGeometry]) -> Spoil:
    return with_ap(lambda view: replace(view, geometry=change(view.geometry)))


def with_ap_image(change: Callable[[np.ndarray], np.ndarray]) -> Spoil:
    return with_ap(lambda view: replace(view, image=change(view.image.copy())))


def with_orientation(superior: list[float], anterior: list[float]) -> Spoil:
    return lambda case: replace(case, world_orientation=WorldOrientation(np.array(superior), np.array(anterior)))


def thick_slices(case: RegistrationCase) -> RegistrationCase:
    return replace(case, ct=Volume(case.ct.array[::3], case.ct.index_to_ras @ np.diag([1.0, 1.0, 3.0, 1.0])))


def shifted_labels(case: RegistrationCase) -> RegistrationCase:
    moved = case.labels.index_to_ras.copy()
    moved[:3, 3] += [500.0, 0.0, 0.0]
    return replace(case, labels=Volume(case.labels.array, moved))


def lung_where_the_vertebra_was(case: RegistrationCase) -> RegistrationCase:
    return with_ct(lambda hu: np.where(case.labels.array > 0, -700, hu + 300))(case)


def first_voxels(labels: np.ndarray) -> np.ndarray:
    return np.where(np.cumsum(labels > 0).reshape(labels.shape) <= 20, labels, 0)


def ct_cut_through_the_vertebra(case: RegistrationCase) -> RegistrationCase:
    return replace(case, ct=case.ct.box([0, 0, 18], case.ct.size))


def cut_at_the_vertebras_outermost_slice(case: RegistrationCase) -> RegistrationCase:
    first = int(np.flatnonzero(case.labels.array.any(axis=(1, 2)))[0])
    return replace(
        case, ct=case.ct.box([0, 0, first], case.ct.size), labels=case.labels.box([0, 0, first], case.ct.size)
    )


def labels_cut_through_the_vertebra(case: RegistrationCase) -> RegistrationCase:
    return replace(case, labels=case.labels.box([0, 0, 18], case.labels.size))


def turned_about_superior(geometry: ViewGeometry, degrees: float) -> ViewGeometry:
    turn = RigidTransform.identity().rotated_about([15.0, 20.0, 40.0], [0, 0, np.radians(degrees)])
    return ViewGeometry(turn.apply(geometry.source_ras), turn.matrix @ geometry.detector_to_ras, geometry.shape)


def second_view_at(degrees: float) -> Spoil:
    def spoil(case: RegistrationCase) -> RegistrationCase:
        ap, lateral = case.views
        return replace(case, views=(ap, replace(lateral, geometry=turned_about_superior(ap.geometry, degrees))))

    return spoil


def with_source_advanced(millimetres: float) -> Spoil:
    return with_ap_geometry(lambda g: replace(g, source_ras=g.source_ras + millimetres * g.normal))


def with_detector_column(column: int, value: list[float]) -> Spoil:
    def change(geometry: ViewGeometry) -> ViewGeometry:
        matrix = geometry.detector_to_ras.copy()
        matrix[:3, column] = value
        return replace(geometry, detector_to_ras=matrix)

    return with_ap_geometry(change)


def set_at(index: tuple[int, ...], value: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(array: np.ndarray) -> np.ndarray:
        array[index] = value
        return array

    return change


def to_byte_range(hu: np.ndarray) -> np.ndarray:
    return np.round(255 * (hu - hu.min()) / (hu.max() - hu.min()))


def in_metres(geometry: ViewGeometry) -> ViewGeometry:
    scale = np.diag([0.001, 0.001, 0.001, 1.0])
    return replace(geometry, source_ras=geometry.source_ras / 1000, detector_to_ras=scale @ geometry.detector_to_ras)


def with_opposite_normal(geometry: ViewGeometry) -> ViewGeometry:
    return replace(geometry, detector_to_ras=geometry.detector_to_ras @ np.diag([1.0, 1.0, -1.0, 1.0]))


def starting_at_the_truth(case: RegistrationCase) -> RegistrationCase:
    return replace(case, initial={"L3": InitialPose(ct_to_world=case.truth["L3"])})


def image_beside_the_vertebra(case: RegistrationCase) -> RegistrationCase:
    geometry = case.views[0].geometry
    aside = geometry.detector_to_ras.copy()
    aside[:3, 3] += 100 * geometry.column_step
    return with_ap_geometry(lambda g: replace(g, detector_to_ras=aside))(starting_at_the_truth(case))


def with_pose(translation: list[float]) -> Spoil:
    pose = RigidTransform(np.eye(3), np.array(translation))
    return lambda case: replace(case, initial={"L3": InitialPose(ct_to_world=pose)})


def second_view_called(name: str) -> Spoil:
    return lambda case: replace(case, views=(case.views[0], replace(case.views[1], name=name)))


Spoiled = dict[str, tuple[Spoil, str]]

BAD_FILES: Spoiled = {
    "an infinite CT": (with_ct(set_at((1, 2, 3), np.inf)), "CT contains infinite values"),
    "a CT of NaN alone": (with_ct(lambda hu: np.full_like(hu, np.nan)), "or none at all"),
    "a CT of grey values": (with_ct(to_byte_range), "not in Hounsfield units: its values run from 0 to 255"),
    "a CT with air at 0": (with_ct(lambda hu: hu + 1100), "not in Hounsfield units"),
    "a CT without bone": (with_ct(lambda hu: np.minimum(hu, 100)), "not in Hounsfield units"),
    "slices 6 mm apart": (thick_slices, "slices are 6 mm apart, more than 5 mm"),
    "labels of real numbers": (with_labels(lambda a: a.astype(float)), "not a 3D map of whole numbers"),
    "NaN in an X-ray": (with_ap_image(set_at((5, 6), np.nan)), "View AP has an image with NaN"),
    "an empty X-ray": (with_ap_image(np.zeros_like), "View AP has an empty image"),
}

BAD_PARTS: Spoiled = {
    "no level": (with_levels(), "names no level"),
    "two levels of one name": (with_levels(Level("L3", 29), Level("L3", 30)), "Two levels are called L3"),
    "two levels of one label": (with_levels(Level("L3", 29), Level("L4", 29)), "Two levels have the label 29"),
    "a level of background": (with_levels(Level("L3", 0)), "which is background"),
    "a level that is a path": (with_levels(Level("../L3", 29)), "cannot stand in a file name"),
    "one view": (lambda case: replace(case, views=case.views[:1]), r"has 1 X-ray view\(s\)"),
    "two views of one name": (second_view_called("AP"), "Two views are called AP"),
    "a start for no level": (
        lambda case: replace(case, initial={**case.initial, "L4": case.initial["L3"]}),
        "'initial' speaks of a level L4",
    ),
    "a truth for no level": (
        lambda case: replace(case, truth={"L1": case.truth["L3"]}),
        "'truth' speaks of a level L1",
    ),
    "superior pointing forward": (with_orientation([0, 1, 0], [0, 0, 1]), "superior direction lies 90 degrees off"),
    "anterior 35 degrees off": (with_orientation([0, 0, 1], [0.7, 1, 0]), "anterior direction lies 35 degrees off"),
    "a direction of no length": (with_orientation([0, 0, 0], [0, 1, 0]), "has no length"),
    "no such label": (with_levels(Level("L3", 28)), r"\(label 28\) is not in the label map. Its labels are 29"),
    "a label of a few voxels": (with_labels(first_voxels), "is no vertebra"),
    "labels of another place": (shifted_labels, "lies outside the CT"),
    "a vertebra cut by the CT": (ct_cut_through_the_vertebra, "touches the border of the CT"),
    "a vertebra on the outermost slice": (cut_at_the_vertebras_outermost_slice, "touches the border of the CT"),
    "a vertebra where the CT is unknown": (
        lambda case: with_ct(lambda hu: np.where(np.cumsum(case.labels.array > 0).reshape(hu.shape) == 50, np.nan, hu))(
            case
        ),
        "reaches where the CT is unknown",
    ),
    "a vertebra cut by the label map": (labels_cut_through_the_vertebra, "touches the border of the label map"),
    "a label on lung": (lung_where_the_vertebra_was, "-700 HU in the middle, which is not a vertebra"),
    "a CT with water at 1000": (with_ct(lambda hu: np.where(hu < -500, hu, hu + 1000)), "1250 HU in the middle"),
    "no start": (lambda case: replace(case, initial={}), "neither clicks nor a pose"),
    "an empty start": (with_clicks(), "neither clicks nor a pose"),
    "one click": (with_clicks(AP=(64.0, 64.0)), "a click in one view only"),
    "a click in no view": (with_clicks(AP=(64.0, 64.0), PA=(60.0, 60.0)), "a view PA that the case does not have"),
    "a click beside the image": (with_moved_click("LAT", 100.0, 0.0), "click in view LAT lies outside the image"),
    "a click of NaN": (with_moved_click("LAT", np.nan, 0.0), "click in view LAT lies outside the image"),
    "clicks that miss each other": (with_moved_click("LAT", 0.0, 20.0), "miss each other by 2[0-9] mm"),
    "an image beside the vertebra": (image_beside_the_vertebra, "region lies outside the image of view AP"),
    "a pose off the images": (with_pose([0.0, 0.0, 400.0]), "region lies outside the image of view AP"),
}

BAD_GEOMETRIES: Spoiled = {
    "another image's geometry": (with_ap_image(lambda a: a[:100]), "100 x 128 rows and columns"),
    "NaN in a geometry": (with_detector_column(3, [np.nan, 0, 0]), "View AP has NaN"),
    "rows along columns": (with_detector_column(0, [0.0, 0.0, -2.0]), "cannot be inverted"),
    "a detector without a normal": (with_detector_column(2, [0.0, 0.0, 0.0]), "cannot be inverted"),
    "a detector of points": (with_detector_column(0, [0.0, 0.0, 0.0]), "cannot be inverted"),
    "a geometry in metres": (with_ap_geometry(in_metres), "View AP has pixels of 0.002 x 0.002 mm"),
    "a source on the detector": (with_source_advanced(990.0), "only 10 mm from the detector's plane"),
    "a source behind the detector": (with_source_advanced(2000.0), "view AP, level L3 stands behind the detector"),
    "a source beyond the patient": (with_source_advanced(800.0), "view AP, level L3 stands behind the source"),
    "a pose behind the source": (with_pose([0.0, 900.0, 0.0]), "stands behind the source"),
    "the same view twice": (second_view_at(0.0), "Views AP and LAT coincide"),
    "nearly parallel views": (second_view_at(15.0), "nearly parallel: their directions differ by 15 degrees"),
    "opposite views": (second_view_at(175.0), r"differ by 8 degrees \(opposite ones count as parallel"),
}

EVERY_BAD_CASE = [
    pytest.param(kind, *spoiled, id=what)
    for kind, table in ((InputFileError, BAD_FILES), (CaseError, BAD_PARTS), (GeometryError, BAD_GEOMETRIES))
    for what, spoiled in table.items()
]


@pytest.mark.parametrize(("kind", "spoil", "sentence"), EVERY_BAD_CASE)
def test_a_bad_case_is_told_with_a_way_out(
    kind: type[RadgsError], spoil: Spoil, sentence: str, small_case: RegistrationCase
) -> None:
    spoiled = spoil(small_case)
    with pytest.raises(kind, match=sentence) as told:
        spoiled.validate()
    assert told.value.problem.endswith(".")
    assert told.value.remedy.endswith(".")


GOOD_CASES: dict[str, Spoil] = {
    "a CT that is unknown beyond its field of view": with_ct(set_at((1, 2, 3), np.nan)),
    "clicks 5 mm apart": with_moved_click("LAT", 0.0, 4.0),
    "an orientation 25 degrees off": with_orientation([0.2, 0.4, 1.0], [0.2, 1.0, -0.4]),
    "views 30 degrees apart": lambda case: replace(
        second_view_at(30.0)(case), initial={"L3": InitialPose(ct_to_world=case.truth["L3"])}
    ),
    "a mirrored pixel grid": with_ap_geometry(
        lambda g: replace(g, detector_to_ras=g.detector_to_ras @ np.diag([1, 1, -1, 1.0]))
    ),
    "labels trimmed to the vertebra": lambda case: replace(case, labels=trimmed(case.labels)),
    "labels on a finer grid": lambda case: replace(case, labels=refined(case.labels)),
}


def trimmed(labels: Volume) -> Volume:
    found = np.argwhere(labels.array > 0)[:, ::-1]
    return labels.box(found.min(axis=0), found.max(axis=0) + 1)


def refined(labels: Volume) -> Volume:
    fine = labels.index_to_ras @ np.diag([0.5, 0.5, 0.5, 1.0])
    fine[:3, 3] = labels.to_ras([-0.25, -0.25, -0.25])
    return Volume(labels.array.repeat(2, 0).repeat(2, 1).repeat(2, 2), fine)


@pytest.mark.parametrize("what", GOOD_CASES)
def test_what_is_unusual_but_right_is_let_in(what: str, small_case: RegistrationCase) -> None:
    GOOD_CASES[what](small_case).validate()


def test_a_third_view_may_lie_close_to_another(small_case: RegistrationCase) -> None:
    ap = small_case.views[0]
    third = XRayView("AP 10", ap.image, turned_about_superior(ap.geometry, 10.0))
    replace(small_case, views=(*small_case.views, third)).validate()


def test_of_a_real_ct_the_whole_vertebrae_are_let_in_and_the_cut_one_is_not(
    real_ct: Volume, real_labels: Volume
) -> None:
    check_ct(real_ct)
    for level in (Level("T10", 34), Level("T11", 33), Level("T12", 32)):
        assert len(check_label(real_ct, real_labels, level)) > 10_000
    with pytest.raises(CaseError, match="touches the border of the CT"):
        check_label(real_ct, real_labels, Level("L2", 30))


def with_second_level(case: RegistrationCase, label: int = 77) -> RegistrationCase:
    return replace(case, levels=(*case.levels, Level("L4", label)), initial={**case.initial, "L4": case.initial["L3"]})


def test_a_level_at_fault_is_named_and_lets_the_others_in(small_case: RegistrationCase, tmp_path: Path) -> None:
    case = RegistrationCase.load(with_second_level(small_case).save(tmp_path))
    problems = case.problems_of_levels()
    assert list(problems) == ["L4"]
    assert "not in the label map" in problems["L4"].problem
    assert case.usable_level("L3").label == 29
    with pytest.raises(CaseError, match="not in the label map"):
        case.usable_level("L4")


def test_where_every_level_is_at_fault_the_first_one_is_told(small_case: RegistrationCase) -> None:
    case = replace(with_second_level(small_case), initial={})
    with pytest.raises(CaseError, match="Level L3 has neither clicks nor a pose"):
        case.validate()


def test_what_all_levels_share_is_refused_whatever_else_is_right(small_case: RegistrationCase) -> None:
    case = with_second_level(small_case)
    with pytest.raises(CaseError, match="view"):
        replace(case, views=case.views[:1]).problems_of_levels()
