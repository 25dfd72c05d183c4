"""A result's folder becomes nodes: poses, vertebrae, reconstruction, Gaussians; and a saved scene keeps all of them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK
import slicer
import torch
from grids import isotropic_grid
from scene_parts import POSE

from radgs.case import LevelResult, Reason, RegistrationResult, SelfCalibratedView
from radgs.errors import CaseError
from radgs.gaussians import RadiativeGaussians, voxelize
from radgs.gaussians.ply import save_ply
from radgs.geometry import RigidTransform, Volume
from radgs.geometry.sigma import GeometrySigma
from radgs.io.transforms import write_transform
from radgs.io.volumes import write_volume

SECOND = RigidTransform.from_rotation_vector([0.0, 0.1, 0.0], [1.0, 2.0, 3.0])
CENTRE = np.array([12.0, -7.0, 20.0])


def gaussians() -> RadiativeGaussians:
    """Three blobs around a centre, one of them long and turned, one of them negative."""
    return RadiativeGaussians(
        means=torch.tensor(CENTRE + np.array([[0, 0, 0], [10, 0, 0], [0, -8, 0]]), dtype=torch.float32),
        log_scales=torch.log(torch.tensor([[2.0, 2.0, 2.0], [6.0, 1.0, 1.0], [2.0, 2.0, 2.0]])),
        quaternions=torch.tensor([[1.0, 0, 0, 0], [np.cos(np.pi / 4), 0, 0, np.sin(np.pi / 4)], [1.0, 0, 0, 0]]),
        densities=torch.tensor([0.02, 0.03, -0.01]),
    )


@pytest.fixture
def a_result_folder(written_once: Path, tmp_path: Path) -> Path:
    """A copy of the engine's files for a test to spoil."""
    return Path(shutil.copytree(written_once, tmp_path / "result"))


@pytest.fixture(scope="module")
def written_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the engine writes for L3 and L4, the networks' files included; T12 has no pose."""
    tmp_path = tmp_path_factory.mktemp("result")
    levels = {
        "L3": LevelResult(POSE, "accept", {"surface_p95": 0.8}, similarity={"AP": {"start": 0.1, "result": 0.7}}),
        "L4": LevelResult(SECOND, "check", {"surface_p95": 2.5}, (Reason("far", 'Weit weg: „schräg" <&>.'),)),
        "T12": LevelResult(None, "reject"),
    }
    RegistrationResult(levels).save(tmp_path)
    save_ply(gaussians(), tmp_path / "L3_gaussians.ply")
    save_ply(gaussians(), tmp_path / "L3_reconstruction.ply")
    grid = isotropic_grid(CENTRE, 48.0, 2.0)
    attenuation = voxelize(gaussians(), grid.index_to_ras, grid.array.shape).numpy()
    write_volume(tmp_path / "L3_reconstruction.nrrd", Volume(attenuation / 0.02 * 1000, grid.index_to_ras))
    return tmp_path


def imported(folder: Path, inputs: Any, levels: tuple[str, ...] = ("L3", "L4", "T12")) -> RegistrationResult:
    from dataclasses import replace

    from RadGSRegLib.engine.result_import import import_steps

    segments = dict.fromkeys(levels, inputs.segments["L3"])
    *_, result = import_steps(folder, replace(inputs, segments=segments))
    assert isinstance(result, RegistrationResult)
    return result


def node(transform: Any, role: str) -> Any:
    return transform.GetNodeReference(f"RadGSReg.{role}")


def test_every_level_with_a_pose_gets_its_transform_and_its_vertebra(a_demo_case: Any, a_result_folder: Path) -> None:
    imported(a_result_folder, a_demo_case)
    l3, l4 = slicer.util.getNode("L3CTToWorld"), slicer.util.getNode("L4CTToWorld")
    np.testing.assert_allclose(slicer.util.arrayFromTransformMatrix(l3), POSE.matrix, atol=1e-9)
    np.testing.assert_allclose(slicer.util.arrayFromTransformMatrix(l4), SECOND.matrix, atol=1e-9)
    assert slicer.mrmlScene.GetFirstNodeByName("T12CTToWorld") is None
    assert [node(t, "vertebra").GetParentTransformNode() for t in (l3, l4)] == [l3, l4]
    assert a_demo_case.ct.GetParentTransformNode() is l3
    assert a_demo_case.segmentation.GetParentTransformNode() is l3


