"""Knocks at doors for ``fuzz.py``: one input a line on stdin, one outcome a line on stdout, in bounded memory."""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
import time
import traceback
import warnings
from pathlib import Path

from doors import DOORS, damaged_input

from radgs.errors import RadgsError


def main(seed: int, examples: Path, folder: Path, most_bytes: int) -> None:
    """Serves until stdin ends."""
    warnings.simplefilter("ignore")
    doors = {door.name: door for door in DOORS}
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libraries print what they think of a damaged file
    resource.setrlimit(resource.RLIMIT_DATA, (most_bytes, most_bytes))
    for line in sys.stdin:
        name, number = json.loads(line)
        place = folder / str(os.getpid())
        place.mkdir(parents=True, exist_ok=True)
        path = damaged_input(doors[name], number, seed, examples, place)
        began = time.perf_counter()
        detail = ""
        try:
            contradiction = doors[name].read(path)
            outcome = "read" if contradiction is None else "wrong"
            detail = contradiction or ""
        except RadgsError as error:
            outcome, detail = "refused", error.problem
        except BaseException:
            outcome, detail = "internal", traceback.format_exc()[-1500:]
        answer = {
            "outcome": outcome,
            "detail": detail,
            "seconds": time.perf_counter() - began,
            "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
        answers.write(json.dumps(answer) + "\n")
        if name != "case" or outcome == "internal":
            shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
