"""Taking training up again after an interruption: weights in full precision, the optimizer's moments, the clock.

A checkpoint carries the SHA-256 of its tensors: one that was damaged is not taken up.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from radgs.errors import InputFileError
from radgs.io.atomic import not_as_written, write_atomically
from radgs.networks import Accuracy
from radgs.training.trainer import Trainer


def save_checkpoint(trainer: Trainer, path: Path) -> None:
    """Writes a trainer's state.

    Raises:
        OutputError: The file cannot be written.
    """
    tensors = {f"weight.{name}": tensor for name, tensor in trainer.modules.state_dict().items()}
    for number, state in trainer.optimizer.state_dict()["state"].items():
        tensors |= {f"moment.{number}.{name}": torch.as_tensor(value) for name, value in state.items()}
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    header = {
        "steps": trainer.steps,
        "seconds": trainer.seconds,
        "budget_seconds": trainer.budget_seconds,
        "seed": trainer.seed,
        "history": trainer.history,
        "accuracy": None if trainer.accuracy is None else asdict(trainer.accuracy),
        "sha256": _sha256(plain),
    }
    with write_atomically(path) as aside:
        try:
            save_file(plain, aside, {"radgs": json.dumps(header)})
        except SafetensorError as problem:
            raise not_as_written(path) from problem


def load_checkpoint(trainer: Trainer, path: Path) -> None:
    """Puts a trainer back where ``save_checkpoint`` left it; its budget stays the one it was given.

    Raises:
        InputFileError: The file is damaged, or of another training; the trainer is as it was.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header: dict[str, Any] = json.loads((file.metadata() or {})["radgs"])
            tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        accuracy = _checked(trainer, header, tensors)
    except (SafetensorError, OSError, LookupError, TypeError, ValueError, ArithmeticError, RuntimeError) as problem:
        raise InputFileError(f"The checkpoint {path} is damaged.", "Start again without it.") from problem
    trainer.modules.load_state_dict(_under("weight.", tensors))
    moments: dict[int, dict[str, Tensor]] = {}
    for name, tensor in _under("moment.", tensors).items():
        number, _, kind = name.partition(".")
        moments.setdefault(int(number), {})[kind] = tensor
    optimizer = trainer.optimizer.state_dict()
    trainer.optimizer.load_state_dict({**optimizer, "state": moments})
    # The same share of the schedule, also where the new budget is another.
    trainer.seconds = header["seconds"] * trainer.budget_seconds / header["budget_seconds"]
    trainer.last_validation = trainer.seconds
    trainer.steps, trainer.history = header["steps"], header["history"]
    trainer.accuracy = accuracy


def _checked(trainer: Trainer, header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Accuracy | None:
    """The accuracy in a header; everything else is what the trainer expects.

    Raises:
        Exception: Something is not.
    """
    if header["sha256"] != _sha256(tensors):
        raise ValueError("other tensors than were written")
    if not all(bool(torch.isfinite(tensor).all()) for tensor in tensors.values()):
        raise ValueError("numbers that are none")
    expected, found = trainer.modules.state_dict(), _under("weight.", tensors)
    if {name: tensor.shape for name, tensor in expected.items()} != {name: t.shape for name, t in found.items()}:
        raise ValueError("other networks")
    sizes = [parameter.numel() for group in trainer.optimizer.param_groups for parameter in group["params"]]
    for name, tensor in _under("moment.", tensors).items():
        if tensor.numel() not in (1, sizes[int(name.partition(".")[0])]):
            raise ValueError("other moments")
    numbers = [header["seconds"], header["budget_seconds"], *(one["ssim_inside"] for one in header["history"])]
    if type(header["steps"]) is not int or not all(math.isfinite(number) for number in numbers):
        raise ValueError("a clock that shows no time")
    if not (header["steps"] >= 0 and header["seconds"] >= 0 and header["budget_seconds"] > 0):
        raise ValueError("a clock that shows no time")
    return None if header["accuracy"] is None else Accuracy.from_json_dict(header["accuracy"])


def _sha256(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
