"""What limits a reconstruction: voxels, the number of Gaussians, how RecM's head may place them, or the X-rays.

    python Testing/benchmarks/resolution.py --out resolution-result

The true volume itself, so no X-ray and no network, is put into Gaussians: as well as fitting can
(``radgs.gaussians.fit``), and under the limits of RecM's head (anchors at its lifted grid's likeliest voxels, bounded
offsets and scales, no negative density). What that scores inside the mask is the most that any network with this head
could. An empty volume, and the volume of 2 mm voxels interpolated to finer ones, stand beside it. L3 of a phantom, and
T11 of the real CT where it is at hand (``real_ct_data.py``). Every fit is written as it ends; the same command goes on.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.append(str(Path(__file__).resolve().parents[2] / "RadGSReg"))

import numpy as np
import real_ct_data
import torch
from torch.nn import functional

from radgs.drr import WATER
from radgs.evaluation.metrics import volume_similarity
from radgs.evaluation.tables import table
from radgs.experiments.setting import FIRST_SEED
from radgs.gaussians import RadiativeGaussians, fit, voxelize
from radgs.geometry import RigidTransform, Volume
from radgs.geometry.roi import roi_grid, roi_index_to_ras
from radgs.io.atomic import write_text
from radgs.networks.recm.config import COMPACT
from radgs.networks.recm.head import GaussianHead
from radgs.networks.recm.loss import OCCUPIED
from radgs.networks.recm.model import VOXELIZE_CUTOFF_SIGMA
from radgs.phantom import make_spine
from radgs.vertebra import PosedVertebra, SeparatedCT

#: Voxels along the ROI's 128 mm: 2, 1.5 and 1 mm.
GRIDS = (64, 86, 128)
#: Gaussians an anchor, of which there are 1536.
EACH = (1, 2, 4)
#: Steps of the fit under the head's limits, and its rate.
HEAD_STEPS, HEAD_RATE = 160, 0.015
FIT_ITERATIONS = 60


def vertebrae() -> dict[str, tuple[Volume, Volume, int]]:
    """CT, labels and label by name."""
    spine = make_spine(FIRST_SEED + 1, spacing_mm=1.0)
    found = {"phantom L3": (spine.ct, spine.labels, spine.levels["L3"])}
    folder = real_ct_data.real_ct_folder()
    if folder is None:
        print(real_ct_data.HOW_TO_GET_IT, file=sys.stderr)
        return found
    labels = real_ct_data.read_labels(folder)
    return {**found, "real T11": (real_ct_data.read_ct(folder), labels, real_ct_data.LEVEL_LABELS["T11"])}


def true_volumes(ct: Volume, labels: Volume, label: int) -> dict[int, Volume]:
    """A vertebra's excess, 1/mm, upright in the ROI, by the grid's voxels."""
    separated = SeparatedCT.around(ct, labels, label)
    to_frame = separated.frames.frame_to_ct(label).inverse()
    excess = separated.sampled_excess(label, 1.0)
    centred = Volume(excess.array, to_frame.matrix @ excess.index_to_ras)
    # A little turned, so that no grid is the CT's own.
    pose = RigidTransform.from_rotation_vector(np.radians([7.0, -5.0, 9.0])) @ RigidTransform(
        np.eye(3), np.array([0.4, 18.0, 0.7])
    )
    return {
        voxels: Volume(PosedVertebra(centred, voxels).posed(pose).numpy(), roi_index_to_ras(voxels)) for voxels in GRIDS
    }


def scored(estimate: np.ndarray, truth: Volume) -> tuple[float, float]:
    """SSIM and PSNR inside the mask dilated by 3 mm."""
    like = volume_similarity(replace(truth, array=estimate), truth, truth.array > OCCUPIED * WATER).inside
    return like.ssim, like.psnr_db


def on_grid(gaussians: RadiativeGaussians, voxels: int) -> np.ndarray:
    """(N, N, N) attenuation, 1/mm."""
    with torch.no_grad():
        return voxelize(gaussians, roi_index_to_ras(voxels), (voxels,) * 3, VOXELIZE_CUTOFF_SIGMA).numpy()


def as_the_head_may(truth: Volume, each: int) -> RadiativeGaussians:
    """Gaussians within the limits of RecM's head, by gradient descent on the true volume."""
    torch.manual_seed(0)
    config = replace(COMPACT, gaussians_per_anchor=each)
    wanted = torch.from_numpy(truth.array)
    voxels = truth.array.shape[0]
    occupancy = functional.adaptive_avg_pool3d(wanted[None, None], config.lifted_voxels)[0, 0] / WATER
    grid = roi_grid(config.lifted_voxels)
    k, j, i = np.meshgrid(*(np.arange(config.lifted_voxels),) * 3, indexing="ij")
    points = torch.from_numpy(grid.to_ras(np.stack([i, j, k], axis=-1))).float()
    # Every voxel has features of its own, which the head turns into Gaussians: all that a network could say.
    features = torch.randn(32, *occupancy.shape)
    features.requires_grad_()
    head = GaussianHead(32, config)
    logits = 40.0 * (occupancy - 0.02)
    groups: list[dict[str, Any]] = [
        {"params": [features], "lr": 5.0 * HEAD_RATE},
        {"params": list(head.parameters()), "lr": HEAD_RATE},
    ]
    optimizer = torch.optim.Adam(groups)
    peaks = [group["lr"] for group in optimizer.param_groups]
    for step in range(HEAD_STEPS):
        for group, peak in zip(optimizer.param_groups, peaks, strict=True):
            group["lr"] = peak * 0.5 * (1.0 + math.cos(math.pi * step / HEAD_STEPS))
        made = voxelize(head(logits, features, points), truth.index_to_ras, (voxels,) * 3, VOXELIZE_CUTOFF_SIGMA)
        optimizer.zero_grad()
        ((made - wanted) / WATER).square().sum().backward()
        optimizer.step()
    return head(logits, features, points).detach()


