"""Rebuilds the case that ``radgs demo`` registers: L3 of a phantom, its neighbours moved, seen in two simulated X-rays.

    python Testing/benchmarks/make_demo_case.py                 # writes RadGSReg/radgs/data/demo
    python Testing/benchmarks/make_demo_case.py --out elsewhere

The same seeds always give the same case. To keep it small, the CT ends just above L1 and below L5 (the X-rays are cast
through the whole phantom), its values are rounded to 4 HU, half their noise, and line integrals to 1/4096.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

# Runs from a bare checkout too, before the package is installed.
sys.path.append(str(Path(__file__).resolve().parents[2] / "RadGSReg"))

import radgs
from radgs.case import RegistrationCase
from radgs.geometry import Volume
from radgs.phantom import make_spine
from radgs.simulation import ArticulatedAnatomy, SimulationSettings, simulate_case

DEMO_FOLDER = Path(radgs.__file__).parent / "data" / "demo"
PATIENT_SEED = 7
POSE_SEED = 3
LEVEL = "L3"
VOXEL_MM = 1.5
NOISE_HU = 8.0
HU_STEP = 4
#: Of the CT beyond L1 and L5, mm.
MARGIN_MM = 10.0
LINE_INTEGRAL_STEP = 1 / 4096

SETTINGS = SimulationSettings(
    view_tilt_deg=6.0,
    photons=(1.0e5, 2.0e5),
    scatter_to_primary=(0.1, 0.3),
    detector_pixels=320,
)


def make_demo_case() -> RegistrationCase:
    """The demo's case, CT cut and X-rays rounded."""
    spine = make_spine(PATIENT_SEED, spacing_mm=VOXEL_MM, noise_hu=NOISE_HU)
    anatomy = ArticulatedAnatomy(spine.ct, spine.labels, spine.levels)
    case = simulate_case(anatomy, LEVEL, np.random.default_rng(POSE_SEED), SETTINGS)
    clicks = {view: (round(column, 1), round(row, 1)) for view, (column, row) in case.initial[LEVEL].clicks.items()}
    low, high = _lumbar_slices(spine.labels, list(spine.levels.values()))
    ct = case.ct.box(low, high)
    return replace(
        case,
        ct=replace(ct, array=_rounded(ct.array, HU_STEP).astype(np.int16)),
        labels=case.labels.box(low, high),
        views=tuple(replace(view, image=_rounded(view.image, LINE_INTEGRAL_STEP)) for view in case.views),
        initial={LEVEL: replace(case.initial[LEVEL], clicks=clicks)},
    )


def _lumbar_slices(labels: Volume, lumbar: list[int]) -> tuple[list[int], list[int]]:
    """Index box (i, j, k) of the slices that hold the lumbar vertebrae, with a margin."""
    slices = np.flatnonzero(np.isin(labels.array, lumbar).any(axis=(1, 2)))
    margin = round(MARGIN_MM / labels.spacing[2])
    width, height, _ = labels.size
    return [0, 0, slices[0] - margin], [width, height, slices[-1] + 1 + margin]


def _rounded(values: NDArray, step: float) -> NDArray[np.float32]:
    return (np.round(values / step) * step).astype(np.float32)


def main() -> None:
    """Writes the case and says how large it is."""
    parser = argparse.ArgumentParser(description="Rebuild the case that radgs demo registers.")
    parser.add_argument("--out", type=Path, default=DEMO_FOLDER, help="folder to write (default: the package's)")
    folder = parser.parse_args().out
    path = make_demo_case().save(folder)
    size = sum(file.stat().st_size for file in folder.iterdir())
    print(f"{path}: {size / 2**20:.1f} MiB in {len(list(folder.iterdir()))} files")


if __name__ == "__main__":
    main()
