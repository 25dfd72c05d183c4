"""How good generic networks are on what they were not trained on: unseen phantoms, and the real CT's vertebrae.

    python Testing/benchmarks/generic_networks.py --out OUT [--model FILE]...

Every model gets the same pairs: of synthetic patients that no training draws, lumbar and thoracic, and of T10 to T12 of
the real CT where it is at hand (``real_ct_data.py``); regions up to 20 mm off, exposed as in training. Errors are mTRE,
in mm, of the networks alone; "forward" is how far Kabsch's pose lies in front of the true one, which says whether
networks take their cue from what is around a vertebra. Writes generic_networks.md; pairs are kept in OUT for the next
time.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.append(str(Path(__file__).resolve().parents[2] / "RadGSReg"))

import numpy as np
import real_ct_data
import torch

from radgs.case import Level
from radgs.cli.console import ProgressBar, people_console
from radgs.evaluation.tables import table
from radgs.io.atomic import write_text
from radgs.networks import Networks, load_generic, load_networks
from radgs.networks.reconstruction import reconstruct
from radgs.simulation import Exposure
from radgs.threads import map_concurrently
from radgs.training.batches import PairSource
from radgs.training.pairs import PairBank, PairSettings, StoredPairs, make_pairs
from radgs.training.phantom_pairs import GENERIC, make_phantom_pairs
from radgs.training.scoring import EXPOSURE_SEED, PairScore, empty_scores, score_pairs, summarised
from radgs.training.training_vertebra import TrainingVertebra

#: Patients from this number on: training draws the first few hundred.
FIRST_PATIENT = 5000
#: As far off as in training, and everything where it is.
AS_IT_IS = PairSettings(offset_mm=GENERIC.offset_mm)


def phantom_sources(
    folder: Path, spines: int, per_vertebra: int, voxels: int, bar: ProgressBar
) -> dict[str, PairSource]:
    """Pairs of unseen phantoms, lumbar and thoracic apart."""
    patients = range(FIRST_PATIENT, FIRST_PATIENT + spines)
    files = make_phantom_pairs(
        folder, patients, per_vertebra, AS_IT_IS, progress=lambda done, what: bar(0.3 * done, what)
    )
    apart = {
        "phantoms, lumbar": [path for path in files if "_L" in path.stem],
        "phantoms, thoracic": [path for path in files if "_T" in path.stem],
    }
    stored = {name: [StoredPairs.checked(path) for path in paths] for name, paths in apart.items()}
    return {name: PairSource(pairs, voxels, Exposure()) for name, pairs in stored.items() if pairs}


def real_sources(folder: Path, per_vertebra: int, voxels: int, bar: ProgressBar) -> dict[str, PairSource]:
    """Pairs of the real CT's vertebrae; none where it is not at hand."""
    where, sources = real_ct_data.real_ct_folder(), {}
    if where is None:
        return {}
    for level, label in real_ct_data.LEVEL_LABELS.items():
        path = folder / f"real_{level}_{per_vertebra}.npz"
        if not path.exists():
            bar(0.3, f"real {level}")
            ct, labels = real_ct_data.read_ct(where), real_ct_data.read_labels(where)
            vertebra = TrainingVertebra.of(ct, labels, Level(level, label))
            make_pairs(vertebra, f"real {level}", per_vertebra, np.random.default_rng([7, label]), AS_IT_IS).save(path)
        sources[f"real {level}"] = PairSource([PairBank.load(path)], voxels, Exposure())
    return sources


def forward_mm(networks: Networks, source: PairSource) -> float:
    """How far in front of the true pose Kabsch's lies: the median, mm, over pairs in which a vertebra is seen."""

    def one(number: int) -> float:
        batch = source.take([number], torch.Generator().manual_seed(EXPOSURE_SEED + number))
        pose = reconstruct(networks, batch.views, batch.vertebrae[0].posed).kabsch
        if pose is None:
            return np.nan
        rotation, translation = (tensor[0].double().numpy() for tensor in batch.pose)
        return float((rotation.T @ (pose.translation - translation))[1])

    return float(np.nanmedian(map_concurrently(one, range(len(source)))))


def row(model: str, kind: str, scores: list[PairScore], forward: float) -> list[str]:
    """What is told of one model on one kind of vertebra."""
    all_of_it = summarised(scores)
    return [
        model,
        kind,
        str(all_of_it.pairs),
        f"{all_of_it.ssim_inside:.3f}",
        f"{all_of_it.psnr_inside_db:.1f}",
        f"{all_of_it.kabsch_median_mm:.2f} ({all_of_it.kabsch_p95_mm:.1f})",
        f"{all_of_it.regm_median_mm:.2f} ({all_of_it.regm_p95_mm:.1f})",
        f"{forward:+.1f}",
    ]


def main(out: Path, models: Mapping[str, Networks], spines: int, per_vertebra: int) -> str:
    """Compares models; returns the table."""
    voxels = next(iter(models.values())).recm.config.voxels
    out.mkdir(parents=True, exist_ok=True)
    rows = []
    with ProgressBar(people_console(), "Pairs") as bar:
        sources = {
            **phantom_sources(out, spines, per_vertebra, voxels, bar),
            **real_sources(out, 4 * per_vertebra, voxels, bar),
        }
        for kind, source in sources.items():
            empty = empty_scores(source)
            rows.append(
                ["an empty volume", kind, str(len(source)), f"{empty['ssim_inside']:.3f}"]
                + [f"{empty['psnr_inside_db']:.1f}", "", "", ""]
            )
            for number, (name, networks) in enumerate(models.items()):
                bar(0.3 + 0.7 * number / len(models), f"{name} on {kind}")
                networks.recm.eval()
                rows.append(row(name, kind, score_pairs(networks, source), forward_mm(networks, source)))
    headings = ["model", "vertebrae", "pairs", "SSIM inside", "PSNR, dB", "Kabsch, median (p95)", "RegM, median (p95)"]
    told = table([*headings, "forward"], rows)
    write_text(out / "generic_networks.md", told + "\n")
    return told


def from_command_line(description: str | None, of_pairs: str) -> tuple[Path, dict[str, Networks], int, int]:
    """Where to write, the networks to compare by name, how many unseen patients, and how many pairs.

    Args:
        description: What the program does.
        of_pairs: What these pairs are of.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for the table, and for pairs that are kept")
    parser.add_argument("--model", type=Path, action="append", default=[], help="beside the bundled one; repeatable")
    parser.add_argument("--spines", type=int, default=8, help="unseen synthetic patients")
    parser.add_argument("--pairs", type=int, default=4, help=of_pairs)
    given = parser.parse_args()
    compared = {"bundled": load_generic(), **{path.name.split(".")[0]: load_networks(path) for path in given.model}}
    return given.out, compared, given.spines, given.pairs


if __name__ == "__main__":
    print(main(*from_command_line(__doc__, "of each of their vertebrae; four times as many of real ones")))
