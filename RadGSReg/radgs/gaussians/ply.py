"""Gaussians as .ply files in the layout that 3D Gaussian splatting tools share.

Properties, little-endian float32, in order: x y z (mm), nx ny nz (zero), f_dc_0 f_dc_1 f_dc_2 (a grey for viewers),
opacity, scale_0 scale_1 scale_2 (logarithms of standard deviations in mm), rot_0 .. rot_3 (quaternion w x y z).

``opacity`` holds the density in 1/mm as it is, signed, without the sigmoid of optical splatting: X-rays have
no opacity. float32 Gaussians come back bit for bit.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from radgs.gaussians.model import RadiativeGaussians
from radgs.io.atomic import write_bytes
from radgs.io.gaussian_table import read_gaussian_table

PROPERTIES = (
    *("x", "y", "z"),
    *("nx", "ny", "nz"),
    *("f_dc_0", "f_dc_1", "f_dc_2"),
    "opacity",
    *("scale_0", "scale_1", "scale_2"),
    *("rot_0", "rot_1", "rot_2", "rot_3"),
)
#: The lowest spherical harmonic: a viewer shows the colour 0.5 + f_dc times this.
HARMONIC = 0.28209479177387814
#: Viewers show this density as white, 1/mm.
WHITE_PER_MM = 0.02


def save_ply(gaussians: RadiativeGaussians, path: str | Path, comment: str = "") -> Path:
    """Writes binary little-endian .ply.

    Args:
        gaussians: N Gaussians; stored as float32.
        path: File to write.
        comment: One line for the header, such as the frame the Gaussians are in.

    Returns:
        The path written.

    Raises:
        OutputError: The file cannot be written.
    """
    means, log_scales, quaternions, densities = (tensor.detach().cpu().numpy() for tensor in gaussians.tensors())
    grey = (np.clip(np.abs(densities) / WHITE_PER_MM, 0, 1) - 0.5) / HARMONIC
    columns = [
        means,
        np.zeros_like(means),
        np.repeat(grey[:, None], 3, axis=1),
        densities[:, None],
        log_scales,
        quaternions,
    ]
    table = np.concatenate(columns, axis=1).astype("<f4")
    header = ["ply", "format binary_little_endian 1.0", "comment opacity is attenuation in 1/mm, scales are log mm"]
    header += [f"comment {line}" for line in comment.splitlines()]
    header += [f"element vertex {len(table)}", *(f"property float {name}" for name in PROPERTIES), "end_header", ""]
    path = Path(path)
    write_bytes(path, "\n".join(header).encode() + table.tobytes())
    return path


def load_ply(path: str | Path) -> RadiativeGaussians:
    """Reads Gaussians that ``save_ply`` wrote, or any binary little-endian file with the same properties.

    Returns:
        float32 Gaussians on the CPU.

    Raises:
        InputFileError: The file is missing, or is not such a file.
    """
    vertices = read_gaussian_table(Path(path))

    def columns(*names: str) -> torch.Tensor:
        return torch.from_numpy(np.stack([vertices[name].astype(np.float32) for name in names], axis=1))

    return RadiativeGaussians(
        means=columns("x", "y", "z"),
        log_scales=columns("scale_0", "scale_1", "scale_2"),
        quaternions=columns("rot_0", "rot_1", "rot_2", "rot_3"),
        densities=columns("opacity").squeeze(1),
    )
