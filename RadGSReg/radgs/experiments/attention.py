"""Second experiment: what attention and the counterfactual loss (CAL) are worth, from one trunk, on the same pairs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from radgs.experiments.attention_arms import (
    ARMS,
    ATTENTION,
    NONE,
    ON_VERTEBRA,
    RANDOM,
    ArmResult,
    attention_of,
    measured_arm,
    occlusion_of,
    randomly_attending,
    trained_arm,
)
from radgs.experiments.attention_report import attention_report
from radgs.experiments.figures import save_attention_maps, save_learning_curves, save_noise_curves
from radgs.experiments.setting import RECM_ALONE, Progress, Setting
from radgs.io.atomic import write_text
from radgs.networks import Networks, load_generic, load_networks, save_networks, with_attention
from radgs.pipeline import choose_device

#: The trunk is trained until it reconstructs so well, SSIM inside the mask: an attention needs something to attend to.
TRUNK_SSIM = 0.45
#: Pairs whose attention is drawn, and that are covered part by part.
DRAWN = 3


def attention_experiment(
    folder: Path,
    *,
    steps: int = 2000,
    seeds: int = 3,
    trunk_steps: int = 4000,
    trunk_ssim: float = TRUNK_SSIM,
    pairs: int = 400,
    held_out: int = 40,
    seed: int = 0,
    device: str = "auto",
    progress: Progress = lambda fraction, message: None,
) -> Path:
    """Trains a trunk without attention, goes on from it in every arm, and writes report.md with curves and maps.

    The trunk begins as the bundled networks, their attention left out. Whatever is done stays in the folder: the same
    call goes on where another stopped.

    Args:
        folder: Where the report, the pairs and the networks go; it must exist.
        steps: Of each arm.
        seeds: Trainings of each arm.
        trunk_steps: Of the trunk, at most.
        trunk_ssim: Held-out SSIM inside the mask at which the trunk is good enough.
        pairs: To learn from.
        held_out: Pairs to be scored on.
        seed: Of spine, pairs and the first training; the others follow it.
        device: "auto", "cpu" or "cuda".
        progress: Told the fraction done and what is being done.

    Returns:
        Path of the report.md.
    """
    setting = Setting.make(folder, seed, pairs, held_out, device, lambda done, what: progress(0.1 * done, what))
    trunk = _trunk(setting, folder, trunk_steps, trunk_ssim, lambda done, what: progress(0.1 + 0.2 * done, what))
    results: dict[str, list[ArmResult]] = {name: [] for name in (*(arm.name for arm in ARMS), RANDOM)}
    first: dict[str, Networks] = {}
    count = len(ARMS) * seeds
    for number in range(count):
        at, arm = seed + number // len(ARMS), ARMS[number % len(ARMS)]

        def show(done: float, what: str, number: int = number) -> None:
            progress(0.3 + 0.7 * (number + done) / count, what)

        networks = trained_arm(setting, trunk, arm, at, steps, folder, show)
        results[arm.name].append(_measured(arm.name, at, steps, networks, setting, folder))
        first.setdefault(arm.name, networks)
        if arm is ATTENTION:
            random = randomly_attending(networks)
            results[RANDOM].append(_measured(RANDOM, at, steps, random, setting, folder))
    _pictures(folder, setting, first, results)
    shadow = float((setting.held_out.vertebra > ON_VERTEBRA).mean())
    told = [
        f"From a trunk of {trunk.record['steps']} steps (held-out SSIM inside {trunk.record['ssim_inside']:.3f}), "
        f"{steps} steps each on {pairs} pairs of one synthetic L3; {held_out} other pairs of it held out; "
        f"{seeds} trainings of each arm, seeds {seed} to {seed + seeds - 1}; RegM is not trained.",
        "Arms: no attention; attention of a fixed mass; with the counterfactual loss, whose gradient reaches the "
        "encoder with at most a tenth of all others' norm; or reaches the attention's own weights alone; and the "
        "networks with attention, under a random one when they are used.",
    ]
    report = folder / "report.md"
    write_text(report, attention_report(results, told, shadow), private=False)
    return report


def _trunk(setting: Setting, folder: Path, steps: int, good_enough: float, progress: Progress) -> Networks:
    path = folder / f"trunk_{setting.seed}_{steps}_{good_enough:g}.radgs.safetensors"
    if not path.exists():
        networks = with_attention(load_generic(), "none")
        checkpoint = path.with_suffix(".checkpoint")
        history = setting.train(
            networks,
            steps,
            RECM_ALONE,
            "trunk",
            progress,
            checkpoint=checkpoint,
            until=lambda accuracy: accuracy.ssim_inside >= good_enough,
        )
        record = {"steps": history[-1]["steps"], "ssim_inside": history[-1]["ssim_inside"], "history": history}
        save_networks(replace(networks, record=record), path)
        checkpoint.unlink(missing_ok=True)
    return load_networks(path).to(choose_device(setting.device))


def _measured(name: str, seed: int, steps: int, networks: Networks, setting: Setting, folder: Path) -> ArmResult:
    path = folder / f"{name.replace(' ', '-')}_{seed}_{steps}.json"
    if not path.exists():
        measured_arm(name, seed, steps, networks, setting, DRAWN).save(path)
    return ArmResult.load(path)


def _pictures(
    folder: Path, setting: Setting, networks: dict[str, Networks], results: dict[str, list[ArmResult]]
) -> None:
    source = setting.sources(networks[NONE.name])[1]
    pairs = range(min(DRAWN, len(source)))
    attentive = {name: own for name, own in networks.items() if name != NONE.name}
    histories = {name: own.record.get("history", []) for name, own in networks.items()}
    save_learning_curves(folder / "learning_curve.png", histories)
    save_attention_maps(
        folder / "attention.png",
        {name: [attention_of(own, source, n) for n in pairs] for name, own in attentive.items()},
    )
    occluded = {name: [occlusion_of(own, source, n) for n in pairs] for name, own in networks.items()}
    # In units of the mean, as attention is.
    shown = {name: [(found / found.mean(), batch) for found, batch in own] for name, own in occluded.items()}
    save_attention_maps(folder / "occlusion.png", shown)
    by_noise = {
        name: {
            float(level): float(np.mean([score.ssim_inside for one in own for score in one.scores[level]]))
            for level in own[0].scores
        }
        for name, own in results.items()
    }
    save_noise_curves(folder / "noise.png", by_noise)
