"""Measures of the phantoms' vertebrae against those of people: T5 to L5, from the label maps alone.

    python Testing/benchmarks/phantom_shapes.py --out shapes --verse sub-verse004_seg-vert_msk.nii.gz

Every vertebra is measured in its own anatomical frame, found from its label: the body's width, depth and height, the
span of the transverse processes, the length from front to spinous process, and the distance between the pedicles.
People are VerSe's subject 004, where its label map is named, and the real CT, where it is at hand
(``real_ct_data.py``): two persons, against a population.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.append(str(Path(__file__).resolve().parents[2] / "RadGSReg"))

import numpy as np
import real_ct_data

from radgs.anatomy import LABEL_NUMBERINGS, LEVELS, VertebraFrames, touches_edge
from radgs.anatomy.parts import parts_of_vertebra
from radgs.errors import CaseError
from radgs.evaluation.tables import table
from radgs.geometry import Volume
from radgs.io.atomic import write_text
from radgs.phantom import Extent, make_spine

MEASURES = ("body width", "depth", "height", "span", "length", "between pedicles", "volume, cm3")
PARTS = (("T5", "T9"), ("T10", "L2"), ("L1", "L5"))


def measures(labels: Volume, label: int) -> tuple[float, ...] | None:
    """A vertebra's measures, mm and cm3; None where it is cut off or has no frame."""
    if touches_edge(labels, label):
        return None
    try:
        frame = VertebraFrames(labels).frame_to_ct(label)
        parts = parts_of_vertebra(labels, label, frame)
    except CaseError:
        return None
    if parts is None:
        return None
    points = frame.inverse().apply(labels.to_ras(np.argwhere(labels.array == label)[:, ::-1]))
    x, y, z = points.T
    body = y > parts.wall
    middle = body & (np.abs(z) < 4.0)
    column = body & (np.hypot(x, y) < 4.0)
    voxel = float(np.prod(labels.spacing))
    # Half a voxel is missing at both ends.
    own = float(labels.spacing.mean())
    return (
        float(np.ptp(x[middle])) + own,
        float(np.ptp(y[middle & (np.abs(x) < 4.0)])) + own,
        float(np.ptp(z[column])) + own,
        float(np.ptp(x)) + own,
        float(np.ptp(y)) + own,
        2.0 * parts.canal_half_width,
        len(points) * voxel / 1000.0,
    )


def main() -> int:
    """Measures and writes report.md; returns 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--verse", type=Path)
    parser.add_argument("--patients", type=int, default=3, help="phantoms of each part of the spine")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    found: dict[str, dict[str, list[tuple[float, ...]]]] = defaultdict(lambda: defaultdict(list))

    def measure(who: str, labels: Volume, levels: dict[str, int]) -> None:
        for level, label in levels.items():
            if (labels.array == label).any():
                one = measures(labels, label)
                print(who, level, "-" if one is None else np.round(one, 1), flush=True)
                if one is not None:
                    found[level][who].append(one)

    wanted = LEVELS[LEVELS.index("T5") :]
    if arguments.verse is not None:
        numbers = LABEL_NUMBERINGS["VerSe"]
        measure("verse004", real_ct_data.read_label_map(arguments.verse), {level: numbers[level] for level in wanted})
    folder = real_ct_data.real_ct_folder()
    if folder is not None:
        numbers = LABEL_NUMBERINGS["TotalSegmentator"]
        measure("real CT", real_ct_data.read_labels(folder), {level: numbers[level] for level in wanted})
    for seed in range(arguments.patients):
        for top, bottom in PARTS:
            spine = make_spine(seed, spacing_mm=1.2, extent=Extent.between(top, bottom), soft_tissue=False, noise_hu=0)
            measure("phantoms", spine.labels, spine.levels)
    rows = []
    for level in wanted:
        for who, own in found[level].items():
            values = np.array(own)
            texts = [
                f"{mean:.0f}" if len(own) == 1 else f"{low:.0f}-{high:.0f}"
                for mean, low, high in zip(values.mean(axis=0), values.min(axis=0), values.max(axis=0), strict=True)
            ]
            rows.append([level, who, str(len(own)), *texts])
    text = "# Phantoms and people\n\nmm; of several, from the least to the greatest.\n\n"
    write_text(arguments.out / "report.md", text + table(["", "", "n", *MEASURES], rows) + "\n", private=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
