"""Could a small head, trained for it, label a reconstruction's Gaussians better than RecM's own words do?

    python Testing/benchmarks/segmentation_head.py --out OUT

Of every Gaussian the head sees RecM's features where it lies, the occupancy, the point of the vertebra's frame that is
shown and how far that is from where Kabsch's pose says, and the Gaussian's own size and density; RecM itself stays as
it is. Trained on two synthetic spines, judged on two others (L2 and L4, three pairs each), by attenuation. Patients
are kept as they are made: the same command goes on.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[2] / "RadGSReg"))

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from radgs.case import Level
from radgs.evaluation.tables import table
from radgs.experiments.segmentation import LEVELS, exposed_pair, true_parts
from radgs.experiments.setting import FIRST_SEED
from radgs.io.atomic import write_text
from radgs.networks import Networks, load_generic
from radgs.networks.recm import ViewBatch
from radgs.networks.regm import kabsch
from radgs.networks.segmentation import Part, at_points, gaussian_mass
from radgs.phantom import make_spine
from radgs.training.training_vertebra import TrainingVertebra

TRAINED_ON, JUDGED_ON, PAIRS = (50, 51), (0, 1), 3
STEPS, BATCH, RATE = 1500, 2048, 1e-3

#: Features (N, F), parts (N,), masses (N,) of one pair's Gaussians.
Labelled = tuple[np.ndarray, np.ndarray, np.ndarray]


@torch.no_grad()
def described(networks: Networks, views: ViewBatch) -> tuple[Tensor, Tensor, Tensor] | None:
    """(N, F) features, (N, 3) centres and (N,) masses of a pair's Gaussians; None where no vertebra is seen."""
    recm = networks.recm.eval()
    prediction = recm(views)
    logits, canonical = prediction.logits[0], prediction.canonical[0]
    gaussians, pose = recm.gaussians(prediction), kabsch(logits, canonical, recm.points)
    if pose is None:
        return None
    to_frame = pose.inverse()
    rotation, translation = (torch.as_tensor(part).float() for part in (to_frame.rotation, to_frame.translation))
    placed = gaussians.means @ rotation.T + translation
    shown = at_points(canonical, gaussians.means).T
    own = [at_points(prediction.features[0], gaussians.means).T, at_points(logits[None], gaussians.means).T]
    own += [shown - placed, placed / 20.0, shown / 20.0, gaussians.log_scales, 50.0 * gaussians.densities[:, None]]
    return torch.cat(own, dim=1), gaussians.means, gaussian_mass(gaussians)


def labelled_pairs(networks: Networks, seed: int, folder: Path) -> list[Labelled]:
    """Pairs of one patient, made once."""
    path = folder / f"patient_{seed}.npz"
    if not path.exists():
        spine = make_spine(FIRST_SEED + seed, spacing_mm=1.5)
        kept: dict[str, Any] = {}
        for level in LEVELS:
            label = spine.levels[level]
            vertebra = TrainingVertebra.of(spine.ct, spine.labels, Level(level, label))
            rng = np.random.default_rng([FIRST_SEED, seed, label])
            for number in range(PAIRS):
                views, ct_to_roi, around = exposed_pair(vertebra, rng, networks.recm.points.device)
                found = described(networks, views)
                if found is not None:
                    features, means, masses = (part.numpy() for part in found)
                    kept[f"{level}_{number}_features"], kept[f"{level}_{number}_masses"] = features, masses
                    parts = true_parts(spine.labels, label, ct_to_roi, around[1:], means)
                    kept[f"{level}_{number}_parts"] = parts
        np.savez(path, **kept)
    with np.load(path, allow_pickle=False) as file:
        names = sorted({name.rpartition("_")[0] for name in file.files})
        return [(file[f"{n}_features"], file[f"{n}_parts"], file[f"{n}_masses"]) for n in names]


def trained(pairs: list[Labelled]) -> nn.Module:
    """A head of two hidden layers, by cross-entropy weighted with attenuation."""
    torch.manual_seed(0)
    features, parts, masses = (torch.from_numpy(np.concatenate(column)) for column in zip(*pairs, strict=True))
    middle, spread = features.mean(dim=0), features.std(dim=0) + 1e-6
    head = nn.Sequential(nn.Linear(features.shape[1], 48), nn.SiLU(), nn.Linear(48, 48), nn.SiLU(), nn.Linear(48, 3))
    optimizer = torch.optim.AdamW(head.parameters(), RATE, weight_decay=1e-2)
    weights = masses / masses.mean()
    for _ in range(STEPS):
        drawn = torch.randint(len(features), (BATCH,))
        said = head((features[drawn] - middle) / spread)
        loss = (functional.cross_entropy(said, parts[drawn], reduction="none") * weights[drawn]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    class Standardized(nn.Module):
        def forward(self, values: Tensor) -> Tensor:
            return torch.as_tensor(head((values - middle) / spread))

    return Standardized()


def masses_of(head: nn.Module, pair: Labelled) -> np.ndarray:
    """(3, 3) shares of attenuation by true part (rows) and label (columns)."""
    features, parts, masses = pair
    with torch.no_grad():
        labels = head(torch.from_numpy(features)).argmax(dim=1).numpy()
    sums = np.zeros((len(Part), len(Part)))
    np.add.at(sums, (parts, labels), masses)
    return sums / sums.sum()


def main() -> int:
    """Trains, judges and writes report.md; returns 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    folder = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    networks = load_generic()
    pairs = {seed: labelled_pairs(networks, seed, folder) for seed in (*TRAINED_ON, *JUDGED_ON)}
    head = trained([pair for seed in TRAINED_ON for pair in pairs[seed]])
    rows = []
    for what, seeds in (("trained on", TRAINED_ON), ("held out", JUDGED_ON)):
        shares = np.stack([masses_of(head, pair) for seed in seeds for pair in pairs[seed]])
        own, kept, labelled = shares[:, 0].sum(axis=1), shares[:, 0, 0], shares[:, :, 0].sum(axis=1)
        values = (own, kept / labelled, kept / own, 2 * own / (own + 1), 2 * kept / (own + labelled))
        rows.append([what, str(len(shares)), *(f"{value.mean():.3f}" for value in values)])
    headings = ["", "pairs", "truly the vertebra's", "of those labelled so", "kept of it", "Dice, no labels", "Dice"]
    text = "# A head for labelling Gaussians\n\n" + table(headings, rows) + "\n"
    write_text(folder / "report.md", text, private=False)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
