"""Taking training up again after an interruption: weights in full precision, the optimizer's moments, the clock."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from radgs.networks import Accuracy
from radgs.training.trainer import Trainer


def save_checkpoint(trainer: Trainer, path: Path) -> None:
    """Writes a trainer's state; a half-written file never bears the name."""
    tensors = {f"weight.{name}": tensor for name, tensor in trainer.modules.state_dict().items()}
    for number, state in trainer.optimizer.state_dict()["state"].items():
        tensors |= {f"moment.{number}.{name}": torch.as_tensor(value) for name, value in state.items()}
    header = {
        "steps": trainer.steps,
        "seconds": trainer.seconds,
        "budget_seconds": trainer.budget_seconds,
        "seed": trainer.seed,
        "history": trainer.history,
        "accuracy": None if trainer.accuracy is None else asdict(trainer.accuracy),
    }
    unfinished = path.with_name(path.name + ".part")
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    save_file(plain, unfinished, {"radgs": json.dumps(header)})
    unfinished.replace(path)


def load_checkpoint(trainer: Trainer, path: Path) -> None:
    """Puts a trainer back where ``save_checkpoint`` left it; its budget stays the one it was given."""
    with safe_open(path, framework="pt") as file:
        header: dict[str, Any] = json.loads(file.metadata()["radgs"])
        tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    trainer.modules.load_state_dict(_under("weight.", tensors))
    moments: dict[int, dict[str, Tensor]] = {}
    for name, tensor in _under("moment.", tensors).items():
        number, _, kind = name.partition(".")
        moments.setdefault(int(number), {})[kind] = tensor
    optimizer = trainer.optimizer.state_dict()
    trainer.optimizer.load_state_dict({**optimizer, "state": moments})
    # The same share of the schedule, also where the new budget is another.
    trainer.seconds = header["seconds"] * trainer.budget_seconds / header["budget_seconds"]
    trainer.last_look = trainer.seconds
    trainer.steps, trainer.history = header["steps"], header["history"]
    trainer.accuracy = None if header["accuracy"] is None else Accuracy.from_json_dict(header["accuracy"])


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
