"""A case.json becomes nodes, and nodes become a case.json: nothing is lost, what does not fit is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from scene_parts import POSE, add_bent_transform, add_transform

from radgs.case import RegistrationCase
from radgs.errors import CaseError, GeometryError, InputFileError
from radgs.geometry import RigidTransform
from radgs.io.case_file import read_case_file


def export(logic: Any, inputs: Any, folder: Path, exporter: Any = None) -> Path:
    """Writes the scene as a case and returns its path."""
    from RadGSRegLib.engine.case_export import CaseExport

    *steps, path = (exporter or CaseExport(folder)).steps(inputs, logic.getParameterNode().parameterNode)
    assert all(step is None for step in steps)
    assert isinstance(path, Path)
    return path


def put_under(inputs: Any, transform: Any) -> None:
    for node in (inputs.ct, inputs.segmentation):
        node.SetAndObserveTransformNodeID(transform.GetID())


def test_the_demo_case_comes_back_as_it_was(a_logic: Any, a_demo_case: Any, tmp_path: Path) -> None:
    before = RegistrationCase.load(a_logic.demoCase())
    after = RegistrationCase.load(export(a_logic, a_demo_case, tmp_path))
    np.testing.assert_array_equal(after.ct.array, before.ct.array)
    np.testing.assert_allclose(after.ct.index_to_ras, before.ct.index_to_ras, atol=1e-6)
    assert [(level.name, level.label) for level in after.levels] == [("L3", 22)]
    for label in np.unique(before.labels.array)[1:]:
        old = before.labels.to_ras(np.argwhere(before.labels.array == label)[:, ::-1])
        new = after.labels.to_ras(np.argwhere(after.labels.array == label)[:, ::-1])
        np.testing.assert_allclose(new, old, atol=1e-4)
    for old_view, new_view in zip(before.views, after.views, strict=True):
        assert (new_view.name, new_view.conversion) == (old_view.name, old_view.conversion)
        np.testing.assert_array_equal(new_view.image, old_view.image)
        np.testing.assert_allclose(new_view.geometry.source_ras, old_view.geometry.source_ras, atol=1e-9)
        corners = [[0, 0], [300, 0], [0, 250]]
        np.testing.assert_allclose(
            new_view.geometry.pixel_to_ras(corners), old_view.geometry.pixel_to_ras(corners), atol=1e-5
        )
        np.testing.assert_allclose(
            after.initial["L3"].clicks[new_view.name], before.initial["L3"].clicks[old_view.name], atol=1e-4
        )
    assert after.initial["L3"].ct_to_world is None
    assert after.truth == {}


def test_a_starting_pose_and_more_levels_survive_the_scene(a_logic: Any, tmp_path: Path) -> None:
    case = RegistrationCase.load(a_logic.demoCase())
    start = replace(case.initial["L3"], ct_to_world=POSE)
    path = replace(case, initial={"L3": start}, truth={}).save(tmp_path / "in")
    after = RegistrationCase.load(export(a_logic, a_logic.loadCase(path), tmp_path / "out"))
    pose = after.initial["L3"].ct_to_world
    assert pose is not None
    np.testing.assert_allclose(pose.matrix, POSE.matrix, atol=1e-9)


def test_the_ct_is_written_in_its_own_coordinates_and_its_rigid_parent_becomes_the_start(
    a_logic: Any, a_demo_case: Any, tmp_path: Path
) -> None:
    put_under(a_demo_case, add_transform(POSE))
    path = export(a_logic, a_demo_case, tmp_path)
    entry = json.loads(path.read_text("utf-8"))
    np.testing.assert_allclose(entry["initial"]["L3"]["ct_to_world"], POSE.matrix, atol=1e-9)
    before = RegistrationCase.load(a_logic.demoCase())
    from radgs.io.volumes import read_volume

    np.testing.assert_allclose(read_volume(tmp_path / entry["ct"]).index_to_ras, before.ct.index_to_ras, atol=1e-6)


def test_a_result_of_before_is_no_start(a_logic: Any, a_demo_case: Any, tmp_path: Path) -> None:
    from RadGSRegLib.scene.levels import put_level

    users = RigidTransform.from_rotation_vector([0.0, 0.1, 0.0], [5.0, 0.0, 0.0])
    put_under(a_demo_case, add_transform(users))
    put_level(a_demo_case.ct, "L3", POSE)
    a_logic.setActiveLevel(a_demo_case, "L3")
    entry = json.loads(export(a_logic, a_demo_case, tmp_path).read_text("utf-8"))
    np.testing.assert_allclose(entry["initial"]["L3"]["ct_to_world"], users.matrix, atol=1e-9)


def test_a_bent_parent_of_the_ct_is_refused(a_logic: Any, a_demo_case: Any, tmp_path: Path) -> None:
    put_under(a_demo_case, add_bent_transform())
    with pytest.raises(GeometryError, match=r"CT stands under Bent, which is not a linear transform\. Harden"):
        export(a_logic, a_demo_case, tmp_path)


def test_a_parent_that_scales_the_ct_is_refused(a_logic: Any, a_demo_case: Any, tmp_path: Path) -> None:
    put_under(a_demo_case, add_transform(POSE, "Larger", scale=1.1))
    with pytest.raises(GeometryError, match=r"CT stands under Larger, which scales, shears or mirrors it\. Harden"):
        export(a_logic, a_demo_case, tmp_path)


def test_a_segmentation_under_another_parent_is_refused(a_logic: Any, a_demo_case: Any, tmp_path: Path) -> None:
    a_demo_case.segmentation.SetAndObserveTransformNodeID(add_transform(POSE, "Elsewhere").GetID())
    with pytest.raises(CaseError, match="The CT stands under no transform, but the segmentation under Elsewhere"):
        export(a_logic, a_demo_case, tmp_path)


def test_what_is_missing_is_named(a_logic: Any, a_demo_case: Any, tmp_path: Path) -> None:
    one = replace(a_demo_case, xrays=a_demo_case.xrays[:1], segments={})
    with pytest.raises(CaseError, match="Still missing: a level, two X-rays"):
        export(a_logic, one, tmp_path)
    slicer.mrmlScene.RemoveNode(a_demo_case.ct)
    assert a_demo_case.missing() == ["a CT"]


def test_a_volume_of_colours_is_no_ct(a_logic: Any, a_demo_case: Any, tmp_path: Path) -> None:
    colours = slicer.util.addVolumeFromArray(
        np.zeros((4, 5, 6, 3), np.uint8), name="Photo", nodeClassName="vtkMRMLVectorVolumeNode"
    )
    with pytest.raises(InputFileError, match="Photo is not a CT volume"):
        export(a_logic, replace(a_demo_case, ct=colours), tmp_path)


def test_ct_and_labels_are_written_again_only_after_they_changed(
    a_logic: Any, a_demo_case: Any, tmp_path: Path
) -> None:
    from RadGSRegLib.engine.case_export import CaseExport

    exporter = CaseExport(tmp_path)

    def files() -> dict[str, str]:
        entry = json.loads(export(a_logic, a_demo_case, tmp_path, exporter).read_text("utf-8"))
        return {what: entry[what] for what in ("ct", "labels")}

    first = files()
    assert files() == first
    slicer.util.arrayFromVolume(a_demo_case.ct)[0, 0, 0] = -999
    slicer.util.arrayFromVolumeModified(a_demo_case.ct)
    second = files()
    assert second["ct"] != first["ct"]
    assert second["labels"] == first["labels"]
    assert not (tmp_path / first["ct"]).exists()
    a_demo_case.segmentation.GetSegmentation().RemoveSegment(
        next(iter(set(a_logic.levels(a_demo_case.segmentation).values()) - set(a_demo_case.segments.values())))
    )
    assert files()["labels"] != second["labels"]


def test_a_raw_xray_keeps_its_values_and_is_called_what_it_is(a_logic: Any, a_demo_case: Any, tmp_path: Path) -> None:
    from RadGSRegLib.scene.xray_nodes import add_xray, geometry_of

    ap = a_demo_case.xrays[0]
    raw = np.round(4000 * np.exp(-slicer.util.arrayFromVolume(ap)[0])).astype(np.uint16)
    intensity = add_xray("C-arm 1", raw, geometry_of(ap), "intensity")
    entry = json.loads(
        export(a_logic, replace(a_demo_case, xrays=(intensity, a_demo_case.xrays[1])), tmp_path).read_text("utf-8")
    )
    view = entry["views"][0]
    assert (view["name"], view["pixel_type"]) == ("C-arm 1", "intensity")
    np.testing.assert_array_equal(np.load(tmp_path / view["image"]), raw)


def test_a_bad_case_leaves_the_scene_as_it_was(a_logic: Any, a_scene: Any, tmp_path: Path) -> None:
    case = RegistrationCase.load(a_logic.demoCase())
    path = replace(case, truth={}).save(tmp_path)
    (tmp_path / "LAT.nrrd").unlink()
    a_logic.getParameterNode()
    count = a_scene.GetNumberOfNodes()
    with pytest.raises(InputFileError, match="There is no file"):
        a_logic.loadCase(path)
    assert a_scene.GetNumberOfNodes() == count


def test_loading_a_case_makes_it_the_modules_input(a_logic: Any, a_demo_case: Any) -> None:
    again = a_logic.inputs()
    assert (again.ct, again.segmentation, again.xrays) == (a_demo_case.ct, a_demo_case.segmentation, a_demo_case.xrays)
    assert again.segments == a_demo_case.segments
    assert again.missing() == []


@pytest.mark.parametrize("field", [[[10.0, 10.0], [200.0, 12.0], [190.0, 210.0], [8.0, 190.0]], "mask.png"])
def test_a_field_that_somebody_named_goes_through_the_scene(
    a_logic: Any, tmp_path: Path, field: str | list[list[float]]
) -> None:
    """A mask or a polygon overrides what is found in the image: lost on the way, blades would be searched again."""
    import shutil

    from RadGSRegLib.scene.measured_field import field_of

    folder = Path(shutil.copytree(a_logic.demoCase().parent, tmp_path / "demo"))
    values = json.loads((folder / "case.json").read_text("utf-8"))
    values["views"][0]["field"] = field
    (folder / "case.json").write_text(json.dumps(values), "utf-8")
    inputs = a_logic.loadCase(folder)
    first, second = read_case_file(export(a_logic, inputs, tmp_path / "out")).views
    assert second.field is None
    if isinstance(field, str):
        assert first.field == folder / field
    else:
        np.testing.assert_allclose(first.field, field)
    inputs.xrays[0].SetAttribute("RadGSReg.field", "no JSON")
    assert field_of(inputs.xrays[0]) is None


def test_how_uncertain_a_geometry_is_goes_through_the_scene(a_logic: Any, tmp_path: Path) -> None:
    """A calibration's covariance decides verdicts: on the way through nodes it may not be lost, nor left unturned."""
    import shutil

    from RadGSRegLib.scene.view_geometry import sigma_of

    folder = Path(shutil.copytree(a_logic.demoCase().parent, tmp_path / "demo"))
    values = json.loads((folder / "case.json").read_text("utf-8"))
    sigma = {"source_mm": [1.0, 2.0, 3.0], "detector_mm": [0.1, 0.2, 0.3], "detector_deg": [0.01, 0.02, 0.03]}
    values["views"][0]["geometry_sigma"] = sigma
    (folder / "case.json").write_text(json.dumps(values), "utf-8")
    inputs = a_logic.loadCase(folder)
    first, second = RegistrationCase.load(export(a_logic, inputs, tmp_path / "out")).views
    assert second.geometry_sigma is None
    assert first.geometry_sigma is not None
    assert first.geometry_sigma.to_json_dict() == sigma
    quarter = RigidTransform.from_rotation_vector([0.0, 0.0, np.pi / 2], [10.0, 20.0, 30.0])
    inputs.xrays[0].SetAndObserveTransformNodeID(add_transform(quarter).GetID())
    turned = sigma_of(inputs.xrays[0])
    assert turned is not None
    np.testing.assert_allclose(turned.source_mm, [2.0, 1.0, 3.0], atol=1e-9)
    inputs.xrays[0].SetAttribute("RadGSReg.geometry_sigma", "no JSON")
    assert sigma_of(inputs.xrays[0]) is None
