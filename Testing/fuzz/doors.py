"""The doors of the engine through which files, lines and messages of others come in, each with whole examples."""

from __future__ import annotations

import json
import select
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mutations
import numpy as np
import oracles

#: What a reader returns of an input that it let in: why it is wrong, or None.
Read = Callable[[Path], str | None]


@dataclass(frozen=True)
class Door:
    """One way in.

    Attributes:
        name: As the table calls it.
        share: How many of 100 inputs knock here.
        examples: File names of whole inputs in the folder of examples; a name with "/" is a file of a folder.
        mutations: How they are damaged.
        read: Knocks with a damaged file; returns a contradiction with another reader, or None.
    """

    name: str
    share: int
    examples: tuple[str, ...]
    mutations: tuple[mutations.Mutation, ...]
    read: Read


def _case(path: Path) -> None:
    from radgs.case import RegistrationCase

    RegistrationCase.load(path)


def _image(path: Path) -> None:
    from radgs.errors import InputFileError
    from radgs.io.xray_images import read_xray

    read_xray(path, "intensity")
    with suppress(InputFileError):  # which the image need not tell
        read_xray(path, "auto")


def _ct(path: Path) -> str | None:
    from radgs.io.volumes import read_ct

    return oracles.contradiction(path, read_ct(path))


def _labels(path: Path) -> str | None:
    from radgs.io.volumes import read_labels

    volume = read_labels(path)
    return None if "seg" in path.name else oracles.contradiction(path, volume)


def _result(path: Path) -> None:
    from radgs.case import RegistrationResult

    RegistrationResult.load(path.parent)


def _model(path: Path) -> None:
    from radgs.io.model_header import read_model_summary
    from radgs.networks import load_networks

    read_model_summary(path)
    load_networks(path)


def tiny_trainer() -> Any:
    """What a checkpoint is of: modules, an optimizer that has stepped, and a clock."""
    import torch

    torch.manual_seed(0)
    modules = torch.nn.ModuleDict({"recm": torch.nn.Linear(3, 4), "regm": torch.nn.Linear(4, 2)})
    optimizer = torch.optim.AdamW(modules.parameters())
    modules["regm"](modules["recm"](torch.ones(1, 3))).sum().backward()
    optimizer.step()
    clock = {"steps": 1, "seconds": 2.0, "budget_seconds": 60.0, "seed": 0, "history": [], "accuracy": None}
    return SimpleNamespace(modules=modules, optimizer=optimizer, last_validation=0.0, **clock)


def _checkpoint(path: Path) -> None:
    from radgs.training.checkpoint import load_checkpoint

    load_checkpoint(tiny_trainer(), path)


def _gaussians(path: Path) -> None:
    from radgs.gaussians.ply import load_ply

    load_ply(path)


def _registration(path: Path) -> None:
    from radgs.io.spatial_registration import read_spatial_registration

    read_spatial_registration(path)


def _transform(path: Path) -> None:
    from radgs.io.transforms import read_transform

    read_transform(path)


class LiveWorker:
    """A worker process, and whether it still answers."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-m", "radgs.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,  # what lay in a buffer of ours, select would not see
        )
        self.asked = 0
        self.answers_after(b"")

    def answers_after(self, line: bytes) -> bool:
        """Sends a line, then a question with an answer of its own."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.asked += 1
        question = {"id": f"fuzz-{self.asked}", "command": "are you there"}
        self.process.stdin.write(line.replace(b"\n", b" ") + b"\n" + json.dumps(question).encode() + b"\n")
        self.process.stdin.flush()
        while select.select([self.process.stdout], [], [], 300.0 if self.asked == 1 else 20.0)[0]:
            answer = self.process.stdout.readline()
            if not answer:
                return False
            if question["id"].encode() in answer:
                return True
        return False


@cache
def _worker() -> LiveWorker:
    return LiveWorker()


def _worker_line(path: Path) -> str | None:
    if _worker().answers_after(path.read_bytes()):
        return None
    _worker().process.kill()
    _worker.cache_clear()
    return "no answer any more"


@cache
def _link() -> tuple[Any, int]:
    """A server, and its port."""
    from radgs.export.igtl.link import Link

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    return Link("127.0.0.1", port, listen=True), port


def _message(path: Path) -> str | None:
    """A hostile peer's bytes: the link goes on, and a peer that listens gets what is published."""
    link, port = _link()
    link.publish({"L3Verdict": b"x" * 58})
    address = ("127.0.0.1", port)
    with socket.create_connection(address, 5) as hostile, socket.create_connection(address, 5) as other:
        hostile.sendall(path.read_bytes()[:4000])
        for _ in range(4):
            link.tick(0.01)
        other.settimeout(2.0)
        heard = other.recv(58)
    link.tick(0.0)
    return None if heard else "a peer got nothing"


VOLUMES = ("ct.nii", "ct.nii.gz", "ct.nrrd", "ct.raw.nrrd", "ct.mha", "ct.z.mha")
SERIES = tuple(f"series/{n}.dcm" for n in range(4))

DOORS = (
    Door("case", 12, ("case.json",), mutations.JSON, _case),
    Door("images", 20, ("ap.png", "ap.tif", "ap.jpg", "ap.bmp", "ap.nrrd", "ap.mha", "ap.nii.gz", "ap.npy", "ap.dcm"),
         mutations.TEXT, _image),
    Door("CT", 24, (*VOLUMES, *SERIES, "enhanced.dcm"), mutations.TEXT, _ct),
    Door("labels", 10, ("labels.nii.gz", "labels.nrrd", "seg.dcm", "seg_fractional.dcm"), mutations.TEXT, _labels),
    Door("result", 8, ("result.json",), mutations.JSON, _result),
    Door("model", 4, ("L3.radgs.safetensors",), mutations.JSON, _model),
    Door("checkpoint", 4, ("checkpoint.safetensors",), mutations.TEXT, _checkpoint),
    Door(".ply", 5, ("gaussians.ply",), mutations.TEXT, _gaussians),
    Door("REG", 4, ("reg.dcm",), mutations.BYTES, _registration),
    Door("transform", 3, ("pose.tfm", "pose.h5"), mutations.TEXT, _transform),
    Door("worker lines", 4, ("register.json", "overlay.json", "cancel.json"), mutations.JSON, _worker_line),
    Door("OpenIGTLink", 2, ("message.igtl",), mutations.BYTES, _message),
)  # fmt: skip


def damaged_input(door: Door, number: int, seed: int, examples: Path, folder: Path) -> Path:
    """Writes the door's input of that number; returns what to knock with. Numbers below 0 are the whole examples."""
    rng = np.random.default_rng([seed, [known.name for known in DOORS].index(door.name), max(number, 0)])
    example = door.examples[-1 - number if number < 0 else int(rng.integers(len(door.examples)))]
    content = (examples / example).read_bytes()
    if number >= 0:
        content = mutations.damaged(content, door.mutations, rng)
    if "/" in example:  # a file of a folder that is read whole
        target = folder / example
        target.parent.mkdir(exist_ok=True)
        for other in (examples / example).parent.iterdir():
            (target.parent / other.name).write_bytes(other.read_bytes())
        target.write_bytes(content)
        return target.parent
    if door.name == "case":
        for other in ("ct.nii.gz", "labels.nii.gz", "AP.nrrd", "LAT.nrrd"):
            link = folder / other
            if not link.exists():
                link.write_bytes((examples / "whole_case" / other).read_bytes())
    target = folder / example
    target.write_bytes(content)
    return target
