"""Whether a change of the code left the demo's pose alone, to a millionth of a millimetre, on this machine.

    python Testing/benchmarks/golden_pose.py --write before.json    # on the code as it was
    python Testing/benchmarks/golden_pose.py --compare before.json  # on the code as it is: ends with 1 where it moved

Registers the bundled case on the CPU with one thread and the bundled networks. Nothing in it is random; two processors
or two builds of PyTorch round differently all the same, so files are compared on the machine that wrote them. The suite
holds the pose to ``Testing/engine/golden_demo.json`` with a tolerance that allows for that.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch

# Runs from a bare checkout too, before the package is installed.
sys.path.append(str(Path(__file__).resolve().parents[2] / "RadGSReg"))

import radgs
from radgs.case import RegistrationCase
from radgs.geometry import RigidTransform, largest_distance
from radgs.pipeline import register

#: After a commit that moves, renames or deletes, no stage's pose takes a point of a metre's cube further than this, mm.
TOLERANCE_MM = 1e-6

Poses = dict[str, list[list[float]] | None]


def demo_poses() -> Poses:
    """``ct_to_world`` of the demo's L3 after every stage, 4x4."""
    torch.set_num_threads(1)
    case = RegistrationCase.load(Path(radgs.__file__).resolve().parent / "data" / "demo")
    stages = register(case, device="cpu").result.levels["L3"].stages
    return {name: None if pose is None else pose.matrix.tolist() for name, pose in stages.items()}


def compare(before: Poses, after: Poses) -> bool:
    """Prints how far every stage's pose moved; whether all stayed."""
    stayed = before.keys() == after.keys()
    for name in [name for name in before if name in after]:
        first, second = before[name], after[name]
        if first is None or second is None:
            same = first is second
            print(f"{name:10} {'missing in both' if same else 'missing in one'}")
        else:
            moved = largest_distance(RigidTransform.from_matrix(first), RigidTransform.from_matrix(second))
            same = moved <= TOLERANCE_MM
            print(f"{name:10} {moved:.3g} mm")
        stayed = stayed and same
    return stayed


def main() -> int:
    """Writes or compares; the exit status is 1 where the pose moved."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    wanted = parser.add_mutually_exclusive_group(required=True)
    wanted.add_argument("--write", type=Path, help="file to write the poses to")
    wanted.add_argument("--compare", type=Path, help="file to compare the poses with")
    arguments = parser.parse_args()
    poses = demo_poses()
    if arguments.write:
        arguments.write.parent.mkdir(parents=True, exist_ok=True)
        lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(pose)}" for name, pose in poses.items())
        arguments.write.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")
        return 0
    return 0 if compare(json.loads(arguments.compare.read_text(encoding="utf-8")), poses) else 1


if __name__ == "__main__":
    sys.exit(main())