def test_a_level_remembers_its_verdict(a_demo_case: Any, a_result_folder: Path) -> None:
    from RadGSRegLib.engine.result_import import result_of

    imported(a_result_folder, a_demo_case)
    remembered = result_of(slicer.util.getNode("L4CTToWorld"))
    assert remembered is not None
    assert remembered["verdict"] == "check"
    assert remembered["reasons"] == [{"code": "far", "message": 'Weit weg: „schräg" <&>.'}]


def test_the_reconstruction_is_a_rendered_volume_in_the_world(a_demo_case: Any, a_result_folder: Path) -> None:
    imported(a_result_folder, a_demo_case)
    volume = node(slicer.util.getNode("L3CTToWorld"), "reconstruction")
    assert volume.GetClassName() == "vtkMRMLScalarVolumeNode"
    assert volume.GetParentTransformNode() is None
    array = slicer.util.arrayFromVolume(volume)
    k, j, i = np.unravel_index(array.argmax(), array.shape)
    matrix = slicer.util.arrayFromVTKMatrix(_ijk_to_ras(volume))
    np.testing.assert_allclose((matrix @ [i, j, k, 1])[:3], CENTRE, atol=1.5)
    assert 600 < array.max() <= 1000
    display = slicer.modules.volumerendering.logic().GetFirstVolumeRenderingDisplayNode(volume)
    assert display.GetVisibility()
    opacity = display.GetVolumePropertyNode().GetScalarOpacity()
    assert opacity.GetValue(0) == 0.0
    assert opacity.GetValue(1000) > 0.1


def _ijk_to_ras(volume: Any) -> Any:
    import vtk

    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    return matrix


def test_the_gaussians_are_ellipsoids_where_they_are(a_demo_case: Any, a_result_folder: Path) -> None:
    imported(a_result_folder, a_demo_case)
    l3 = slicer.util.getNode("L3CTToWorld")
    world, own = node(l3, "reconstructedGaussians"), node(l3, "gaussians")
    assert world.GetParentTransformNode() is None
    assert own.GetParentTransformNode() is l3
    points = slicer.util.arrayFromModelPoints(world)
    density = slicer.util.arrayFromModelPointData(world, "density")
    np.testing.assert_allclose(sorted(set(density.astype(float).round(6))), [0.02, 0.03])
    long = points[density > 0.025]
    np.testing.assert_allclose(long.mean(axis=0), CENTRE + [10, 0, 0], atol=0.2)
    # Its long axis, x in its own frame, was turned to y.
    np.testing.assert_allclose(np.ptp(long, axis=0), [2.0, 12.0, 2.0], rtol=0.15)


def test_a_second_result_replaces_the_first(a_demo_case: Any, a_result_folder: Path) -> None:
    imported(a_result_folder, a_demo_case)
    count = slicer.mrmlScene.GetNumberOfNodes()
    imported(a_result_folder, a_demo_case)
    assert slicer.mrmlScene.GetNumberOfNodes() == count
    (a_result_folder / "L3_reconstruction.nrrd").unlink()
    imported(a_result_folder, a_demo_case)
    assert node(slicer.util.getNode("L3CTToWorld"), "reconstruction") is None


def test_everything_lies_in_one_folder_of_the_subject_hierarchy(a_demo_case: Any, a_result_folder: Path) -> None:
    imported(a_result_folder, a_demo_case)
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    folder = hierarchy.GetItemChildWithName(hierarchy.GetSceneItemID(), "RadGS-Reg: CT")
    l3 = slicer.util.getNode("L3CTToWorld")
    mine = [l3, node(l3, "vertebra"), node(l3, "reconstruction"), node(l3, "gaussians"), *a_demo_case.xrays]
    assert [hierarchy.GetItemParent(hierarchy.GetItemByDataNode(n)) for n in mine] == [folder] * len(mine)


def test_a_ct_that_was_deleted_meanwhile_is_told(a_demo_case: Any, a_result_folder: Path) -> None:
    slicer.mrmlScene.RemoveNode(a_demo_case.ct)
    with pytest.raises(CaseError, match="The CT was deleted while it was being registered"):
        imported(a_result_folder, a_demo_case)
    assert slicer.mrmlScene.GetFirstNodeByName("L3CTToWorld") is None


