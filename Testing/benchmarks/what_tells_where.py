"""What tells networks where along the spine a vertebra is: the vertebrae, or what is around them?

    python Testing/benchmarks/what_tells_where.py --out OUT [--model FILE]...

Synthetic patients that no training draws, thoracic and lumbar. All that is no vertebra (ribs, skin, organs, where the
CT ends) is slid up and down the spine, the vertebrae stay; how far Kabsch's pose goes along is told per millimetre: 0,
it is found by the vertebrae; 1, by what is around them. Clean exposures. Writes what_tells_where.md.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.append(str(Path(__file__).resolve().parents[2] / "RadGSReg"))

import numpy as np
import torch
from generic_networks import FIRST_PATIENT, from_command_line

from radgs.case import Level
from radgs.cli.console import ProgressBar, people_console
from radgs.errors import CaseError
from radgs.evaluation.tables import table
from radgs.geometry.roi import crop_geometry
from radgs.io.atomic import write_text
from radgs.networks import Networks
from radgs.networks.reconstruction import reconstruct
from radgs.phantom import Variant
from radgs.simulation import Exposure
from radgs.simulation.worlds import CLEAN
from radgs.threads import map_concurrently
from radgs.training.batches import PairSource
from radgs.training.pairs import DIRECTIONS, PairBank, random_pose, random_sources
from radgs.training.phantom_pairs import FIRST_SEED, GENERIC
from radgs.training.scoring import EXPOSURE_SEED
from radgs.training.training_vertebra import TrainingVertebra

SLIDES_MM = (-6.0, -3.0, 0.0, 3.0, 6.0)
AS_IT_IS = Exposure(
    photons=(1.4e6, 1.5e6), scatter=(0.0, 0.0), gain=(1.0, 1.0), field=0.0, blur=0.0, collimated=0.0, with_tools=0.0,
    worlds=(CLEAN,),
)  # fmt: skip


def sliding_pairs(vertebra: TrainingVertebra, count: int, seed: int) -> dict[float, PairBank]:
    """The same pairs for every slide, mm, of all that is no vertebra."""
    banks = {}
    for slide_mm in SLIDES_MM:
        images: list[list[np.ndarray]] = []
        around: list[list[np.ndarray]] = []
        sources, poses = [], []
        for rng in np.random.default_rng(seed).spawn(count):
            ct_to_roi = random_pose(vertebra.frame_to_ct.translation, GENERIC, rng, vertebra.spacing_mm)
            stood = vertebra.random_background(ct_to_roi, GENERIC.simulation, rng, slide_mm)
            sources.append(random_sources(DIRECTIONS, GENERIC.simulation, rng))
            views = [crop_geometry(source) for source in sources[-1]]
            images.append([vertebra.vertebra_image(ct_to_roi, view) for view in views])
            around.append([vertebra.background_image(stood, view) for view in views])
            poses.append((ct_to_roi @ vertebra.frame_to_ct).matrix)
        banks[slide_mm] = PairBank(
            f"{slide_mm:+g} mm",
            np.array(images, np.float16),
            np.array(around, np.float16),
            np.array(sources, np.float32),
            np.array(poses),
            vertebra.excess,
            vertebra.surface,
        )
    return banks


def heights(networks: Networks, bank: PairBank) -> np.ndarray:
    """(n,) how far up its spine each pair's Kabsch pose lies from the true one, mm; NaN where nothing is seen."""
    source = PairSource([bank], networks.recm.config.voxels, AS_IT_IS)

    def one(number: int) -> float:
        batch = source.take([number], torch.Generator().manual_seed(EXPOSURE_SEED + number))
        found, true = reconstruct(networks, batch.views, batch.vertebrae[0].posed).kabsch, bank.pose(number)
        return np.nan if found is None else float((true.rotation.T @ (found.translation - true.translation))[2])

    return np.array(map_concurrently(one, range(len(source))))


def followed(networks: Networks, banks: Mapping[float, PairBank]) -> np.ndarray:
    """(n,) by how much each pair's pose goes along with what is around, per mm."""
    by_slide = np.stack([heights(networks, bank) for bank in banks.values()])
    centred = np.array(list(banks))[:, None]
    return (centred * (by_slide - by_slide.mean(axis=0))).sum(axis=0) / (centred**2).sum()


def vertebrae(spines: int) -> Iterator[tuple[str, TrainingVertebra]]:
    """Those of unseen patients that a frame can be fitted to."""
    for number in range(FIRST_PATIENT, FIRST_PATIENT + spines):
        variant = Variant.drawn(FIRST_SEED + number)
        spine = variant.spine()
        for level in variant.extent.whole:
            try:
                yield level, TrainingVertebra.of(spine.ct, spine.labels, Level(level, spine.levels[level]))
            except CaseError:
                continue


def main(out: Path, models: Mapping[str, Networks], spines: int, pairs: int) -> str:
    """Measures; returns the table."""
    out.mkdir(parents=True, exist_ok=True)
    found: dict[tuple[str, str], list[float]] = {}
    with ProgressBar(people_console(), "Vertebrae") as bar:
        for number, (level, vertebra) in enumerate(vertebrae(spines)):
            bar(min(0.99, number / (5 * spines)), level)
            banks = sliding_pairs(vertebra, pairs, number)
            part = "lumbar" if level[0] == "L" else "T9 to T12" if int(level[1:]) > 8 else "T5 to T8"
            for name, networks in models.items():
                networks.recm.eval()
                found.setdefault((name, part), []).extend(followed(networks, banks))
    rows = []
    for (name, part), all_of_them in sorted(found.items()):
        slopes = np.array(all_of_them)[np.isfinite(all_of_them)]
        low, middle, high = np.percentile(slopes, [25, 50, 75])
        rows.append([name, part, str(len(slopes)), f"{middle:.2f} ({low:.2f} to {high:.2f})", f"{slopes.mean():.2f}"])
    told = table(["model", "vertebrae", "pairs", "mm per mm, median (quartiles)", "mean"], rows)
    write_text(out / "what_tells_where.md", told + "\n")
    return told


if __name__ == "__main__":
    print(main(*from_command_line(__doc__, "of each of their vertebrae")))
