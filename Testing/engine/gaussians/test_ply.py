"""Gaussians in files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from radgs.errors import InputFileError
from radgs.gaussians import RadiativeGaussians, load_ply, save_ply

MakeGaussians = Callable[..., RadiativeGaussians]


def test_gaussians_come_back_bit_for_bit(make_gaussians: MakeGaussians, tmp_path: Path) -> None:
    gaussians = make_gaussians(37, dtype=torch.float32)
    loaded = load_ply(save_ply(gaussians, tmp_path / "vertebra.ply", comment="CT RAS mm"))
    assert all(torch.equal(a, b) for a, b in zip(loaded.tensors(), gaussians.tensors(), strict=True))


def test_the_file_has_the_layout_that_splatting_tools_share(make_gaussians: MakeGaussians, tmp_path: Path) -> None:
    gaussians = make_gaussians(5, dtype=torch.float32)
    content = save_ply(gaussians, tmp_path / "vertebra.ply").read_bytes()
    head, _, body = content.partition(b"end_header\n")
    lines = head.decode().splitlines()
    assert lines[:2] == ["ply", "format binary_little_endian 1.0"]
    assert "element vertex 5" in lines
    names = [line.split()[2] for line in lines if line.startswith("property float ")]
    assert names == [
        *("x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2", "opacity"),
        *("scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"),
    ]
    table = np.frombuffer(body, dtype="<f4").reshape(5, len(names))
    np.testing.assert_array_equal(table[:, 9], gaussians.densities.numpy())
    np.testing.assert_array_equal(table[:, 13:], gaussians.quaternions.numpy())


def test_properties_of_other_tools_are_read_past(make_gaussians: MakeGaussians, tmp_path: Path) -> None:
    gaussians = make_gaussians(4, dtype=torch.float32)
    names = ["scale_0", "scale_1", "scale_2", "f_rest_0", "opacity", "x", "y", "z", "rot_0", "rot_1", "rot_2", "rot_3"]
    means, log_scales, quaternions, densities = (tensor.numpy() for tensor in gaussians.tensors())
    table = np.column_stack([log_scales, np.ones(4), densities, means, quaternions]).astype("<f8")
    header = ["ply", "format binary_little_endian 1.0", "element vertex 4", *(f"property double {n}" for n in names)]
    path = tmp_path / "other.ply"
    path.write_bytes("\n".join([*header, "end_header\n"]).encode() + table.tobytes())
    assert torch.equal(load_ply(path).means, gaussians.means)
    assert torch.equal(load_ply(path).densities, gaussians.densities)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match=r"nowhere\.ply"):
        load_ply(tmp_path / "nowhere.ply")


@pytest.mark.parametrize("spoil", ["text", "format", "truncated", "colours only", "mesh"])
def test_what_is_not_a_file_of_gaussians_is_refused(make_gaussians: MakeGaussians, tmp_path: Path, spoil: str) -> None:
    path = save_ply(make_gaussians(5), tmp_path / "vertebra.ply")
    content = path.read_bytes()
    path.write_bytes(
        {
            "text": b"x y z\n",
            "format": content.replace(b"binary_little_endian", b"ascii"),
            "truncated": content[:-3],
            "colours only": content.replace(b"float opacity", b"float brightness"),
            "mesh": content.replace(
                b"end_header", b"element face 1\nproperty list uchar int vertex_indices\nend_header"
            ),
        }[spoil]
    )
    with pytest.raises(InputFileError, match="does not hold Gaussians"):
        load_ply(path)
