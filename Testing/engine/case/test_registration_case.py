"""A case goes to files and comes back; its clicks say where the vertebra starts."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from radgs.case import InitialPose, Level, RegistrationCase, WorldOrientation
from radgs.errors import CaseError, InputFileError
from radgs.geometry import RigidTransform

CENTRE_IN_CT = np.array([10.0, 20.0, 30.0])  # the block's, in the small case


def test_a_saved_case_reads_back_the_same(small_case: RegistrationCase, tmp_path: Path) -> None:
    pose = RigidTransform.from_rotation_vector([0.2, 0.1, -0.3], [5, 6, 7])
    case = replace(
        small_case,
        initial={"L3": InitialPose(small_case.initial["L3"].clicks, pose)},
        world_orientation=WorldOrientation(np.array([0.0, 0.1, 1.0]), np.array([0.0, 1.0, -0.1])),
    )
    read = RegistrationCase.load(case.save(tmp_path / "new" / "folder"))

    np.testing.assert_array_equal(read.ct.array, case.ct.array)
    np.testing.assert_array_equal(read.labels.array, case.labels.array)
    np.testing.assert_allclose(read.ct.index_to_ras, case.ct.index_to_ras, atol=1e-5)
    assert read.ct.array.dtype == np.int16  # whole Hounsfield units, in half the space
    assert read.labels.array.dtype.kind == "u"
    assert read.levels == (Level("L3", 29),)
    assert read.initial["L3"].clicks == case.initial["L3"].clicks
    assert read.initial["L3"].ct_to_world is not None
    np.testing.assert_allclose(read.initial["L3"].ct_to_world.matrix, pose.matrix, atol=1e-12)
    np.testing.assert_allclose(read.truth["L3"].matrix, case.truth["L3"].matrix, atol=1e-12)
    assert read.world_orientation is not None
    np.testing.assert_array_equal(read.world_orientation.superior, [0.0, 0.1, 1.0])
    for mine, theirs in zip(read.views, case.views, strict=True):
        assert (mine.name, mine.conversion) == (theirs.name, theirs.conversion)
        np.testing.assert_array_equal(mine.image, theirs.image)
        np.testing.assert_array_equal(mine.geometry.detector_to_ras, theirs.geometry.detector_to_ras)
        np.testing.assert_array_equal(mine.geometry.source_ras, theirs.geometry.source_ras)
        assert mine.geometry.shape == theirs.geometry.shape


def test_line_integrals_keep_the_record_of_how_they_came_about(small_case: RegistrationCase, tmp_path: Path) -> None:
    views = tuple(replace(view, conversion="made from film") for view in small_case.views)
    read = RegistrationCase.load(replace(small_case, views=views).save(tmp_path))
    assert [view.conversion for view in read.views] == ["made from film", "made from film"]


def test_a_saved_xray_stands_where_the_detector_stood(small_case: RegistrationCase, tmp_path: Path) -> None:
    small_case.save(tmp_path)
    image = SimpleITK.ReadImage(str(tmp_path / "AP.nrrd"))
    geometry = small_case.views[0].geometry
    on_detector = np.array(image.TransformIndexToPhysicalPoint((100, 20, 0))) * [-1, -1, 1]  # LPS to RAS
    np.testing.assert_allclose(on_detector, geometry.pixel_to_ras([100, 20]), atol=1e-4)


def test_a_case_loads_from_its_folder_too(small_case: RegistrationCase, tmp_path: Path) -> None:
    small_case.save(tmp_path)
    assert RegistrationCase.load(tmp_path).levels == small_case.levels


def test_the_hash_is_over_those_of_all_the_files(small_case: RegistrationCase, tmp_path: Path) -> None:
    path = small_case.save(tmp_path)
    names = ["case.json", "ct.nii.gz", "labels.nii.gz", "AP.nrrd", "LAT.nrrd"]
    alone = [hashlib.sha256((tmp_path / name).read_bytes()).digest() for name in names]
    expected = hashlib.sha256(b"".join(hashlib.sha256(digest).digest() for digest in alone)).hexdigest()
    assert RegistrationCase.load(path).sha256 == expected
    assert small_case.sha256 is None


def edited(path: Path, **changes: object) -> Path:
    values = json.loads(path.read_text())
    path.write_text(json.dumps(values | changes))
    return path


def test_clicks_directly_under_initial_belong_to_the_only_level(small_case: RegistrationCase, tmp_path: Path) -> None:
    clicks = small_case.initial["L3"].clicks
    path = edited(small_case.save(tmp_path), initial={"clicks": clicks})
    assert RegistrationCase.load(path).initial["L3"].clicks == clicks


def test_members_of_later_versions_are_let_pass(small_case: RegistrationCase, tmp_path: Path) -> None:
    path = edited(small_case.save(tmp_path), note="from the scanner", patient={"age": 70})
    assert RegistrationCase.load(path).levels == small_case.levels


def test_a_missing_file_is_named(small_case: RegistrationCase, tmp_path: Path) -> None:
    path = small_case.save(tmp_path)
    (tmp_path / "LAT.nrrd").unlink()
    with pytest.raises(InputFileError, match=r"no file .*LAT\.nrrd"):
        RegistrationCase.load(path)


def test_a_loaded_case_has_been_checked(small_case: RegistrationCase, tmp_path: Path) -> None:
    path = edited(small_case.save(tmp_path), levels=[{"name": "L3", "label": 7}])
    with pytest.raises(CaseError, match=r"Level L3 \(label 7\) is not in the label map"):
        RegistrationCase.load(path)


def test_clicks_meet_at_the_vertebra(small_case: RegistrationCase) -> None:
    centre = small_case.triangulated_centre("L3")
    np.testing.assert_allclose(centre, small_case.truth["L3"].apply(CENTRE_IN_CT), atol=1e-9)


def test_from_clicks_alone_a_level_starts_unrotated_at_the_clicks(small_case: RegistrationCase) -> None:
    start = small_case.start_pose("L3", CENTRE_IN_CT)
    np.testing.assert_array_equal(start.rotation, np.eye(3))
    np.testing.assert_allclose(start.apply(CENTRE_IN_CT), small_case.truth["L3"].apply(CENTRE_IN_CT))


def test_clicks_replace_a_poses_translation_and_keep_its_rotation(small_case: RegistrationCase) -> None:
    pose = RigidTransform.from_rotation_vector([0.2, 0.1, -0.3], [500, 600, 700])
    case = replace(small_case, initial={"L3": InitialPose(small_case.initial["L3"].clicks, pose)})
    start = case.start_pose("L3", CENTRE_IN_CT)
    np.testing.assert_array_equal(start.rotation, pose.rotation)
    np.testing.assert_allclose(start.apply(CENTRE_IN_CT), small_case.truth["L3"].apply(CENTRE_IN_CT))


def test_a_pose_without_clicks_is_the_start(small_case: RegistrationCase) -> None:
    case = replace(small_case, initial={"L3": InitialPose(ct_to_world=small_case.truth["L3"])})
    case.validate()
    assert case.triangulated_centre("L3") is None
    np.testing.assert_array_equal(case.start_pose("L3", CENTRE_IN_CT).matrix, small_case.truth["L3"].matrix)


def test_an_unknown_level_is_told_with_those_there_are(small_case: RegistrationCase) -> None:
    with pytest.raises(CaseError, match=r"no level L9\. Choose one of L3"):
        small_case.level("L9")
    assert small_case.level("L3").label == 29
