"""Two films and their calibrations in files, and what a user says of those in the dialog of *Load...*."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from dialogs import child

from radgs.geometry import RigidTransform, ViewGeometry
from radgs.geometry.c_arm import CArm, FilmTurn

SIZE = (120, 100)
#: As a camera at the source sees them, which is not how films are hung.
FRONTAL, LATERAL = (
    CArm(angle, 0.0, 1000.0, 650.0, (2.0, 2.0), SIZE, turn=FilmTurn(0, True)).view() for angle in (0.0, 90.0)
)
#: The calibration's world is turned against the patient: its +y is the patient's head, its +x the front.
WORLD_TO_RAS = RigidTransform(np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]]), np.zeros(3))


def add_films() -> tuple[Any, Any]:
    """Two images, AP and LAT."""
    images = [np.random.default_rng(number).random((1, SIZE[1], SIZE[0])).astype(np.float32) for number in (1, 2)]
    ap, lat = (
        slicer.util.addVolumeFromArray(image, name=name) for image, name in zip(images, ("AP", "LAT"), strict=True)
    )
    return ap, lat


def camera(view: ViewGeometry) -> tuple[Any, Any]:
    """K and world-to-camera [R|t] of a view, in the calibration's world, OpenCV's way."""
    projection = view.ras_to_homogeneous_pixel @ WORLD_TO_RAS.matrix
    projection = projection / np.linalg.norm(projection[2, :3])
    turned = np.flipud(np.eye(3))
    orthogonal, upper = np.linalg.qr((turned @ projection[:, :3]).T)
    intrinsics, rotation = turned @ upper.T @ turned, turned @ orthogonal.T
    signs = np.diag(np.sign(np.diag(intrinsics)))
    intrinsics, rotation = intrinsics @ signs, signs @ rotation
    return intrinsics, np.column_stack([rotation, np.linalg.solve(intrinsics, projection[:, 3])])


def write_matrices(folder: Path) -> list[str]:
    """A file of K and [R|t] for each view."""
    paths = []
    for name, view in (("AP", FRONTAL), ("LAT", LATERAL)):
        intrinsics, extrinsics = camera(view)
        paths.append(folder / f"{name}.txt")
        lines = [" ".join(f"{number:.12g}" for number in row) for row in (*intrinsics, *extrinsics)]
        paths[-1].write_text("\n".join(lines), "utf-8")
    return [str(path) for path in paths]


def choose_files(monkeypatch: pytest.MonkeyPatch, *paths: str) -> None:
    import qt

    monkeypatch.setattr(qt.QFileDialog, "getOpenFileNames", lambda *arguments: paths)


def say(dialog: Any, **choices: int) -> None:
    for name, index in choices.items():
        child(dialog, f"{name}ComboBox").setCurrentIndex(index)


def assert_same_rays(xray: Any, view: ViewGeometry) -> None:
    from RadGSRegLib.scene.xray_nodes import geometry_of

    points = np.random.default_rng(4).uniform(-40, 40, (20, 3))
    np.testing.assert_allclose(geometry_of(xray).project(points), view.project(points), atol=1e-6)


def write_projections(folder: Path, views: list[ViewGeometry]) -> list[str]:
    """A file of P for each view, multiplied by some number."""
    paths = []
    for name, view in zip(("AP", "LAT"), views, strict=True):
        paths.append(folder / f"{name}.txt")
        np.savetxt(paths[-1], -3.7 * view.ras_to_homogeneous_pixel @ WORLD_TO_RAS.matrix)
    return [str(path) for path in paths]


def write_trial(folder: Path) -> tuple[Path, Path]:
    """A trial of Autoscoper with both views as MayaCam 2.0, and two bones tracked in its world in frames 2 and 3."""
    for name, view in (("cam01", FRONTAL), ("cam02", LATERAL)):
        intrinsics, extrinsics = camera(view)
        parts = {
            "image size": [SIZE],
            "camera matrix": intrinsics,
            "rotation": extrinsics[:, :3],
            "translation": extrinsics[:, 3:],
        }
        lines: list[str] = []
        for title, rows in parts.items():
            lines += [title, *(",".join(f"{number:.12g}" for number in row) for row in rows), ""]
        (folder / f"{name}.txt").write_text("\n".join(lines), "utf-8")
        (folder / f"{name} films").mkdir()
    trial = folder / "wrist.cfg"
    entries = [f"mayaCam_csv {name}.txt\nCameraRootDir {name} films" for name in ("cam01", "cam02")]
    entries += [f"VolumeFile {bone}.tif\nVolumeFlip 0 0 0\nVoxelSize 0.4 0.4 0.6" for bone in ("radius", "ulna")]
    trial.write_text("\n".join(entries), "utf-8")
    # A bone that lies in the patient as in its CT: model (left, anterior, inferior) to the calibration's world.
    upright = WORLD_TO_RAS.matrix.T @ np.diag([-1.0, 1.0, -1.0, 1.0])
    askew = upright @ RigidTransform.from_rotation_vector([0.0, 0.0, np.pi / 2], [5.0, 0.0, 0.0]).matrix
    lost = np.full(16, np.nan)
    rows = [[*lost, *lost], [*upright.ravel(), *askew.ravel()], [*askew.ravel(), *lost]]
    tracking = folder / "tracked.tra"
    np.savetxt(tracking, rows, delimiter=",")
    return trial, tracking
