"""Fits what the verdict makes of views that contradict each other, on trials that set limits and report nothing.

    radgs benchmark --faults --seed 131 --out faults
    python Testing/benchmarks/real_ct.py --out worlds --world all --trials 5
    python Testing/benchmarks/fit_verdict.py faults/faults.jsonl worlds/trials.jsonl [--draw odds.png]

A logistic model of five numbers that trials log, each with a weight of one sign: what both witnesses want, in mm and in
standard deviations, what all that the CT shows wants, in standard deviations, the logarithm of the share of the
vertebra's gradients that is not explained, and the likeness lost from coarse to fine edges. Bad are poses more than
2 mm off whose fault the inputs can reveal, without mirrors and refused cases, which other grounds find; good are poses
within 1 mm of cases with nothing wrong, a geometry off by what is usual among them.
Prints the weights for ``radgs.pipeline.view_consistency``, and what limits would cost. With ``--draw``, what the
weights in use make of the trials is drawn instead: of ones that set no limit, that is how well they do.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.optimize import minimize

sys.path.append(str(Path(__file__).resolve().parents[2] / "RadGSReg"))

from radgs.colours import VERDICT_COLOURS
from radgs.evaluation.fault_trials import GOOD_MM, HARMFUL_MM
from radgs.pipeline.view_consistency import (
    CHECK_ODDS,
    FULL_MM,
    FULL_SIGMA,
    MIN_UNEXPLAINED,
    ODDS_OF_ALL_UNEXPLAINED,
    ODDS_PER_LOST,
    ODDS_PER_MM,
    ODDS_PER_SIGMA,
    ODDS_PER_SIGMA_OF_ALL,
    ODDS_PER_UNEXPLAINED,
    REJECT_ODDS,
)

#: Pull of the weights towards zero, in units of each number's spread.
RIDGE = 0.02
LIMITS = np.arange(-4.0, 2.1, 0.5)
#: The weights in use, in the order of ``numbers``, and the offset.
IN_USE = np.array(
    [ODDS_PER_MM, ODDS_PER_SIGMA, ODDS_PER_SIGMA_OF_ALL, ODDS_PER_UNEXPLAINED, ODDS_PER_LOST, ODDS_OF_ALL_UNEXPLAINED]
)
#: Odds further out are drawn at the border.
DRAWN_ODDS = (-12.0, 14.0)


def numbers(grounds: Mapping[str, float]) -> list[float]:
    """What both witnesses want (mm, and standard deviations), what all wants (those), ln(share not explained), lost."""
    sigmas = [min(float(np.sqrt(grounds[name])), FULL_SIGMA) for name in ("views_squares", "views_squares_of_all")]
    unexplained = max(1.0 - grounds["similarity_robust"], MIN_UNEXPLAINED)
    return [min(grounds["views_mm"], FULL_MM), *sigmas, float(np.log(unexplained)), grounds["likeness_lost"]]


def is_bad(trial: Mapping[str, Any]) -> bool | None:
    """Whether a trial's pose is bad or good; None where it is neither, or another ground's."""
    planned = trial.get("planned", {"fault": "none", "revealable": False})
    error = np.inf if trial.get("no_right_pose") else trial["mtre_mm"]
    if not trial["grounds"] or planned["fault"].startswith("mirrored"):
        return None
    if planned["fault"] == "none":
        return False if error <= GOOD_MM else None
    return True if planned["revealable"] and error > HARMFUL_MM else None


def fit(rows: NDArray[np.float64], bad: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(6,) the five weights, none negative, and the offset, by penalised maximum likelihood."""
    spread = rows.std(axis=0)

    def cost(logs: NDArray[np.float64]) -> float:
        weights = np.exp(logs[:-1])
        odds = rows @ weights + logs[-1]
        return float(np.logaddexp(0.0, np.where(bad, -odds, odds)).sum() + RIDGE * ((weights * spread) ** 2).sum())

    found = minimize(cost, np.append(-np.log(spread), -2.0), method="L-BFGS-B").x
    return np.append(np.exp(found[:-1]), found[-1])


def report(rows: NDArray[np.float64], bad: NDArray[np.bool_], fitted: NDArray[np.float64]) -> str:
    """Weights, and per limit how many good poses lie above it and how many bad ones below."""
    odds = rows @ fitted[:-1] + fitted[-1]
    lines = [
        f"{bad.sum()} bad, {(~bad).sum()} good",
        "per mm {:.2f}, per sigma {:.2f}, per sigma of all {:.2f}, per e-fold unexplained {:.2f}, per lost {:.1f}, "
        "offset {:.2f}".format(*fitted),
        "",
        "| limit | good above | bad below |",
        "| --- | --- | --- |",
    ]
    for limit in LIMITS:
        good_above, bad_below = int((odds[~bad] > limit).sum()), int((odds[bad] <= limit).sum())
        lines.append(f"| {limit:.1f} | {good_above} of {(~bad).sum()} | {bad_below} of {bad.sum()} |")
    return "\n".join(lines)


def draw(path: Path, rows: NDArray[np.float64], bad: NDArray[np.bool_]) -> None:
    """A histogram of the odds by the weights in use, of good and of bad poses, with the limits in use."""
    odds = np.clip(rows @ IN_USE[:-1] + IN_USE[-1], *DRAWN_ODDS)
    figure = Figure(figsize=(7.2, 3.4), dpi=120, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.add_subplot()
    bins = np.arange(DRAWN_ODDS[0], DRAWN_ODDS[1] + 0.1, 0.5)
    for chosen, verdict, label in ((~bad, "accept", "right within 1 mm"), (bad, "reject", "more than 2 mm off")):
        axis.hist(
            odds[chosen], list(bins), color=VERDICT_COLOURS[verdict], alpha=0.75, label=f"{label} (n = {chosen.sum()})"
        )
    for limit, verdict in ((CHECK_ODDS, "check"), (REJECT_ODDS, "reject")):
        axis.axvline(limit, color="black", linestyle="dashed", linewidth=1.0)
        axis.text(limit, 1.0, f" {verdict} from {limit:g}", transform=axis.get_xaxis_transform(), va="top", fontsize=8)
    axis.set(xlabel="log-odds that the pose is more than 2 mm off, by the views", ylabel="trials", xlim=DRAWN_ODDS)
    axis.legend(loc="upper center", bbox_to_anchor=(0.72, 0.85), fontsize=8)
    figure.savefig(path)


def read(paths: Iterable[Path]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(N, 5) numbers and (N,) whether bad, of the trials in logs."""
    trials = [json.loads(line) for path in paths for line in path.read_text(encoding="utf-8").splitlines()]
    known = [(numbers(trial["grounds"]), bad) for trial in trials if (bad := is_bad(trial)) is not None]
    return np.array([row for row, _ in known]), np.array([bad for _, bad in known])


def main(arguments: Sequence[str] | None = None) -> int:
    """Fits and prints."""
    parser = argparse.ArgumentParser(description="Fit the limits of what views may contradict each other in.")
    parser.add_argument("logs", nargs="+", type=Path, help="faults.jsonl or trials.jsonl of a benchmark")
    parser.add_argument("--draw", type=Path, help="picture of what the weights in use make of the trials")
    given = parser.parse_args(arguments)
    rows, bad = read(given.logs)
    if not bad.any() or bad.all():
        parser.error("the logs hold no bad pose, or no good one")
    if given.draw is not None:
        draw(given.draw, rows, bad)
        return 0
    print(report(rows, bad, fit(rows, bad)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
