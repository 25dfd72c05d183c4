"""Many registrations in one worker: does its memory stay flat?

python Testing/benchmarks/steady_worker.py --registrations 500
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np

#: Registrations at the beginning that fill caches and pools, before memory is compared.
WARMING_UP = 10
#: What one registration may add from then on, MB: a leak of a picture or a crop would be more.
MAX_GROWTH_MB = 0.2


def resident_mb(process: int) -> float:
    """The memory a process holds, MB."""
    for line in Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no VmRSS")


def main() -> int:
    """Returns the exit status: 0 when memory stayed flat."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--registrations", type=int, default=500)
    parser.add_argument("--overlays", action="store_true", help="draw the pictures each time")
    options = parser.parse_args()
    worker = subprocess.Popen(
        [sys.executable, "-u", "-m", "radgs.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert worker.stdin is not None
    assert worker.stdout is not None
    used, began = [], time.perf_counter()
    with (
        as_file(files("radgs").joinpath("data", "demo", "case.json")) as case,
        tempfile.TemporaryDirectory() as scratch,
    ):
        for number in range(options.registrations):
            request = {"id": number, "command": "register", "case": str(case), "out": str(Path(scratch, "result"))}
            worker.stdin.write((json.dumps({**request, "overlays": options.overlays}) + "\n").encode())
            worker.stdin.flush()
            answer = {"type": ""}
            while answer["type"] not in ("result", "error"):
                answer = json.loads(worker.stdout.readline())
            if answer["type"] == "error":
                print(answer, file=sys.stderr)
                return 1
            used.append(resident_mb(worker.pid))
            if number % 10 == 9:
                print(f"{number + 1:4d}  {used[-1]:.0f} MB", flush=True)
        worker.stdin.close()
        worker.wait()
    kept = np.array(used[WARMING_UP:])
    growth = float(np.polyfit(np.arange(len(kept)), kept, 1)[0]) if len(kept) > 1 else 0.0
    seconds = (time.perf_counter() - began) / options.registrations
    print(
        f"{options.registrations} registrations, {seconds:.1f} s each; after the first {WARMING_UP}: "
        f"{kept.min():.0f} to {kept.max():.0f} MB, {1000 * growth:.0f} kB more per registration"
    )
    return 0 if growth < MAX_GROWTH_MB else 1


if __name__ == "__main__":
    sys.exit(main())
