"""Second experiment: no attention, attention, and attention with the counterfactual loss (CAL), on the same pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from radgs.evaluation.statistics import Interval
from radgs.evaluation.tables import table
from radgs.experiments.figures import save_attention_maps, save_learning_curves
from radgs.experiments.setting import RECM_ALONE, Progress, Setting
from radgs.io.atomic import write_text
from radgs.networks import Networks, new_networks
from radgs.networks.recm.loss import PROJECTION_UNIT
from radgs.training.batches import PairSource, TrainingBatch
from radgs.training.scoring import EXPOSURE_SEED, PairScore, score_pairs

#: Variants by name: with attention, with the counterfactual loss.
VARIANTS = {
    "no attention": (False, False),
    "attention": (True, False),
    "attention + CAL": (True, True),
}
#: A pixel shows the vertebra where its line integral passes this.
ON_VERTEBRA = 0.1 * PROJECTION_UNIT
#: Pairs whose attention is drawn.
DRAWN = 3


def attention_experiment(
    folder: Path,
    *,
    steps: int = 600,
    pairs: int = 400,
    held_out: int = 40,
    seed: int = 0,
    device: str = "auto",
    progress: Progress = lambda fraction, message: None,
) -> Path:
    """Trains RecM three times from the same seed, and writes report.md with curves and attention maps.

    Args:
        folder: Where the report and the pairs go; it must exist.
        steps: Of each training.
        pairs: To learn from.
        held_out: Pairs to be scored on.
        seed: Of spine, pairs, weights and training.
        device: "auto", "cpu" or "cuda".
        progress: Told the fraction done and what is being done.

    Returns:
        Path of the report.md.
    """
    setting = Setting.make(folder, seed, pairs, held_out, device, lambda done, what: progress(0.1 * done, what))
    scores: dict[str, list[PairScore]] = {}
    curves, focus, maps = {}, {}, {}
    for number, (name, (with_attention, with_cal)) in enumerate(VARIANTS.items()):
        torch.manual_seed(seed)
        networks = new_networks("compact", with_attention=with_attention)
        step = replace(RECM_ALONE.step, counterfactual=RECM_ALONE.step.counterfactual if with_cal else 0.0)

        def show(done: float, what: str, number: int = number) -> None:
            progress(0.1 + 0.9 * (number + done) / len(VARIANTS), what)

        curves[name] = setting.train(networks, steps, replace(RECM_ALONE, step=step), name, show)
        source = setting.sources(networks)[1]
        scores[name] = score_pairs(networks, source)
        if with_attention:
            seen = [attention_of(networks, source, index) for index in range(held_out)]
            focus[name] = float(np.median([focus_of(attention, batch.images[0]) for attention, batch in seen]))
            maps[name] = seen[:DRAWN]
    save_learning_curves(folder / "learning_curve.png", curves)
    save_attention_maps(folder / "attention.png", maps)
    report = folder / "report.md"
    write_text(report, _report(scores, focus, steps, pairs, seed), private=False)
    return report


@torch.no_grad()
def attention_of(networks: Networks, source: PairSource, index: int) -> tuple[torch.Tensor, TrainingBatch]:
    """The attention (V, h, w) that a held-out pair gets, and the pair."""
    device = networks.recm.points.device
    batch = source.take([index], torch.Generator(device).manual_seed(EXPOSURE_SEED + index))
    attention = networks.recm.eval()(batch.views).attention
    assert attention is not None
    return attention[0, :, 0], batch


def focus_of(attention: torch.Tensor, vertebra: torch.Tensor) -> float:
    """Attention (V, h, w) where images (V, P, P) show the vertebra over attention elsewhere: 1 is no focus."""
    size = (attention.shape[-2], attention.shape[-1])
    shadow = torch.nn.functional.adaptive_avg_pool2d(vertebra[:, None], size)[:, 0] > ON_VERTEBRA
    return float(attention[shadow].mean() / attention[~shadow].mean())


def paired_interval(differences: Sequence[float], seed: int = 0, resamples: int = 4000) -> Interval:
    """95 % bootstrap interval of the mean of differences between two networks on the same pairs."""
    values = np.asarray(differences, np.float64)
    drawn = np.random.default_rng(seed).integers(len(values), size=(resamples, len(values)))
    low, high = np.percentile(values[drawn].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def _report(scores: dict[str, list[PairScore]], focus: dict[str, float], steps: int, pairs: int, seed: int) -> str:
    rows = []
    for name, own in scores.items():
        kabsch = [one.kabsch_mm for one in own]
        rows.append(
            [
                name,
                f"{np.mean([one.ssim_3d for one in own]):.3f}",
                f"{np.mean([one.ssim_inside for one in own]):.3f}",
                f"{np.mean([one.psnr_inside_db for one in own]):.1f}",
                f"{np.mean([one.ghost_share for one in own]):.1%}",
                f"{np.median(kabsch):.2f}",
                f"{np.percentile(kabsch, 95):.1f}",
                f"{focus[name]:.2f}" if name in focus else "-",
            ]
        )
    headings = ["", "SSIM, ROI", "SSIM, inside", "PSNR, inside, dB", "ghosts", "Kabsch, median, mm", "p95", "focus"]
    names = list(scores)
    compared = [_comparison(a, b, scores[a], scores[b]) for a, b in ((names[0], names[1]), (names[1], names[2]))]
    return (
        "\n\n".join(
            [
                "# What attention and the counterfactual loss are worth",
                f"{steps} steps each from the same random weights on {pairs} pairs of one synthetic L3, "
                f"{len(scores[names[0]])} other pairs of it held out, seed {seed}; RegM is not trained.",
                table(headings, rows),
                "Focus: attention on the vertebra's pixels over attention elsewhere, 1 is none. Ghosts: attenuation "
                "away from the vertebra.",
                "\n".join(compared),
                "One vertebra and one seed: the intervals are of the held-out pairs alone, and another seed of the "
                "training may differ by as much.",
                "![learning curves](learning_curve.png)\n![attention maps](attention.png)",
            ]
        )
        + "\n"
    )


def _comparison(before: str, after: str, old: Sequence[PairScore], new: Sequence[PairScore]) -> str:
    def change(attribute: str) -> str:
        differences = [getattr(b, attribute) - getattr(a, attribute) for a, b in zip(old, new, strict=True)]
        low, high = paired_interval(differences)
        return f"{np.mean(differences):+.3f} [{low:+.3f}, {high:+.3f}]"

    return (
        f"- *{after}* against *{before}*, mean change on the same pairs, 95 % interval: SSIM inside "
        f"{change('ssim_inside')}, Kabsch {change('kabsch_mm')} mm."
    )
