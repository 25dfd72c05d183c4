"""A model's file without its weights: what it is called, whom it is for, how good it is. Needs no library."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radgs.errors import InputFileError
from radgs.io.input_files import open_input, size_of

MODEL_SCHEMA = "radgs.model/1"
SUFFIX = ".radgs.safetensors"
#: A header that claims to be longer is none.
MAX_HEADER_BYTES = 100_000_000

ADVICE = "Name a file that radgs prepare or radgs train wrote."


def there_is(path: Path) -> bool:
    """Whether a path leads to something; one that is longer than the system allows leads nowhere."""
    try:
        return path.exists()
    except OSError:
        return False


@dataclass(frozen=True)
class ModelSummary:
    """What a model's header says.

    Attributes:
        level: The vertebra that it was prepared for; None for generic networks.
        accuracy: On held-out simulated pairs, the fields of ``radgs.networks.Accuracy``; empty where not measured.
        minutes: How long it was trained; None where it is not said.
    """

    level: str | None
    accuracy: Mapping[str, Any]
    minutes: float | None


def work_folder(model: Path, seed: int = 0) -> Path:
    """Where an unfinished preparation of a model file keeps its pairs and its checkpoint; each seed has a folder."""
    return model.with_name(f"{model.name}.work" + (f"-seed{seed}" if seed else ""))


def read_model_summary(path: Path) -> ModelSummary:
    """Reads a model file's header.

    Raises:
        InputFileError: It is missing, or no model file.
    """
    if not (there_is(path) and path.is_file()):
        raise InputFileError(f"The model {path} is missing.", ADVICE)
    try:
        header = json.loads(_metadata(path)["radgs"])
        if header["schema"] != MODEL_SCHEMA:
            raise ValueError(header["schema"])
        patient, minutes = header["patient"], header["record"].get("minutes")
        return ModelSummary(
            level=None if patient is None else str(patient["level"]),
            accuracy=header["accuracy"] or {},
            minutes=None if minutes is None else float(minutes),
        )
    except (OSError, struct.error, KeyError, TypeError, AttributeError, ValueError, RecursionError) as problem:
        raise InputFileError(f"{path} is not a model of RadGS-Reg.", ADVICE) from problem


def _metadata(path: Path) -> dict[str, str]:
    """The texts of a safetensors file: eight bytes that count those of the JSON that follows them."""
    with open_input(path) as file:
        (size,) = struct.unpack("<Q", file.read(8))
        if size > min(MAX_HEADER_BYTES, size_of(file)):
            raise ValueError("no header is so long")
        return dict(json.loads(file.read(size))["__metadata__"])
