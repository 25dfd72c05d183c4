"""First experiment: RecM alone, before RegM is trained, should reconstruct with an SSIM above 90 %."""

from __future__ import annotations

from pathlib import Path

import torch

from radgs.evaluation.tables import table
from radgs.experiments.figures import save_learning_curves
from radgs.experiments.setting import RECM_ALONE, Progress, Setting
from radgs.io.atomic import write_text
from radgs.networks import new_networks
from radgs.training.scoring import empty_scores, score

#: The bar of the method's description.
BAR = 0.90


def reconstruction_experiment(
    folder: Path,
    *,
    steps: int = 600,
    pairs: int = 400,
    held_out: int = 40,
    seed: int = 0,
    device: str = "auto",
    progress: Progress = lambda fraction, message: None,
) -> Path:
    """Trains RecM alone on one synthetic vertebra, and writes report.md with its learning curve.

    Args:
        folder: Where the report and the pairs go; it must exist.
        steps: Of the training.
        pairs: To learn from.
        held_out: Pairs to be scored on.
        seed: Of spine, pairs, weights and training.
        device: "auto", "cpu" or "cuda".
        progress: Told the fraction done and what is being done.

    Returns:
        Path of the report.md.
    """
    setting = Setting.make(folder, seed, pairs, held_out, device, lambda done, what: progress(0.15 * done, what))
    torch.manual_seed(seed)
    networks = new_networks("compact")
    history = setting.train(
        networks, steps, RECM_ALONE, "RecM alone", lambda done, what: progress(0.15 + 0.8 * done, what)
    )
    source = setting.sources(networks)[1]
    accuracy, empty = score(networks, source), empty_scores(source)
    curves = {"RecM alone": history}
    save_learning_curves(folder / "learning_curve.png", curves, BAR, empty["ssim_3d"])
    rows = [
        ["RecM alone", *(f"{v:.3f}" for v in (accuracy.ssim_3d, accuracy.ssim_inside))]
        + [f"{v:.1f}" for v in (accuracy.psnr_3d_db, accuracy.psnr_inside_db, accuracy.kabsch_median_mm)],
        ["an empty volume", *(f"{empty[k]:.3f}" for k in ("ssim_3d", "ssim_inside"))]
        + [f"{empty[k]:.1f}" for k in ("psnr_3d_db", "psnr_inside_db")]
        + ["-"],
    ]
    headings = ["", "SSIM, ROI", "SSIM, inside", "PSNR, ROI, dB", "PSNR, inside, dB", "Kabsch, median, mm"]
    passed = accuracy.ssim_3d > BAR
    report = folder / "report.md"
    write_text(
        report,
        "\n\n".join(
            [
                "# RecM alone, before RegM is trained",
                f"{steps} steps from random weights on {pairs} pairs of one synthetic L3, {held_out} other pairs of it "
                f"held out, seed {seed}.",
                table(headings, rows),
                f"SSIM over the ROI is {'above' if passed else 'not above'} {BAR:.0%}, the bar of the method's "
                "description; an empty volume's is in the table: look inside the mask.",
                "![learning curve](learning_curve.png)",
            ]
        )
        + "\n",
        private=False,
    )
    progress(1.0, "written")
    return report
