"""From pixel values to line integrals, and what kind of values they are.

The registration compares gradients with a free gain per view, so any curve that rises steadily with the line integral
serves it; what must be right is the sense (bone up), and that contrast is not lost in the dense parts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from radgs.errors import InputFileError

PixelType = Literal["intensity", "attenuation", "display", "auto"]
KnownPixelType = Literal["intensity", "attenuation", "display"]

PIXEL_TYPES: tuple[str, ...] = get_args(PixelType)

#: The smallest transmission told from none, e^-9.2: what a detector can still measure behind bone and soft tissue.
TRANSMISSION_FLOOR = 1e-4

#: Line integrals spread over the range of a display image: air to the spine of an adult seen from the side.
DISPLAY_SPAN = 5.0

#: Line integrals of a patient reach this range; more or less is some other quantity.
LINE_INTEGRAL_RANGE = (1.5, 20.0)

#: The border must differ from the middle by this share of the image's range before a film's sense is called known.
POLARITY_MARGIN = 0.12

QUESTION = (
    'Which is it? Set its pixel_type: "intensity" (more exposure = larger), "display" (bone bright) or '
    '"attenuation" (line integrals).'
)


@dataclass(frozen=True, eq=False)
class LineIntegrals:
    """An X-ray ready for the engine.

    Attributes:
        image: (H, W) float32 line integrals, 0 = air.
        conversion: How they came about, in one sentence.
    """

    image: NDArray[np.float32]
    conversion: str


def to_line_integrals(values: NDArray, pixel_type: KnownPixelType, because: str) -> LineIntegrals:
    """Turns pixel values of a known kind into line integrals.

    Args:
        values: (H, W) finite pixel values.
        pixel_type: What they are.
        because: Who said so, e.g. "as stated"; ends the recorded sentence.
    """
    if pixel_type == "attenuation":
        return LineIntegrals(values.astype(np.float32), f"line integrals as given ({because})")
    if pixel_type == "display":
        low, high = np.percentile(values, [0.1, 99.9])
        image = (values - low) * (DISPLAY_SPAN / max(high - low, np.finfo(np.float64).tiny))
        how = f"display values {low:.6g} to {high:.6g} scaled to 0 to {DISPLAY_SPAN:g}, their curve unknown ({because})"
        return LineIntegrals(image.astype(np.float32), how)
    unattenuated = open_beam_level(values)
    floor = unattenuated * TRANSMISSION_FLOOR
    if values.dtype.kind in "iu":
        floor = max(floor, 0.5)  # half a grey level: zero counts are dark, not infinitely dense
    image = -np.log(np.maximum(values, floor) / unattenuated)
    return LineIntegrals(image.astype(np.float32), f"intensities I to -log(I / {unattenuated:.6g}) ({because})")


def open_beam_level(values: NDArray) -> float:
    """The intensity of the unattenuated beam: the 99.9th percentile, with pixels at the saturation level set apart.

    Raises:
        InputFileError: No intensity is positive.
    """
    positive = values[values > 0]
    if positive.size == 0:
        raise InputFileError("The image has no positive intensity.", QUESTION)
    saturation = positive.max()
    below = positive[positive < saturation]
    # Where the clipped area is large, the beam there was at least that strong; elsewhere single hot pixels are not it.
    if below.size == 0 or below.size < 0.98 * positive.size:
        return float(saturation)
    return float(np.percentile(below, 99.9))


def guess_pixel_type(values: NDArray) -> tuple[KnownPixelType, str]:
    """Tells the kind of pixel values from their range and from the image's border, where air and skin are.

    Args:
        values: (H, W) finite pixel values.

    Returns:
        The kind, and the reason as a phrase.

    Raises:
        InputFileError: The image does not tell; the message is the question to answer.
    """
    sense = border_sense(values)
    real = values.dtype.kind == "f" and bool((values != np.round(values)).any())
    high = float(np.percentile(values, 99.9))
    if real and LINE_INTEGRAL_RANGE[0] <= high <= LINE_INTEGRAL_RANGE[1] and float(values.min()) > -1.0:
        if sense == "dark":
            return "attenuation", f"guessed: real numbers up to {high:.2g}, dark at the border"
    elif sense == "bright" and float(values.min()) >= 0:
        return "intensity", "guessed: bright at the border, as unattenuated beam is"
    elif sense == "dark":
        return "display", "guessed: dark at the border, as air is where bone is bright"
    raise InputFileError("The image does not tell whether bone is bright or dark in it.", QUESTION)


def border_sense(values: NDArray) -> Literal["bright", "dark", "unclear"]:
    """Whether the image's left and right border is brighter or darker than its middle.

    The spine stands in the middle, and beside it tissue thins out. Collimated borders, of one constant value, are left
    out.
    """
    low, high = np.percentile(values, [1.0, 99.0])
    if high <= low:
        return "unclear"
    shuttered = _collimated(values)
    rows, columns = values.shape
    border = np.zeros(values.shape, dtype=bool)
    width = max(1, columns // 10)
    open_columns = np.flatnonzero(~shuttered.all(axis=0))
    if open_columns.size < 4 * width:
        return "unclear"
    border[:, open_columns[:width]] = True
    border[:, open_columns[-width:]] = True
    middle = np.zeros(values.shape, dtype=bool)
    centre = open_columns[open_columns.size // 3 : -(open_columns.size // 3)]
    middle[rows // 4 : rows - rows // 4, centre] = True
    outside, inside = values[border & ~shuttered], values[middle & ~shuttered]
    if outside.size == 0 or inside.size == 0:
        return "unclear"
    difference = (np.median(outside) - np.median(inside)) / (high - low)
    if abs(difference) < POLARITY_MARGIN:
        return "unclear"
    return "bright" if difference > 0 else "dark"


def _collimated(values: NDArray) -> NDArray[np.bool_]:
    """Pixels in rows or columns at the border that hold one single value throughout."""
    shuttered = np.zeros(values.shape, dtype=bool)
    for axis in (0, 1):
        constant = values.max(axis=axis) == values.min(axis=axis)
        leading = np.cumprod(constant).astype(bool)
        trailing = np.cumprod(constant[::-1]).astype(bool)[::-1]
        lines = leading | trailing
        if axis == 0:
            shuttered[:, lines] = True
        else:
            shuttered[lines, :] = True
    return shuttered