def main() -> int:
    """Runs the study; returns 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    log = arguments.out / "fits.json"
    done: dict[str, tuple[float, float]] = json.loads(log.read_text()) if log.exists() else {}

    def keep(name: str, score: tuple[float, float]) -> None:
        done[name] = score
        write_text(log, json.dumps(done, indent=1) + "\n", private=False)
        print(f"{name}: SSIM {score[0]:.3f}, PSNR {score[1]:.1f} dB", flush=True)

    names: list[str] = []
    for vertebra, source in vertebrae().items():
        names.append(vertebra)
        truths = true_volumes(*source)
        for voxels, truth in truths.items():
            if f"{vertebra}|{voxels}|empty" not in done:
                keep(f"{vertebra}|{voxels}|empty", scored(np.zeros_like(truth.array), truth))
                coarse = torch.from_numpy(truths[GRIDS[0]].array)[None, None]
                finer = functional.interpolate(coarse, size=(voxels,) * 3, mode="trilinear", align_corners=False)
                keep(f"{vertebra}|{voxels}|2 mm", scored(finer[0, 0].numpy(), truth))
            for each in EACH:
                count = each * COMPACT.anchors
                if f"{vertebra}|{voxels}|head {each}" not in done:
                    keep(
                        f"{vertebra}|{voxels}|head {each}", scored(on_grid(as_the_head_may(truth, each), voxels), truth)
                    )
                if f"{vertebra}|{voxels}|fit {each}" not in done:
                    gaussians = fit(truth, count, iterations=FIT_ITERATIONS)
                    keep(f"{vertebra}|{voxels}|fit {each}", scored(on_grid(gaussians, voxels), truth))
    write_text(arguments.out / "report.md", report(names, done), private=False)
    return 0


def report(names: list[str], done: dict[str, tuple[float, float]]) -> str:
    """Tables, one a vertebra."""
    kinds = [("an empty volume", "empty"), ("the volume at 2 mm, interpolated", "2 mm")]
    kinds += [(f"fitted freely, {each * COMPACT.anchors} Gaussians", f"fit {each}") for each in EACH]
    kinds += [(f"as RecM's head may, {each} an anchor", f"head {each}") for each in EACH]
    parts = ["# What the true volume scores as Gaussians", "SSIM / PSNR in dB, inside the mask dilated by 3 mm."]
    for name in names:
        rows = [[what, *(_shown(done.get(f"{name}|{voxels}|{kind}")) for voxels in GRIDS)] for what, kind in kinds]
        parts.append(table([name, *(f"{128 / voxels:.2g} mm voxels" for voxels in GRIDS)], rows))
    return "\n\n".join(parts) + "\n"


def _shown(score: tuple[float, float] | None) -> str:
    return "-" if score is None else f"{score[0]:.3f} / {score[1]:.1f}"


if __name__ == "__main__":
    sys.exit(main())