def test_an_xray_that_was_deleted_meanwhile_is_not_missed(a_demo_case: Any, a_result_folder: Path) -> None:
    slicer.mrmlScene.RemoveNode(a_demo_case.xrays[0])
    assert imported(a_result_folder, a_demo_case).levels["L3"].verdict == "accept"


def test_a_saved_scene_comes_back_whole(a_logic: Any, a_demo_case: Any, a_result_folder: Path, tmp_path: Path) -> None:
    from RadGSRegLib.engine.result_import import result_of
    from RadGSRegLib.scene.levels import level_transforms
    from RadGSRegLib.scene.xray_nodes import click_pixel, geometry_of

    imported(a_result_folder, a_demo_case)
    geometry = geometry_of(a_demo_case.xrays[1])
    click = click_pixel(a_logic.getParameterNode().parameterNode, "L3", a_demo_case.xrays[0])
    bundle = str(tmp_path / "scene.mrb")
    assert slicer.mrmlScene.WriteToMRB(bundle)
    slicer.mrmlScene.Clear(0)
    assert slicer.mrmlScene.GetFirstNodeByName("L3CTToWorld") is None
    slicer.mrmlScene.ReadFromMRB(bundle)

    inputs = a_logic.inputs()
    assert inputs.missing() == []
    assert inputs.segments == a_demo_case.segments
    transforms = level_transforms(inputs.ct)
    assert sorted(transforms) == ["L3", "L4"]
    np.testing.assert_allclose(slicer.util.arrayFromTransformMatrix(transforms["L3"]), POSE.matrix, atol=1e-9)
    assert node(transforms["L4"], "vertebra").GetParentTransformNode() is transforms["L4"]
    assert node(transforms["L3"], "reconstruction").GetParentTransformNode() is None
    remembered = result_of(transforms["L4"])
    assert remembered is not None
    assert remembered["reasons"][0]["message"] == 'Weit weg: „schräg" <&>.'
    again = geometry_of(inputs.xrays[1])
    np.testing.assert_allclose(again.source_ras, geometry.source_ras, atol=1e-6)
    np.testing.assert_allclose(again.pixel_to_ras([7, 9]), geometry.pixel_to_ras([7, 9]), atol=1e-4)
    assert click is not None
    clicked = click_pixel(a_logic.getParameterNode().parameterNode, "L3", inputs.xrays[0])
    np.testing.assert_allclose(clicked, click, atol=1e-3)
    a_logic.setActiveLevel(inputs, "L4")
    a_logic.revert(inputs)
    assert inputs.ct.GetParentTransformNode() is None


def test_one_transform_file_means_the_same_in_simpleitk_and_in_mrml(a_scene: Any, tmp_path: Path) -> None:
    """An asymmetric pose: no sign, order or inverse can be wrong and still agree."""
    path = tmp_path / "L3_ct_to_world.tfm"
    write_transform(path, POSE)
    storage = slicer.vtkMRMLTransformStorageNode()
    storage.SetFileName(str(path))
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    assert storage.ReadData(transform)
    np.testing.assert_allclose(slicer.util.arrayFromTransformMatrix(transform), POSE.matrix, atol=1e-9)

    ct_ras = np.array([1.0, 2.0, 3.0])
    lps = np.array([-1.0, -1.0, 1.0])
    back = SimpleITK.ReadTransform(str(path)).TransformPoint((POSE.apply(ct_ras) * lps).tolist())
    np.testing.assert_allclose(back, ct_ras * lps, atol=1e-9)


