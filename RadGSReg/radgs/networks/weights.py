"""Checks of stored weights: complete, finite, and with the checksum that was written."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from radgs.errors import InputFileError

REMEDY = "Copy the file again, or prepare the model again."


def weights_sha256(weights: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, types, shapes and values, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name].contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def check_weights(path: Path, weights: Mapping[str, Tensor], stated: str | None) -> None:
    """Refuses weights that are not those that were written.

    Args:
        path: The model, for messages.
        weights: As read.
        stated: Their checksum by the file's header; None in files of before there was one.

    Raises:
        InputFileError: Of another checksum, or not finite.
    """
    if stated is not None and stated != weights_sha256(weights):
        raise InputFileError(f"The model {path} is damaged: its weights do not have their checksum.", REMEDY)
    for name, tensor in weights.items():
        if not tensor.is_floating_point() or not bool(torch.isfinite(tensor).all()):
            raise InputFileError(f"The model {path} is damaged: its weights {name} are not finite numbers.", REMEDY)
