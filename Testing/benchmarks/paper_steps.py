"""First steps of the ``paper`` configuration (ResNet-50, 10,000 Gaussians, 128 cubed) on a CPU, and what they cost.

    python Testing/benchmarks/paper_steps.py --out paper-steps --steps 24

RecM alone, from random weights, on one pair of one synthetic L3 again and again: the loss must fall. Every
step is a line of log.csv with its losses, the processor's seconds and the memory held at most.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from dataclasses import replace
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "RadGSReg"))

import numpy as np
import torch

from radgs.experiments.setting import RECM_ALONE, Setting
from radgs.networks import new_networks
from radgs.simulation import Exposure
from radgs.training.batches import PairSource
from radgs.training.step import Phase, losses

#: Pairs that are learned, over and over.
PAIRS = 1
TERMS = ("occupancy", "canonical", "cal", "volume", "projection")


def main() -> int:
    """Trains and logs; returns 0 where the loss fell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    setting = Setting.make(arguments.out, arguments.seed, PAIRS, 1, "cpu", lambda done, what: None)
    torch.manual_seed(arguments.seed)
    recm = new_networks("paper").recm.train()
    print(f"{sum(weights.numel() for weights in recm.parameters()) / 1e6:.1f} million weights", flush=True)
    source = PairSource([setting.training], recm.config.voxels, Exposure())
    batch = source.take(list(range(PAIRS)), torch.Generator().manual_seed(0))
    step_settings = replace(RECM_ALONE.step, counterfactual_share=1.0, projection_share=1.0)
    optimizer = torch.optim.AdamW(recm.parameters(), lr=1e-3, betas=(0.9, 0.98))
    rng = np.random.default_rng(arguments.seed)
    totals: list[float] = []
    with (arguments.out / "log.csv").open("w", encoding="utf-8") as log:
        log.write(f"step,{','.join(TERMS)},total,cpu_seconds,peak_gib\n")
        for step in range(1, arguments.steps + 1):
            began = time.process_time()
            for group in optimizer.param_groups:
                group["lr"] = 1e-3 * min(1.0, step / 3)
            terms = losses(recm, None, batch, step_settings, Phase(False, False), rng)
            optimizer.zero_grad()
            total = torch.stack(list(terms.values())).sum()
            total.backward()
            torch.nn.utils.clip_grad_norm_(recm.parameters(), RECM_ALONE.clip)
            optimizer.step()
            totals.append(float(total.detach()))
            values = [float(terms[name].detach()) for name in TERMS]
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
            seconds = time.process_time() - began
            numbers = ",".join(f"{value:.4f}" for value in (*values, totals[-1]))
            log.write(f"{step},{numbers},{seconds:.1f},{peak:.2f}\n")
            log.flush()
            print(f"step {step}: {totals[-1]:.3f}, {seconds:.1f} s, {peak:.1f} GiB", flush=True)
    fell = float(np.mean(totals[-3:])) < float(np.mean(totals[:3]))
    print("the loss fell" if fell else "the loss did not fall")
    return 0 if fell else 1


if __name__ == "__main__":
    sys.exit(main())
