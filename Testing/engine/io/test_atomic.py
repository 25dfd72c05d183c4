"""A file is whole or as it was before: on a full disk, when interrupted, through links, and with two at it."""

from __future__ import annotations

import ast
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

import radgs
from radgs.errors import InputFileError, OutputError
from radgs.geometry import RigidTransform, Volume
from radgs.io.atomic import write_atomically, write_text
from radgs.io.transforms import read_transform, write_transform
from radgs.io.volumes import read_volume, write_volume

PACKAGE_PARENT = Path(radgs.__file__).resolve().parents[1]
POSE = RigidTransform.from_rotation_vector([0.3, -0.2, 0.1], [10.0, -20.0, 30.0])

#: Writes a file of every kind on a disk that takes 300 bytes of a file and no more, and prints who noticed.
FULL_DISK = """
import json, resource, sys
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

from radgs.errors import OutputError
from radgs.experiments.figures import _save
from radgs.gaussians import RadiativeGaussians, save_ply
from radgs.geometry import RigidTransform
from radgs.io.atomic import write_text
from radgs.io.nrrd_pieces import write_in_pieces
from radgs.io.transforms import write_transform
from radgs.io.volumes import write_volume
from radgs.geometry import Volume

folder = Path(sys.argv[1])
pose = RigidTransform.from_rotation_vector([0.3, -0.2, 0.1], [10.123456789, -20.0, 30.0])
volume = Volume(np.random.default_rng(0).random((9, 9, 9)), np.eye(4))
three = torch.zeros(50, 3)
gaussians = RadiativeGaussians(three, three, torch.ones(50, 4), torch.zeros(50))
writers = {
    "a.json": lambda path: write_text(path, "x" * 1000),
    "a.tfm": lambda path: write_transform(path, pose),
    "a.h5": lambda path: write_transform(path, pose),
    "a.nrrd": lambda path: write_volume(path, volume),
    "a.nii.gz": lambda path: write_volume(path, volume),
    "b.nrrd": lambda path: list(write_in_pieces(path, volume)),
    "a.ply": lambda path: save_ply(gaussians, path),
    "a.png": lambda path: _save(Figure(), path),
}
for name in writers:
    (folder / name).write_text("as it was", encoding="utf-8")
resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))
noticed = []
for name, write in writers.items():
    try:
        write(folder / name)
    except OutputError as error:
        assert error.problem and error.remedy
        noticed.append(name)
print("\\n".join(sorted(noticed)))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the limit on a file's size is POSIX's")
@pytest.mark.slow
def test_a_full_disk_leaves_the_earlier_file_and_is_said(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="torch is not here")
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE_PARENT)}
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == sorted(path.name for path in tmp_path.iterdir())
    assert {path.read_text(encoding="utf-8") for path in tmp_path.iterdir()} == {"as it was"}


@pytest.mark.parametrize("size", [200, 240, 300])
def test_a_transform_cut_off_is_not_read_as_another_pose(size: int, tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole.tfm", tmp_path / "cut.tfm"
    write_transform(whole, POSE)
    content = whole.read_bytes()
    for length in (size, *range(len(content) - 40, len(content))):
        cut.write_bytes(content[:length])
        with pytest.raises(InputFileError, match="cut off"):
            read_transform(cut)
    cut.write_bytes(content)
    np.testing.assert_allclose(read_transform(cut).matrix, POSE.matrix, atol=1e-9)


@pytest.mark.parametrize(
    "transform",
    [
        SimpleITK.AffineTransform(3),
        SimpleITK.Euler3DTransform(),
        SimpleITK.VersorRigid3DTransform(),
        SimpleITK.VersorTransform(),
        SimpleITK.Similarity3DTransform(),
        SimpleITK.ScaleVersor3DTransform(),
        SimpleITK.ScaleSkewVersor3DTransform(),
        SimpleITK.TranslationTransform(3),
        SimpleITK.CompositeTransform([SimpleITK.Euler3DTransform(), SimpleITK.TranslationTransform(3)]),
    ],
    ids=lambda transform: transform.GetName(),
)
def test_every_linear_transform_of_itk_is_read(transform: SimpleITK.Transform, tmp_path: Path) -> None:
    path = tmp_path / "some.tfm"
    SimpleITK.WriteTransform(transform, str(path))
    np.testing.assert_allclose(read_transform(path).matrix, np.eye(4), atol=1e-9)


def test_an_interrupted_writer_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "kept.txt"
    path.write_text("as it was", encoding="utf-8")

    def interrupted() -> None:
        with write_atomically(path) as aside:
            aside.write_text("half", encoding="utf-8")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [file.name for file in tmp_path.iterdir()] == ["kept.txt"]
    assert path.read_text(encoding="utf-8") == "as it was"


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    theirs, ours = tmp_path / "theirs.nrrd", tmp_path / "ours.nrrd"
    theirs.write_text("keep me", encoding="utf-8")
    ours.symlink_to(theirs)
    volume = Volume(np.arange(27, dtype=np.int16).reshape(3, 3, 3), np.eye(4))
    write_volume(ours, volume)
    assert theirs.read_text(encoding="utf-8") == "keep me"
    assert not ours.is_symlink()
    np.testing.assert_array_equal(read_volume(ours).array, volume.array)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX's permissions")
def test_what_holds_patients_is_for_its_owner_alone(tmp_path: Path) -> None:
    write_transform(tmp_path / "a.tfm", POSE)
    write_text(tmp_path / "report.md", "of phantoms", private=False)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    umask = os.umask(0)
    os.umask(umask)
    assert modes == {"a.tfm": 0o600, "report.md": 0o666 & ~umask}


def test_every_file_that_the_engine_writes_is_written_so() -> None:
    """What opens or writes a file by itself does so on the path aside; a log is added to, which nothing can undo."""
    # What a child writes is read at once, and thrown away.
    allowed = {"io/atomic.py", "io/dicom_child.py", "io/transform_child.py"}
    writers = {"write_text", "write_bytes", "savefig", "save", "savez", "imsave", "WriteImage", "WriteTransform"}
    found = []
    for path in sorted((PACKAGE_PARENT / "radgs").rglob("*.py")):
        place = path.relative_to(PACKAGE_PARENT / "radgs").as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or place in allowed:
                continue
            called = node.func.attr
            written = called in writers or (
                called == "open" and any(isinstance(a, ast.Constant) and "w" in str(a.value) for a in node.args)
            )
            if written and "aside" not in ast.unparse(node) and ".save(" not in ast.unparse(node):
                found.append(f"{place}:{node.lineno}")
    assert found == []


def test_a_place_that_is_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        write_text(tmp_path / "missing" / "a.txt", "text")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        write_text(tmp_path / "folder", "text")
