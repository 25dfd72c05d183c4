"""Draws the extension's icon: a vertebra made of Gaussian blobs, seen from above, between two X-ray sources and films.

The films show the blobs' true line integrals. Run from the project's folder: ``python Resources/draw_icon.py``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[np.float64]

SIZE = 128
OVERSAMPLING = 4
NIGHT, DEEP = np.array([0.055, 0.085, 0.165]), np.array([0.085, 0.165, 0.285])
SHADOW, BONE, LIGHT = np.array([0.62, 0.36, 0.16]), np.array([0.97, 0.80, 0.52]), np.array([1.0, 0.98, 0.92])
BEAM = np.array([0.30, 0.85, 1.0])
FILM_AT = 0.86  # of the icon's width: where the films stand


def vertebra(rng: np.random.Generator) -> Array:
    """The blobs, one a row: x, y (unit square, y down), sigma, weight."""
    centre, radii = np.array([0.50, 0.380]), np.array([0.170, 0.125])
    turns = np.linspace(0, 2 * np.pi, 19, endpoint=False) + np.pi / 2
    rim = [(*(centre + radii * [np.cos(t), np.sin(t)]), 0.0205, 1.0) for t in turns]
    golden = np.pi * (3 - np.sqrt(5))  # sunflower: even spacing without rows
    inside = [
        (*(centre + 0.76 * np.sqrt((k + 0.5) / 24) * radii * [np.cos(k * golden), np.sin(k * golden)]), 0.0175, weight)
        for k, weight in enumerate(rng.uniform(0.55, 0.80, 24))
    ]
    arch = []
    for side in (-1, 1):
        arch += _bar((0.50 + side * 0.112, 0.502), (0.50 + side * 0.112, 0.545), 2, 0.023, 0.023)  # pedicle
        arch += _bar((0.50 + side * 0.130, 0.590), (0.50 + side * 0.295, 0.622), 5, 0.026, 0.018)  # transverse process
        arch += _bar((0.50 + side * 0.088, 0.622), (0.50 + side * 0.040, 0.668), 2, 0.024, 0.022)  # lamina
    arch += _bar((0.50, 0.705), (0.50, 0.812), 4, 0.023, 0.019)  # spinous process
    return np.array(rim + inside + arch)


def _bar(start: tuple[float, float], end: tuple[float, float], count: int, first: float, last: float) -> list:
    share = np.linspace(0, 1, count)
    return [
        (start[0] + s * (end[0] - start[0]), start[1] + s * (end[1] - start[1]), first + s * (last - first), 1.0)
        for s in share
    ]


def density(blobs: Array, x: Array, y: Array) -> Array:
    """The blobs' sum at the points."""
    total = np.zeros_like(x)
    for cx, cy, sigma, weight in blobs:
        total += weight * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * sigma**2))
    return total


def line_integrals(blobs: Array, source: Array, film: Array) -> Array:
    """Exact integrals along the rays from ``source`` to the points ``film`` (N, 2)."""
    direction = film - source
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    total = np.zeros(len(film))
    for cx, cy, sigma, weight in blobs:
        offset = np.array([cx, cy]) - source
        miss = direction[:, 0] * offset[1] - direction[:, 1] * offset[0]
        total += weight * sigma * np.sqrt(2 * np.pi) * np.exp(-(miss**2) / (2 * sigma**2))
    return total


def blend(image: Array, colour: Array, alpha: Array) -> Array:
    """The image under a layer of one colour (or a colour per pixel)."""
    return image + alpha[..., None] * (colour - image)


def view(image: Array, blobs: Array, x: Array, y: Array) -> Array:
    """Adds one X-ray view, its source above and its film below: beam, source, film with the blobs' projection."""
    source = np.array([0.50, 0.075])
    depth = np.clip((y - source[1]) / (FILM_AT - source[1]), 0, None)
    half_width = 0.335 * depth
    edge = 0.006
    inside = np.clip((half_width - np.abs(x - source[0])) / edge + 0.5, 0, 1) * (y > source[1]) * (y < FILM_AT)
    rim = np.exp(-(((np.abs(x - source[0]) - half_width) / 0.006) ** 2)) * (y > source[1]) * (y < FILM_AT)
    image = blend(image, BEAM, 0.13 * inside)
    image = blend(image, BEAM, 0.55 * rim)

    at = np.linspace(0.0, 1.0, 512)
    integrals = line_integrals(blobs, source, np.stack([at, np.full_like(at, FILM_AT)], axis=1))
    shade = np.interp(x, at, integrals / integrals.max())
    film = np.clip((0.345 - np.abs(x - 0.5)) / edge, 0, 1) * np.clip((0.026 - np.abs(y - FILM_AT - 0.026)) / edge, 0, 1)
    colour = NIGHT + shade[..., None] ** 1.4 * (LIGHT - NIGHT)
    image = blend(image, 0.25 * BEAM + 0.75 * colour, film)
    distance = np.hypot(x - source[0], y - source[1])
    image = blend(image, BEAM, 0.5 * np.exp(-((distance / 0.035) ** 2)))
    return blend(image, np.ones(3), np.clip((0.017 - distance) / edge + 0.5, 0, 1))


def draw() -> Image.Image:
    """The icon, 128 x 128, with transparent rounded corners."""
    n = SIZE * OVERSAMPLING
    y, x = (np.mgrid[0:n, 0:n] + 0.5) / n
    blobs = vertebra(np.random.default_rng(3))

    image = NIGHT + np.exp(-((x - 0.5) ** 2 + (y - 0.5) ** 2) / 0.12)[..., None] * (DEEP - NIGHT)
    image = view(image, blobs, x, y)
    # The second view is the first with the axes exchanged: source on the left, film on the right.
    image = view(image.transpose(1, 0, 2), blobs[:, [1, 0, 2, 3]], x, y).transpose(1, 0, 2)

    bone = density(blobs, x, y)
    tone = np.clip(bone / 1.18, 0, 1)[..., None]
    colour = np.where(tone < 0.5, SHADOW + 2 * tone * (BONE - SHADOW), BONE + (2 * tone - 1) * (LIGHT - BONE))
    image = blend(image, colour, np.clip(bone / 0.50, 0, 1) ** 1.3)

    corner = 0.19
    outside = np.hypot(np.maximum(np.abs(x - 0.5) - (0.5 - corner), 0), np.maximum(np.abs(y - 0.5) - (0.5 - corner), 0))
    alpha = np.clip((corner - outside) * n + 0.5, 0, 1)
    pixels = np.dstack([np.clip(image, 0, 1), alpha])
    return Image.fromarray((pixels * 255).round().astype(np.uint8), "RGBA").resize(
        (SIZE, SIZE), Image.Resampling.LANCZOS
    )


def main() -> None:
    """Writes the extension's and the module's icon, which are the same."""
    project = Path(__file__).resolve().parent.parent
    icon = draw()
    for target in (project / "Resources/RadGSReg.png", project / "RadGSReg/Resources/Icons/RadGSReg.png"):
        icon.save(target, optimize=True)


if __name__ == "__main__":
    main()
