"""Draws the Sample Data module's picture of the phantom: its two X-rays, bone bright, side by side.

Run from the project's folder: ``PYTHONPATH=RadGSReg python Resources/draw_thumbnail.py``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from radgs.case import RegistrationCase

PROJECT = Path(__file__).resolve().parents[1]
#: As Slicer's module template asks for, about.
WIDTH, HEIGHT, GAP = 280, 260, 4


def film(image: NDArray) -> Image.Image:
    """The middle of an X-ray, as high as the picture and half as wide; line integrals, so that bone is bright."""
    low, high = np.percentile(image, [5, 99.7])
    grey = (np.clip((image - low) / (high - low), 0, 1) * 255).astype(np.uint8)
    size = ((WIDTH - GAP) // 2, HEIGHT)
    rows, columns = grey.shape
    wide = round(rows * size[0] / size[1])
    left = (columns - wide) // 2
    return Image.fromarray(grey[:, left : left + wide]).resize(size, Image.Resampling.LANCZOS)


def main() -> None:
    """Writes the picture into the module's resources."""
    case = RegistrationCase.load(PROJECT / "RadGSReg" / "radgs" / "data" / "demo" / "case.json")
    picture = Image.new("L", (WIDTH, HEIGHT))
    for number, view in enumerate(case.views):
        picture.paste(film(view.image), (number * (WIDTH + GAP) // 2, 0))
    picture.save(PROJECT / "RadGSReg" / "Resources" / "Icons" / "RadGSRegPhantom.png", optimize=True)


if __name__ == "__main__":
    main()
