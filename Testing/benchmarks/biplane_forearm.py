"""Registers radius and ulna of a forearm to real biplane X-rays, from starts near the reference and far from it.

    python Testing/benchmarks/biplane_forearm.py --out forearm-result   # takes up again where it was stopped

The reference poses are no independent truth: they were found by a coarse search and a refinement on the bone alone,
judged by eye, and are good to about 1 mm. The report therefore also says how far the bone's outlines lie from edges
that another extractor finds in the films.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.append(str(Path(__file__).resolve().parents[2] / "RadGSReg"))

from biplane_forearm_data import BONES, FRAMES, UPRIGHT, Forearm, data_folder
from biplane_forearm_report import write_report

from radgs.case import InitialPose, RegistrationCase
from radgs.geometry import RigidTransform, mean_distance, unit
from radgs.pipeline.one_level import register_level
from radgs.pipeline.registration import generic_networks
from radgs.vertebra import VertebraAnatomy


def starts(
    truth: RigidTransform, vertebra: VertebraAnatomy, seed: int, count: int
) -> Iterator[tuple[str, RigidTransform]]:
    """``count`` starts within 4 mm of the reference, and as many 4-15 mm and 5-15 degrees off."""
    rng = np.random.default_rng(seed)
    centre = truth.apply(vertebra.centre)
    for near in [True] * count + [False] * count:
        degrees, mm = (rng.uniform(0, 4), rng.uniform(0.5, 3.5)) if near else (rng.uniform(5, 15), rng.uniform(4, 15))
        turn, shift = unit(rng.normal(size=3)) * np.radians(degrees), unit(rng.normal(size=3)) * mm
        yield ("near" if near else "far"), truth.rotated_about(centre, turn, shift)


Key = tuple[str, str, int]


def key_of(record: Mapping[str, Any]) -> Key:
    """Bone, frame and number of a start."""
    return record["bone"], record["frame"], record["index"]


def read_records(path: Path) -> list[dict[str, Any]]:
    """What earlier runs registered; a last line cut off by an interruption is left out."""
    records = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return records


def registered(forearm: Forearm, name: str, frame: str, index: int, kind: str, start: RigidTransform) -> dict[str, Any]:
    """Registers from one start, as the pipeline is shipped; the record of it."""
    ct, labels, vertebra = forearm.bone(name)
    level, truth = vertebra.level, forearm.reference(name, frame)
    case = RegistrationCase(ct, labels, (level,), forearm.views(frame), {level.name: InitialPose({}, start)})
    outcome = register_level(case, vertebra, generic_networks())
    result, evidence = outcome.result, outcome.evidence
    assert result.ct_to_world is not None
    return {
        "bone": name,
        "frame": frame,
        "index": index,
        "kind": kind,
        "start_mm": mean_distance(vertebra.surface, start, truth),
        "error_mm": mean_distance(vertebra.surface, result.ct_to_world, truth),
        "verdict": result.verdict,
        "reasons": [reason.code for reason in result.reasons],
        "similarity": result.similarity,
        "grounds": evidence.grounds,
        "ct_to_world": (UPRIGHT.inverse() @ result.ct_to_world).matrix.tolist(),
        "seconds": result.seconds,
    }


def run(
    forearm: Forearm, count: int, bones: list[str], frames: list[str], seed: int, known: Collection[Key]
) -> Iterator[dict[str, Any]]:
    """Registers what is not known yet, bones and frames in turn, near starts before far ones; a record a start."""
    all_starts = {
        (name, frame): list(starts(forearm.reference(name, frame), forearm.bone(name)[2], seed, count))
        for name in bones
        for frame in frames
    }
    for index in range(2 * count):
        for (name, frame), of_bone in all_starts.items():
            if (name, frame, index) not in known:
                yield registered(forearm, name, frame, index, *of_bone[index])


def main() -> int:
    """Runs what is missing of forearm.jsonl; writes report.md and a picture per bone, frame and camera."""
    parser = argparse.ArgumentParser(description="Register a forearm to real biplane X-rays.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--starts", type=int, default=20, help="near starts, and far ones, a bone and frame")
    parser.add_argument("--bones", nargs="+", default=list(BONES), choices=BONES)
    parser.add_argument("--frames", nargs="+", default=list(FRAMES), choices=FRAMES)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--report", action="store_true", help="of what is there; registers nothing")
    arguments = parser.parse_args()
    folder = data_folder()
    if folder is None:
        print("no forearm here: set RADGS_FOREARM to the folder of Autoscoper's wrist data", file=sys.stderr)
        return 1
    arguments.out.mkdir(parents=True, exist_ok=True)
    log = arguments.out / "forearm.jsonl"
    records = read_records(log)
    forearm = Forearm(folder)
    known = {key_of(record) for record in records}
    due = (
        ()
        if arguments.report
        else run(forearm, arguments.starts, arguments.bones, arguments.frames, arguments.seed, known)
    )
    for record in due:
        records.append(record)
        cut_off = log.is_file() and not log.read_bytes().endswith(b"\n")
        with log.open("a", encoding="utf-8") as stream:
            stream.write("\n" * cut_off + json.dumps(record) + "\n")
        where = " ".join(record[key] for key in ("bone", "frame", "kind"))
        print(where, f"{record['start_mm']:.1f} -> {record['error_mm']:.2f} mm", record["verdict"], flush=True)
    print(write_report(forearm, records, arguments.out).read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
