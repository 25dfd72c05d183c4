"""All released poses in one JSON file that says everything itself, schema radgs.transforms/1."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radgs.errors import InputFileError
from radgs.export.formats import WrittenFile
from radgs.export.released_poses import TRIAL_POINT, Provenance, ReleasedPose, ReleasedPoses
from radgs.geometry import RigidTransform
from radgs.io.atomic import write_text
from radgs.io.json_fields import json_text, read_json_object
from radgs.versions import ENGINE_VERSION

TRANSFORMS_SCHEMA = "radgs.transforms/1"

DIRECTION = "x_world = ct_to_world @ x_ct"


@dataclass(frozen=True)
class Record:
    """``ct_to_world.json``: frame, direction, unit, and per level pose, verdict and grounds; hashes of the inputs.

    ``inputs`` and ``versions`` at the top are null where the levels come from several registrations; each level has its
    own ``inputs``.
    """

    name: str = "json"
    title: str = "Poses with verdicts and hashes (.json)"

    def write(self, released: ReleasedPoses, folder: Path) -> list[WrittenFile]:
        """See ``ExportFormat``."""
        path, common = folder / "ct_to_world.json", released.common_provenance
        values = {
            "schema": TRANSFORMS_SCHEMA,
            "frame": "RAS",
            "unit": "mm",
            "direction": DIRECTION,
            "levels": {pose.level: _level_values(pose) for pose in released.poses},
            "inputs": None if common is None else _inputs(common),
            "versions": None if common is None else dict(common.versions),
            "written_by": f"radgs {ENGINE_VERSION}",
        }
        write_text(path, json_text(values))
        return [WrittenFile(path, released.poses)]

    def read(self, path: Path) -> list[RigidTransform]:
        """See ``ExportFormat``."""
        top = read_json_object(path, TRANSFORMS_SCHEMA, InputFileError)
        for key, expected in (("frame", "RAS"), ("unit", "mm"), ("direction", DIRECTION)):
            if top.text(key) != expected:
                raise top.fail(key, f'"{expected}"')
        return [level.rigid("ct_to_world") for _, level in top.object("levels").members()]

    def explain(self, written: WrittenFile) -> None:
        """See ``ExportFormat``; the file needs no sidecar."""


def _level_values(pose: ReleasedPose) -> dict[str, Any]:
    errors = pose.predicted_error_mm.items()
    return {
        "ct_to_world": pose.ct_to_world.matrix.tolist(),
        "verdict": pose.verdict,
        "release": pose.release,
        "predicted_error_mm": {name: error if math.isfinite(error) else None for name, error in errors},
        "reasons": [{"code": reason.code, "message": reason.message} for reason in pose.reasons],
        "trial": {"x_ct": list(TRIAL_POINT), "x_world": pose.trial_point_in_world.tolist()},
        "inputs": _inputs(pose.provenance),
    }


def _inputs(provenance: Provenance) -> dict[str, str | None]:
    return {"result_sha256": provenance.result_sha256, "case_sha256": provenance.case_sha256}


RECORD = Record()