def test_an_earlier_run_comes_back_with_what_it_reconstructed(
    a_demo_case: Any, a_result_folder: Path, tmp_path: Path
) -> None:
    from RadGSRegLib.engine.kept_runs import KeptRuns, is_of_the_run
    from RadGSRegLib.review.history import restore_run, runs_of

    kept = KeptRuns(tmp_path / "runs")
    imported(a_result_folder, a_demo_case)
    kept.keep(a_result_folder)
    transform = slicer.util.getNode("L3CTToWorld")
    first = slicer.util.arrayFromVolume(node(transform, "reconstruction")).copy()

    RegistrationResult({"L3": LevelResult(SECOND, "check", {"surface_p95": 1.5})}).save(a_result_folder)
    brighter = SimpleITK.ReadImage(str(a_result_folder / "L3_reconstruction.nrrd")) + 100.0
    SimpleITK.WriteImage(brighter, str(a_result_folder / "L3_reconstruction.nrrd"))
    imported(a_result_folder, a_demo_case, ("L3",))
    kept.keep(a_result_folder)
    second = slicer.util.arrayFromVolume(node(transform, "reconstruction")).copy()
    assert (second - first).min() > 50.0

    for number, wanted in ((0, first), (1, second), (0, first)):
        restore_run(transform, runs_of(transform)[number])
        assert not is_of_the_run(node(transform, "reconstruction"), transform)
        assert kept.restore(a_demo_case, "L3")
        np.testing.assert_array_equal(slicer.util.arrayFromVolume(node(transform, "reconstruction")), wanted)
        assert is_of_the_run(node(transform, "reconstruction"), transform)
        assert len(slicer.util.getNodesByClass("vtkMRMLVolumeRenderingDisplayNode")) == 1  # nothing is left behind


def test_where_a_runs_files_are_gone_anothers_are_not_shown_for_its(
    a_demo_case: Any, a_result_folder: Path, tmp_path: Path
) -> None:
    from RadGSRegLib.engine.kept_runs import KeptRuns, is_of_the_run
    from RadGSRegLib.review.history import restore_run, runs_of

    imported(a_result_folder, a_demo_case)
    RegistrationResult({"L3": LevelResult(SECOND, "check")}).save(a_result_folder)
    imported(a_result_folder, a_demo_case, ("L3",))
    another_session = KeptRuns(tmp_path / "runs")
    transform = slicer.util.getNode("L3CTToWorld")
    volume = node(transform, "reconstruction")
    display = slicer.modules.volumerendering.logic().GetFirstVolumeRenderingDisplayNode(volume)
    restore_run(transform, runs_of(transform)[0])
    assert not another_session.restore(a_demo_case, "L3")
    assert not display.GetVisibility()
    assert not is_of_the_run(volume, transform)
    restore_run(transform, runs_of(transform)[1])
    assert another_session.restore(a_demo_case, "L3")  # the scene has it still
    assert display.GetVisibility()


def test_where_nothing_can_be_kept_a_run_goes_without(a_result_folder: Path, tmp_path: Path) -> None:
    from RadGSRegLib.engine.kept_runs import KeptRuns

    (tmp_path / "runs").write_text("a file where the folder should be")
    KeptRuns(tmp_path / "runs").keep(a_result_folder)
    assert (a_result_folder / "L3_reconstruction.nrrd").is_file()


def test_an_xray_takes_the_geometry_that_was_solved_for(a_demo_case: Any, a_result_folder: Path) -> None:
    from dataclasses import replace

    from RadGSRegLib.scene.view_geometry import sigma_of
    from RadGSRegLib.scene.xray_nodes import geometry_of, geometry_origin

    first, second = (geometry_of(xray) for xray in a_demo_case.xrays)
    covariance = np.diag(np.arange(1.0, 10.0)) + 0.3
    found = SelfCalibratedView(
        view="LAT",
        source_ras=second.source_ras + [1.0, 2.0, 3.0],
        detector_to_ras=second.detector_to_ras,
        sigma=GeometrySigma.of_covariance(covariance),
        changed=np.array([1.0, 2.0, 3.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
        moves=(),
        held=("the source-detector distance",),
        beyond_sigma=False,
    )
    replace(RegistrationResult.load(a_result_folder), self_calibration=found).save(a_result_folder)
    imported(a_result_folder, a_demo_case)
    held, moved = a_demo_case.xrays
    np.testing.assert_allclose(geometry_of(held).source_ras, first.source_ras, atol=1e-9)
    np.testing.assert_allclose(geometry_of(moved).source_ras, found.source_ras, atol=1e-9)
    assert geometry_origin(moved) == "self-calibrated from the patient"
    kept = sigma_of(moved)
    assert kept is not None
    assert kept.covariance is not None
    np.testing.assert_allclose(kept.covariance, covariance, atol=1e-9)
