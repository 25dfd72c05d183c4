"""The attention experiment's tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from radgs.evaluation.statistics import Interval
from radgs.evaluation.tables import table
from radgs.experiments.attention_arms import ATTENTION, NONE, ArmResult
from radgs.training.scoring import PairScore

#: What is compared, with a picture of the numbers' form.
COMPARED: tuple[tuple[str, Callable[[PairScore], float], str], ...] = (
    ("SSIM inside", lambda score: score.ssim_inside, "+.3f"),
    ("PSNR inside, dB", lambda score: score.psnr_inside_db, "+.2f"),
    ("Kabsch, mm", lambda score: score.kabsch_mm, "+.2f"),
)

Results = Mapping[str, Sequence[ArmResult]]


def attention_report(results: Results, told: Sequence[str], shadow: float) -> str:
    """The report: levels of the arms, differences with intervals, noise level by noise level.

    Args:
        results: The trainings of every arm.
        told: What was done, in sentences.
        shadow: The part of the crops' pixels that the vertebra covers: what no attention would give it.
    """
    levels = list(next(iter(results.values()))[0].scores)
    headings = ["", "n", "SSIM, inside", "PSNR, inside, dB", "ghosts", "Kabsch, median, mm", "p95"]
    headings += ["attention on the vertebra", "focus", "importance by occlusion on it"]
    noise = ["quanta per pixel", *(f"{float(level):,.0f}" for level in levels)]
    return (
        "\n\n".join(
            [
                "# What attention and the counterfactual loss are worth",
                *told,
                table(headings, [_row(name, trainings) for name, trainings in results.items()]),
                f"All levels of noise together. The vertebra covers {shadow:.1%} of the crops: an even map has that "
                "share on it and a focus of 1. Ghosts: attenuation away from the vertebra.",
                "\n".join(_comparisons(results)),
                table(noise, [[name, *_by_noise(trainings)] for name, trainings in results.items()]),
                "SSIM inside by the level of noise.",
                "![learning curves](learning_curve.png)\n![SSIM against noise](noise.png)\n"
                "![attention maps](attention.png)\n![importance by occlusion](occlusion.png)",
            ]
        )
        + "\n"
    )


def nested_interval(differences: Sequence[Sequence[float]], seed: int = 0, resamples: int = 2000) -> Interval:
    """95 % bootstrap interval of a mean of paired differences: trainings are drawn, and of each its pairs."""
    rng = np.random.default_rng(seed)
    values = [np.asarray(own, np.float64) for own in differences]
    means = np.empty(resamples)
    for draw in range(resamples):
        chosen = rng.integers(len(values), size=len(values))
        means[draw] = np.mean([rng.choice(values[at], len(values[at])).mean() for at in chosen])
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def _all(result: ArmResult) -> list[PairScore]:
    return [score for own in result.scores.values() for score in own]


def _row(name: str, trainings: Sequence[ArmResult]) -> list[str]:
    scores = [score for training in trainings for score in _all(training)]
    kabsch = [score.kabsch_mm for score in scores]

    def mean(values: Sequence[float], form: str) -> str:
        return format(float(np.mean(values)), form) if values else "-"

    looks = (("shares", ".1%"), ("focus", ".2f"), ("occlusion", ".1%"))
    return [
        name,
        str(len(scores)),
        mean([score.ssim_inside for score in scores], ".3f"),
        mean([score.psnr_inside_db for score in scores], ".1f"),
        mean([score.ghost_share for score in scores], ".1%"),
        f"{np.median(kabsch):.2f}",
        f"{np.percentile(kabsch, 95):.1f}",
        *(mean([value for one in trainings for value in getattr(one, what)], form) for what, form in looks),
    ]


def _by_noise(trainings: Sequence[ArmResult]) -> list[str]:
    return [
        f"{np.mean([score.ssim_inside for one in trainings for score in one.scores[level]]):.3f}"
        for level in trainings[0].scores
    ]


def _comparisons(results: Results) -> list[str]:
    """Every arm against none, and every other with attention against attention, on the same pairs and seeds."""
    lines = []
    for before in (NONE.name, ATTENTION.name):
        for name, trainings in results.items():
            if name in (NONE.name, before):
                continue
            changes = []
            for what, value, form in COMPARED:
                pairs = [
                    [value(new) - value(old) for new, old in zip(_all(b), _all(a), strict=True)]
                    for a, b in zip(results[before], trainings, strict=True)
                ]
                low, high = nested_interval(pairs)
                mean = float(np.mean([np.mean(own) for own in pairs]))
                changes.append(f"{what} {mean:{form}} [{low:{form}}, {high:{form}}]")
            lines.append(f"- *{name}* against *{before}*, mean change, 95 % interval: {'; '.join(changes)}.")
    return lines
