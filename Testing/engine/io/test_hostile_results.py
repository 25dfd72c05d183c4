"""Files that come back to us damaged or forged: a sentence, never an internal error and never other numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from radgs.errors import RadgsError
from radgs.gaussians import RadiativeGaussians, load_ply, save_ply
from radgs.geometry import RigidTransform
from radgs.io.spatial_registration import (
    FrameOfReference,
    Heading,
    read_spatial_registration,
    write_spatial_registration,
)

POSE = RigidTransform.from_rotation_vector([0.3, -0.2, 0.1], [10.0, -20.0, 30.0])


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """A file with a few bytes changed, cut out, or repeated, or cut off."""
    data = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        at, length = int(rng.integers(len(data))), int(rng.integers(1, 40))
        match int(rng.integers(4)):
            case 0:
                data[at : at + length] = rng.integers(0, 256, length, dtype=np.uint8).tobytes()
            case 1:
                del data[at : at + length]
            case 2:
                data[at:at] = data[at : at + length]
            case _:
                data[at] ^= 1 << int(rng.integers(8))
    return bytes(data[: int(rng.integers(1, len(data) + 1))] if rng.random() < 0.2 else data) or b"\0"


@pytest.fixture
def a_ply(tmp_path: Path) -> Path:
    means = torch.arange(30.0).reshape(10, 3)
    one = RadiativeGaussians(means, torch.zeros(10, 3), torch.ones(10, 4), torch.ones(10))
    return save_ply(one, tmp_path / "some.ply", "a comment")


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        (b"vertex 10", b"vertex -1"),
        (b"vertex 10", b"vertex 99999999999999999999"),
        (b"vertex 10", b"vertex ten"),
        (b"vertex 10", b"vertex"),
        (b"float y", b"float x"),
        (b"float y", b"list y"),
        (b"element vertex", b"element"),
        (np.float32(3.0).tobytes(), np.float32(np.nan).tobytes()),
        (np.float32(3.0).tobytes(), np.float32(np.inf).tobytes()),
        (np.zeros(3, "<f4").tobytes() + np.ones(4, "<f4").tobytes(), np.full(3, 80, "<f4").tobytes() + bytes(16)),
        (np.ones(4, "<f4").tobytes() + np.float32(3.0).tobytes(), bytes(16) + np.float32(3.0).tobytes()),
    ],
)
def test_a_forged_table_of_gaussians_is_refused(was: bytes, becomes: bytes, a_ply: Path) -> None:
    content = a_ply.read_bytes()
    assert was in content
    a_ply.write_bytes(content.replace(was, becomes, 1))
    with pytest.raises(RadgsError, match="does not hold Gaussians"):
        load_ply(a_ply)


def test_no_damage_to_a_table_of_gaussians_is_an_internal_error(a_ply: Path) -> None:
    content, rng = a_ply.read_bytes(), np.random.default_rng(0)
    read = 0
    for _ in range(500):
        a_ply.write_bytes(mutated(content, rng))
        try:
            gaussians = load_ply(a_ply)
        except RadgsError:
            continue
        read += 1
        assert all(torch.isfinite(tensor).all() for tensor in gaussians.tensors())
    assert 0 < read < 500


@pytest.mark.filterwarnings("ignore")  # pydicom's, of the damage
def test_no_damage_to_a_registration_object_is_an_internal_error(tmp_path: Path) -> None:
    path = tmp_path / "reg.dcm"
    uids = {
        "StudyInstanceUID": "1.2.3",
        "SeriesInstanceUID": "1.2.3.4",
        "SOPInstanceUID": "1.2.3.4.5",
        "SeriesNumber": 1,
        "InstanceNumber": 1,
        "ContentLabel": "CT_TO_WORLD",
        "ContentDescription": "a pose",
    }
    write_spatial_registration(
        path, POSE, FrameOfReference("1.2.3.1"), FrameOfReference("1.2.3.2"), Heading(uids, "a pose")
    )
    assert np.allclose(read_spatial_registration(path).ct_to_world.matrix, POSE.matrix)
    content, rng = path.read_bytes(), np.random.default_rng(0)
    read = 0
    for _ in range(500):
        path.write_bytes(mutated(content, rng))
        try:
            found = read_spatial_registration(path)
        except RadgsError:
            continue
        read += 1
        assert np.isfinite(found.ct_to_world.matrix).all()
    assert 0 < read < 500
