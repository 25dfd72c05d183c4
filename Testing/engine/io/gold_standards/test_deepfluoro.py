"""DeepFluoro's HDF5 layout, written by hand as its description says, and projected by the description's own formula."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from radgs.case.importing.gold_standards import deepfluoro_case, started
from radgs.errors import CaseError, InputFileError
from radgs.geometry import FloatArray, RigidTransform
from radgs.io.gold_standards import DeepFluoroSpecimen, read_deepfluoro

h5py = pytest.importorskip("h5py", reason="HDF5 files are read by h5py, which is not installed: pip install h5py")

SDD, PIXEL, SIZE = 1020.0, 1.5, (190, 200)
INTRINSIC = np.array([[-SDD / PIXEL, 0.0, 97.0], [0.0, -SDD / PIXEL, 101.5], [0.0, 0.0, 1.0]])
EXTRINSIC = RigidTransform.from_rotation_vector([0.1, 0.4, -0.2], [12.0, -30.0, 25.0]).matrix
ORIGIN, SPACING = np.array([-40.0, -55.0, -900.0]), np.array([2.0, 2.0, 2.5])
SHAPE = (40, 50, 45)
LEFT_FEMUR = RigidTransform.from_rotation_vector([0.02, -0.05, 0.01], [3.0, -1.0, 2.0]).matrix


def world_to_pelvis(direction: FloatArray) -> FloatArray:
    """``cam-to-pelvis-vol``: a C-arm 600 mm before the pelvis's middle that looks along ``direction``, LPS."""
    middle = ORIGIN + SPACING * (np.array(SHAPE[::-1]) - 1) / 2
    forward = direction / np.linalg.norm(direction)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    camera_to_pelvis = np.eye(4)
    # z points from the film to the source: against the rays. x, y and z are right-handed.
    camera_to_pelvis[:3, 0], camera_to_pelvis[:3, 2] = right, -forward
    camera_to_pelvis[:3, 1] = np.cross(-forward, right)
    camera_to_pelvis[:3, 3] = middle - 600.0 * forward
    return camera_to_pelvis @ EXTRINSIC


POSES = {"000": world_to_pelvis(np.array([0.1, 1.0, 0.1])), "005": world_to_pelvis(np.array([-1.0, 0.2, 0.0]))}


def project(points_lps: FloatArray, pose: FloatArray) -> FloatArray:
    """The description's own words: CT to world, world to camera frame, camera frame to pixels."""
    homogeneous = np.column_stack([points_lps, np.ones(len(points_lps))])
    camera = (EXTRINSIC @ np.linalg.inv(pose) @ homogeneous.T)[:3]
    assert (camera[2] < 0).all()  # between source and film
    pixels = INTRINSIC @ camera
    return (pixels[:2] / pixels[2]).T


def write(path: Path) -> None:
    """A specimen with two X-rays, in the described layout."""
    rng = np.random.default_rng(0)
    landmarks = ORIGIN + SPACING * (np.array(SHAPE[::-1]) - 1) * rng.uniform(0.2, 0.8, (5, 3))
    segmentation = np.zeros(SHAPE, np.uint8)
    segmentation[5:15, 10:30, 5:15], segmentation[5:15, 10:30, 30:40] = 1, 2
    segmentation[22:34, 15:30, 5:15] = 5
    ct = np.where(segmentation > 0, 400.0, 40.0).astype(np.float32)
    ct[:, 46:] = -1000.0
    with h5py.File(path, "w") as file:
        write_all(
            file.create_group("proj-params"),
            {
                "intrinsic": INTRINSIC,
                "extrinsic": EXTRINSIC,
                "num-cols": SIZE[1],
                "num-rows": SIZE[0],
                "pixel-col-spacing": PIXEL,
                "pixel-row-spacing": PIXEL,
            },
        )
        specimen = file.create_group("17-1882")
        write_all(specimen.create_group("vol"), image(ct, 3))
        write_all(specimen.create_group("vol-seg/image"), image(segmentation, 3))
        names = {1: "left-hemipelvis", 2: "right-hemipelvis", 5: "left-femur"}
        write_all(specimen.create_group("vol-seg/labels-def"), {str(n): name for n, name in names.items()})
        write_all(specimen.create_group("vol-landmarks"), {f"L{n}": p[:, None] for n, p in enumerate(landmarks)})
        for name, pose in POSES.items():
            projection = specimen.create_group(f"projections/{name}")
            write_all(projection.create_group("image"), image(rng.uniform(50, 900, SIZE).astype(np.float32), 2))
            shown = project(landmarks, pose)
            write_all(projection.create_group("gt-landmarks"), {f"L{n}": p[:, None] for n, p in enumerate(shown)})
            write_all(
                projection.create_group("gt-poses"),
                {
                    "cam-to-pelvis-vol": pose,
                    "cam-to-left-femur-vol": LEFT_FEMUR @ pose,
                    "cam-to-right-femur-vol": pose,
                    "left-femur-good-fov": 1,
                    "right-femur-good-fov": 0,
                },
            )
            projection["rot-180-for-up"] = 1


def write_all(group: Any, values: dict[str, Any]) -> None:
    for name, value in values.items():
        group[name] = value


