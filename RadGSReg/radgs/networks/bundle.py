"""The networks as one file: weights, sizes, which CT and vertebra they were prepared for, and how they were trained."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, cast
from weakref import WeakKeyDictionary

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from radgs.case import Level
from radgs.errors import CaseError, InputFileError
from radgs.geometry import FloatArray, Volume
from radgs.io.atomic import cannot_write, not_as_written, write_atomically
from radgs.io.model_header import ADVICE, MODEL_SCHEMA, SUFFIX
from radgs.networks.recm import CONFIGS, RecM
from radgs.networks.recm.attention import ATTENTION_KINDS, AttentionKind, kind_of
from radgs.networks.regm import RegM
from radgs.networks.weights import check_weights, weights_sha256

GENERIC_NAME = f"generic_compact{SUFFIX}"
#: A vertebra whose body's centre lies further than this from the prepared one's is another vertebra, mm.
SAME_VERTEBRA_MM = 5.0
#: Weights are stored in half precision: it changes a reconstruction by less than its noise, and halves the file.
STORED = torch.float16


@dataclass(frozen=True)
class PreparedFor:
    """Whom a model was prepared for.

    Attributes:
        level: The vertebra's name, e.g. "L3".
        centre: Its body's centre in the CT's RAS, mm.
        ct_fingerprint: Of the CT's voxels and their place.
    """

    level: str
    centre: tuple[float, float, float]
    ct_fingerprint: str


@dataclass(frozen=True)
class Accuracy:
    """What a model achieved on held-out simulated pairs of its own training; lengths in mm.

    Attributes:
        pairs: How many.
        ssim_3d, psnr_3d_db: Of the reconstruction, over the ROI, mean.
        ssim_inside, psnr_inside_db: Inside the vertebra's mask dilated by 3 mm, mean.
        kabsch_median_mm, kabsch_p95_mm: mTRE of Kabsch's pose.
        regm_median_mm, regm_p95_mm: mTRE of RegM's pose, started from Kabsch's.
        diagnoses: What ails the networks, in sentences; none where no failure signature shows.
    """

    pairs: int
    ssim_3d: float
    psnr_3d_db: float
    ssim_inside: float
    psnr_inside_db: float
    kabsch_median_mm: float
    kabsch_p95_mm: float
    regm_median_mm: float
    regm_p95_mm: float
    diagnoses: tuple[str, ...] = ()

    @classmethod
    def from_json_dict(cls, values: Mapping[str, Any]) -> Accuracy:
        """Reads what ``dataclasses.asdict`` and JSON made of one."""
        return cls(**{**values, "diagnoses": tuple(values.get("diagnoses", ()))})


@dataclass(frozen=True, eq=False)
class Networks:
    """RecM and RegM, trained together.

    Attributes:
        recm: Reconstruction.
        regm: Registration.
        prepared_for: Whom they were prepared for; None for the generic ones.
        accuracy: On held-out pairs; None where it was not measured.
        record: How they were trained, for people: seeds, minutes, steps, versions.
    """

    recm: RecM
    regm: RegM
    prepared_for: PreparedFor | None = None
    accuracy: Accuracy | None = None
    record: Mapping[str, Any] = field(default_factory=dict)

    @property
    def description(self) -> str:
        """The model in one line, as results name it."""
        whose = (
            f"prepared for {self.prepared_for.level}" if self.prepared_for else "generic, not prepared for this patient"
        )
        return f"RecM and RegM ({self.recm.config.name}), {whose}"

    @property
    def provenance(self) -> dict[str, Any]:
        """The record without the course of the training: what those trained from these keep of it."""
        return {key: value for key, value in self.record.items() if key != "history"}

    def to(self, device: torch.device) -> Networks:
        """The networks on another device, in place."""
        self.recm.to(device)
        self.regm.to(device)
        return self

    def check_fits(self, ct: Volume, level: Level, centre: FloatArray) -> None:
        """Refuses a patient's model for another CT or vertebra; generic ones fit all.

        Args:
            ct: Hounsfield units.
            level: The vertebra to be registered.
            centre: (3,) its body's centre in the CT's RAS, mm.

        Raises:
            CaseError: The model was prepared for another CT or another vertebra.
        """
        if self.prepared_for is None:
            return
        if self.prepared_for.level != level.name:
            raise CaseError(
                f"The model was prepared for {self.prepared_for.level}, not for {level.name}.",
                f"Prepare one with: radgs prepare CASE --level {level.name}, or register without --model.",
            )
        if self.prepared_for.ct_fingerprint != ct_fingerprint(ct):
            raise CaseError(
                f"The model of {level.name} was prepared for another CT.",
                "Give the model of this CT, or prepare one with radgs prepare.",
            )
        distance = float(np.linalg.norm(np.asarray(self.prepared_for.centre) - centre))
        if distance > SAME_VERTEBRA_MM:
            raise CaseError(
                f"The model of {level.name} was prepared for a vertebra {distance:.0f} mm from the one labelled now.",
                "Check the label of that level, or prepare the model again.",
            )


def new_networks(config_name: str, *, attention: AttentionKind = "mass") -> Networks:
    """Untrained networks.

    Raises:
        InputFileError: There is no such configuration.
    """
    if config_name not in CONFIGS:
        raise InputFileError(f'There is no configuration "{config_name}".', f"Choose one of {', '.join(CONFIGS)}.")
    config = CONFIGS[config_name]
    return Networks(RecM(config, attention=attention), RegM(config.voxels))


def with_attention(networks: Networks, kind: AttentionKind) -> Networks:
    """The same networks under another kind of attention, which has learned nothing yet; as they are under their own."""
    recm = networks.recm
    if kind_of(recm.attention) == kind:
        return networks
    other = RecM(recm.config, attention=kind).to(recm.points.device)
    learned = {name: value for name, value in recm.state_dict().items() if not name.startswith("attention.")}
    other.load_state_dict(other.state_dict() | learned)
    return replace(networks, recm=other.train(recm.training), accuracy=None)


#: What stands for an unknown voxel in a fingerprint.
UNKNOWN_HU = -32768.0

_FINGERPRINTS: WeakKeyDictionary[Volume, str] = WeakKeyDictionary()


def ct_fingerprint(ct: Volume) -> str:
    """A hash of a CT's voxels in whole Hounsfield units and of where they lie, to a hundredth of a millimetre.

    Remembered for as long as the volume lives: hashing a whole CT takes longer than many a stage of a registration.
    """
    if ct not in _FINGERPRINTS:
        whole = ct.array if ct.array.dtype.kind == "i" else np.rint(np.nan_to_num(ct.array, nan=UNKNOWN_HU))
        digest = hashlib.sha256(np.ascontiguousarray(whole, dtype=np.int16).data)
        digest.update(np.rint(ct.index_to_ras * 100).astype(np.int64).tobytes())
        _FINGERPRINTS[ct] = digest.hexdigest()
    return _FINGERPRINTS[ct]


def save_networks(networks: Networks, path: Path) -> Path:
    """Writes weights (float16) and, in the header, everything else.

    Raises:
        OutputError: The file cannot be written.
    """
    modules = _modules(networks)
    weights = {name: tensor.detach().cpu().to(STORED).contiguous() for name, tensor in modules.state_dict().items()}
    header = {
        "schema": MODEL_SCHEMA,
        "config": networks.recm.config.name,
        "attention": kind_of(networks.recm.attention),
        "patient": None if networks.prepared_for is None else asdict(networks.prepared_for),
        "accuracy": None if networks.accuracy is None else asdict(networks.accuracy),
        "record": dict(networks.record),
        "sha256": weights_sha256(weights),
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise cannot_write(path, problem) from problem
    with write_atomically(path) as aside:
        try:
            save_file(weights, aside, {"radgs": json.dumps(header)})
        except SafetensorError as problem:
            raise not_as_written(path) from problem
    return path


def load_networks(path: Path) -> Networks:
    """Reads a model file.

    Raises:
        InputFileError: It is missing, damaged, no model file, or of another schema.
    """
    if not path.is_file():
        raise InputFileError(f"The model {path} is missing.", ADVICE)
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})["radgs"])
            weights: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if header["schema"] != MODEL_SCHEMA:
            raise InputFileError(
                f'{path} holds a model of schema "{header["schema"]}", not "{MODEL_SCHEMA}".', "Prepare it again."
            )
        check_weights(path, weights, header.get("sha256"))
        networks = new_networks(header["config"], attention=_attention(header["attention"]))
        _modules(networks).load_state_dict({name: tensor.float() for name, tensor in weights.items()})
        return Networks(
            networks.recm.eval(),
            networks.regm.eval(),
            None if header["patient"] is None else _prepared_for(header["patient"]),
            None if header["accuracy"] is None else Accuracy.from_json_dict(header["accuracy"]),
            dict(header["record"]),
        )
    except (SafetensorError, OSError, KeyError, TypeError, AttributeError, ValueError, RuntimeError) as problem:
        raise InputFileError(f"{path} is not a model of RadGS-Reg.", ADVICE) from problem


def load_prepared(paths: Sequence[Path]) -> dict[str, Networks]:
    """Models of one patient, by level.

    Raises:
        InputFileError: One is missing, no model file, not prepared for any vertebra, or for that of another one.
    """
    prepared: dict[str, Networks] = {}
    for path in paths:
        networks = load_networks(path)
        if networks.prepared_for is None:
            raise InputFileError(
                f"{path} holds generic networks, prepared for no vertebra.", "Leave it out, or name a prepared model."
            )
        if networks.prepared_for.level in prepared:
            raise InputFileError(f"Two models are for {networks.prepared_for.level}.", "Give one model per level.")
        prepared[networks.prepared_for.level] = networks
    return prepared


def load_generic() -> Networks:
    """The bundled generic networks."""
    with as_file(files("radgs").joinpath("data", "models", GENERIC_NAME)) as path:
        return load_networks(path)


def _attention(stored: bool | str) -> AttentionKind:
    """What a header says of attention; older ones said whether there is a gate."""
    if isinstance(stored, bool):
        return "gate" if stored else "none"
    return ATTENTION_KINDS[ATTENTION_KINDS.index(cast(AttentionKind, stored))]


def _modules(networks: Networks) -> nn.ModuleDict:
    return nn.ModuleDict({"recm": networks.recm, "regm": networks.regm})


def _prepared_for(values: Mapping[str, Any]) -> PreparedFor:
    x, y, z = values["centre"]
    return PreparedFor(values["level"], (float(x), float(y), float(z)), values["ct_fingerprint"])
