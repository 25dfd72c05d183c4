"""Reading HDF5 files by h5py, which nothing else here needs; what is not there is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radgs.errors import InputFileError
from radgs.geometry import FloatArray
from radgs.io.input_files import open_input


@dataclass(frozen=True)
class Group:
    """A group of an open file.

    Attributes:
        path: The file's.
        held: h5py's own.
        place: Where it is in the file.
    """

    path: Path
    held: Any
    place: str = ""

    def __contains__(self, name: str) -> bool:
        return name in self.held

    def names(self) -> list[str]:
        """What it holds."""
        return sorted(self.held)

    def group(self, name: str) -> Group:
        """A group within it.

        Raises:
            InputFileError: There is none.
        """
        found = self._found(name)
        if not hasattr(found, "keys"):
            raise self._wrong(name, "a group")
        return Group(self.path, found, f"{self.place}/{name}")

    def array(self, name: str, *shape: int) -> NDArray:
        """A dataset's finite numbers.

        Args:
            name: The dataset's.
            shape: What they are reshaped to: as many numbers, whatever the file's own dimensions of length one; all of
                the file's dimensions, if left out.

        Raises:
            InputFileError: There is no such dataset, or it holds something else.
        """
        found = self._found(name)
        expected = " x ".join(map(str, shape)) + " finite numbers" if shape else "finite numbers"
        if not hasattr(found, "dtype") or found.dtype.kind not in "iuf":
            raise self._wrong(name, expected)
        try:
            values = np.asarray(found[()])
        except (OSError, RuntimeError) as problem:
            raise InputFileError(f"{self.path}: {self.place}/{name} is damaged.", "Get the file again.") from problem
        if (shape and values.size != int(np.prod(shape))) or not np.isfinite(values).all():
            raise self._wrong(name, expected)
        return values.reshape(shape) if shape else values

    def numbers(self, name: str, *shape: int) -> FloatArray:
        """The same, as real numbers of double precision."""
        return self.array(name, *shape).astype(np.float64)

    def number(self, name: str) -> float:
        """One number."""
        return float(self.array(name, 1)[0])

    def text(self, name: str) -> str:
        """A text.

        Raises:
            InputFileError: There is none.
        """
        found = self._found(name)
        value = found[()] if hasattr(found, "dtype") else None
        value = value.item() if isinstance(value, np.ndarray) and value.size == 1 else value
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        if not isinstance(value, str):
            raise self._wrong(name, "a text")
        return value

    def _found(self, name: str) -> Any:
        try:
            return self.held[name]
        except (KeyError, OSError, RuntimeError) as problem:
            raise InputFileError(
                f"{self.path} has no {self.place}/{name}.", "Give the file as it was published, unchanged."
            ) from problem

    def _wrong(self, name: str, expected: str) -> InputFileError:
        return InputFileError(
            f"{self.path}: {self.place}/{name} is not {expected}.", "Give the file as it was published, unchanged."
        )


@contextmanager
def opened(path: Path) -> Iterator[Group]:
    """An HDF5 file, open for reading.

    Raises:
        InputFileError: h5py is not installed, or the file is missing or no HDF5.
    """
    open_input(path).close()
    try:
        import h5py
    except ImportError as problem:
        raise InputFileError("HDF5 files are read by h5py, which is not installed.", "pip install h5py") from problem
    try:
        file = h5py.File(path, "r")
    except OSError as problem:
        raise InputFileError(f"{path} is no HDF5 file that can be read.", "Get the file again.") from problem
    with file:
        yield Group(path, file)