def image(pixels: np.ndarray, dimensions: int) -> dict[str, Any]:
    """An image group; origin and spacing are columns, as the file has them."""
    origin, spacing = (ORIGIN, SPACING) if dimensions == 3 else (np.zeros(2), np.full(2, PIXEL))
    return {"pixels": pixels, "dir-mat": np.eye(dimensions), "origin": origin[:, None], "spacing": spacing[:, None]}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "full.h5"
    write(path)
    return path


@pytest.fixture
def specimen(file: Path) -> DeepFluoroSpecimen:
    return read_deepfluoro(file, "17-1882")


def test_points_of_the_ct_project_as_the_description_says(specimen: DeepFluoroSpecimen) -> None:
    indices = np.random.default_rng(1).uniform(0, 1, (50, 3)) * (np.array(SHAPE[::-1]) - 1)
    lps = ORIGIN + SPACING * indices
    ras = specimen.ct.to_ras(indices)
    np.testing.assert_allclose(ras, lps * [-1, -1, 1], atol=1e-9)
    for one in specimen.projections:
        np.testing.assert_allclose(one.geometry.project(ras), project(lps, POSES[one.name]), atol=1e-6)
        assert one.geometry.source_to_detector_mm == pytest.approx(SDD)
        assert one.geometry.pixel_spacing == pytest.approx((PIXEL, PIXEL))
        assert one.geometry.shape == SIZE
        assert one.landmark_pixels < 1e-6
    first, second = specimen.projections
    assert first.values[3, 7] != second.values[3, 7]


def test_a_femur_projects_by_its_own_pose(specimen: DeepFluoroSpecimen) -> None:
    lps = ORIGIN + SPACING * np.random.default_rng(2).uniform(5, 30, (20, 3))
    for one in specimen.projections:
        assert list(one.femurs) == ["left-femur"]  # the other's view is not good
        placed = one.femurs["left-femur"].apply(lps * [-1, -1, 1])
        np.testing.assert_allclose(one.geometry.project(placed), project(lps, LEFT_FEMUR @ POSES[one.name]), atol=1e-6)


def test_a_case_has_the_pelvis_and_the_femur_with_their_true_poses(specimen: DeepFluoroSpecimen) -> None:
    case, told = deepfluoro_case(specimen, ["000", "005"])
    assert told == ()
    assert [(level.name, level.label) for level in case.levels] == [("pelvis", 1), ("left-femur", 2)]
    np.testing.assert_array_equal(case.truth["pelvis"].matrix, np.eye(4))
    np.testing.assert_array_equal(case.labels.array == 1, np.isin(specimen.labels.array, [1, 2]))
    np.testing.assert_array_equal(case.labels.array == 2, specimen.labels.array == 5)
    # More exposure was larger: in line integrals it is smaller.
    values, integrals = specimen.projections[0].values.ravel(), case.views[0].image.ravel()
    assert np.corrcoef(values, integrals)[0, 1] < -0.8
    case.validate()
    shift = RigidTransform(np.eye(3), np.array([10.0, 0.0, 0.0]))
    moved = started(case, "left-femur", shift)
    assert [level.name for level in moved.levels] == ["left-femur"]
    pose = moved.initial["left-femur"].ct_to_world
    assert pose is not None
    np.testing.assert_allclose(pose.matrix, (shift @ case.truth["left-femur"]).matrix)
    moved.validate()
    with pytest.raises(CaseError, match="no projection 001"):
        deepfluoro_case(specimen, ["000", "001"])


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        ("proj-params/intrinsic", INTRINSIC * [[-1], [-1], [1]], "the intrinsics do not fit"),
        ("proj-params/extrinsic", EXTRINSIC @ np.diag([1, 1, 2, 1]), "not rigid"),
        ("proj-params/num-cols", 100, "rows and columns"),
        ("17-1882/projections/000/gt-poses/cam-to-pelvis-vol", np.linalg.inv(POSES["000"]), "landmarks"),
        ("17-1882/vol-landmarks/L0", [900.0, 0.0, 0.0], "outside the CT"),
        ("17-1882/vol/pixels", np.zeros(99, np.float32), "not a volume"),
        ("17-1882/vol/spacing", [1.0, np.nan, 1.0], "finite numbers"),
        ("17-1882/vol-seg/labels-def/1", 7.0, "not a text"),
    ],
)
def test_a_file_that_says_something_else_is_refused(file: Path, place: str, value: Any, said: str) -> None:
    with h5py.File(file, "a") as opened:
        del opened[place]
        opened[place] = value
    with pytest.raises(InputFileError, match=said):
        read_deepfluoro(file, "17-1882")


def test_what_is_not_there_is_told(file: Path, tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="no specimen 18-0725"):
        read_deepfluoro(file, "18-0725")
    with pytest.raises(InputFileError, match="no /17-1882/projections/009"):
        read_deepfluoro(file, "17-1882", ["009"])
    with h5py.File(file, "a") as opened:
        del opened["17-1882/vol-seg"]
    with pytest.raises(InputFileError, match="no /17-1882/vol-seg"):
        read_deepfluoro(file, "17-1882")
    (tmp_path / "text.h5").write_text("no HDF5")
    with pytest.raises(InputFileError, match="no HDF5 file"):
        read_deepfluoro(tmp_path / "text.h5", "17-1882")
