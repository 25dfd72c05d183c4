"""A transform in HDF5 (.h5) turned into ITK's text in a process of its own: a damaged file may end the process.

python -m radgs.io.transform_child FILE TEXT
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from radgs.child_processes import child_environment

MAX_SECONDS = 60


@contextmanager
def as_text(path: Path) -> Iterator[Path]:
    """A copy of a transform as .tfm, for as long as the context lasts; empty where ITK cannot read it."""
    with tempfile.TemporaryDirectory(prefix="radgs-") as folder:
        copy = Path(folder) / "transform.tfm"
        copy.touch()
        with suppress(subprocess.TimeoutExpired):
            subprocess.run(
                [sys.executable, "-m", "radgs.io.transform_child", str(path.resolve()), str(copy)],
                env=child_environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=MAX_SECONDS,
                check=False,
            )
        yield copy


if __name__ == "__main__":
    import SimpleITK

    SimpleITK.WriteTransform(SimpleITK.ReadTransform(sys.argv[1]), sys.argv[2])
