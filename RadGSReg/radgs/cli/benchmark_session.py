"""``radgs benchmark --full`` on a terminal."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from radgs.cli.console import ProgressBar, people_console
from radgs.evaluation.full.session import FullRequest, parse_share, run_full_benchmark
from radgs.pipeline.result_folder import prepare_folder


def full_benchmark(
    out: Path,
    config: Path | None,
    seed: int | None,
    real_ct: Path | None,
    only: tuple[str, ...],
    most: int | None,
    share: str,
    minutes: float | None,
    report_only: bool,
    device: str,
) -> str:
    """Runs what is due with a progress bar; what to say at the end.

    Raises:
        InputFileError: An option, the config or the folder is not what it should be.
    """
    prepare_folder(out)
    request = FullRequest(
        folder=out,
        config=config,
        seed=seed,
        real_ct=real_ct,
        only=only,
        most=most,
        share=parse_share(share),
        minutes=minutes,
        report_only=report_only,
        device=device,
        command=_command(),
    )
    with ProgressBar(people_console(), "Benchmark") as progress:
        report = run_full_benchmark(request, progress)
    return f"Written to {report}."


def _command() -> str:
    """What was called, without the folders of this machine."""
    words, hidden = ["radgs"], False
    for word in sys.argv[1:]:
        words.append(Path(word).name if hidden else word)
        hidden = word in ("--out", "--real-ct", "--config")
    return shlex.join(words)
