"""``radgs prepare``, ``radgs train`` and its stages in a terminal: progress, Ctrl-C, and the final message."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from rich.console import Console

from radgs.cli.console import ProgressBar, people_console
from radgs.networks import Accuracy, Networks, load_networks
from radgs.networks.recm.attention import AttentionKind
from radgs.training.adapt import adapt
from radgs.training.adaptation_cases import read_adaptation_cases
from radgs.training.base import anatomy_and_base, check_output
from radgs.training.generic import train_generic
from radgs.training.prepare import PreparationProgress, prepare
from radgs.training.ranks import is_first
from radgs.training.verse_pairs import VerseSettings


def prepare_level(
    case: Path, level_name: str, out: Path, *, minutes: float, base: Path | None, seed: int, device: str
) -> str:
    """Prepares networks for a level of a case; returns what to tell.

    Raises:
        InputFileError: The case or the base cannot be used.
        OutputError: The model file cannot be used.
        CaseError: There is no such level, or its label shows no whole vertebra.
    """
    anatomy, level, networks = anatomy_and_base(case, level_name, out, base)
    with ProgressBar(people_console(), f"Preparing {level_name}") as bar, _interruptible() as interrupted:

        def show(at: PreparationProgress) -> None:
            bar(min(at.fraction, 1.0), f"{level_name}: {at.message}")

        networks = prepare(
            anatomy.ct,
            anatomy.labels,
            level,
            networks,
            out,
            minutes=minutes,
            seed=seed,
            device=device,
            progress=show,
            cancelled=interrupted,
        )
    return _last_word(networks, out, interrupted())


def train_stage_1(
    out: Path,
    pairs: Path,
    *,
    minutes: float,
    steps: int | None,
    spines: int,
    pairs_per_vertebra: int,
    verse: VerseSettings | None,
    config: str,
    base: Path | None,
    attention: AttentionKind | None,
    with_cal: bool,
    seed: int,
    device: str,
) -> str:
    """Trains generic networks; returns what to tell, which is nothing for a process that another one leads.

    Raises:
        InputFileError: There is no such configuration, or the base or VerSe's folder cannot be used.
        OutputError: The model file cannot be used.
    """
    check_output(out, [] if base is None else [base])
    networks = None if base is None else load_networks(base)
    telling = people_console() if is_first() else Console(quiet=True)
    with ProgressBar(telling, "Training") as bar, _interruptible() as interrupted:
        networks = train_generic(
            out,
            pairs,
            minutes=minutes,
            steps=steps,
            spines=spines,
            pairs_per_vertebra=pairs_per_vertebra,
            verse=verse,
            config=config,
            base=networks,
            attention=attention,
            with_cal=with_cal,
            seed=seed,
            device=device,
            progress=bar,
            cancelled=interrupted,
        )
    return _last_word(networks, out, interrupted()) if is_first() else ""


def train_stage_3(
    cases: Sequence[Path],
    out: Path,
    *,
    base: Path,
    poses: Mapping[str, Path],
    minutes: float,
    seed: int,
    device: str,
) -> str:
    """Adapts a model to the X-rays of cases; returns what to tell.

    Raises:
        RadgsError: A file cannot be read or written, or nothing in the cases can be learned from.
    """
    check_output(out, [base])
    networks = load_networks(base)
    with ProgressBar(people_console(), "Adapting") as bar, _interruptible() as interrupted:
        bar(0.0, "Reading the cases")
        read = read_adaptation_cases(cases, poses)
        made = adapt(
            read,
            networks,
            out,
            minutes=minutes,
            seed=seed,
            device=device,
            progress=bar,
            cancelled=interrupted,
        )
    before_and_after = (
        f"Re-projection leaves {made.unexplained_after:.3f} of the X-rays' gradients over the vertebra unexplained, "
        f"{made.unexplained_before:.3f} before."
    )
    return "\n".join([_last_word(made.networks, out, interrupted()), before_and_after, *made.told])


class _Interrupted:
    """Whether Ctrl-C, or a signal to end, came: asking ends the work gently; a second one ends it at once."""

    def __init__(self) -> None:
        self.pressed = False

    def __call__(self) -> bool:
        return self.pressed

    def press(self, number: int, frame: FrameType | None) -> None:
        if self.pressed:
            raise KeyboardInterrupt
        self.pressed = True


@contextmanager
def _interruptible() -> Iterator[_Interrupted]:
    interrupted = _Interrupted()
    asking = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.signal(number, interrupted.press) for number in asking}
    try:
        yield interrupted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _last_word(networks: Networks, out: Path, interrupted: bool) -> str:
    accuracy = networks.accuracy
    said = [f"Stopped early; {out} holds the best so far." if interrupted else f"Written to {out}."]
    if neighbour := networks.record.get("base", {}).get("level"):
        said.append(f"It went on from the networks of {neighbour}.")
    said += networks.record.get("verse", {}).get("left_out", [])
    if accuracy is not None:
        said += [_measured(accuracy), *accuracy.diagnoses]
    return "\n".join(said)


def _measured(accuracy: Accuracy) -> str:
    return (
        f"On {accuracy.pairs} held-out simulated pairs: SSIM {accuracy.ssim_3d:.3f}, PSNR {accuracy.psnr_3d_db:.1f} dB "
        f"({accuracy.ssim_inside:.3f} and {accuracy.psnr_inside_db:.1f} dB inside the mask dilated by 3 mm); "
        f"mTRE {accuracy.kabsch_median_mm:.2f} mm by Kabsch, {accuracy.regm_median_mm:.2f} mm by RegM (medians)."
    )
