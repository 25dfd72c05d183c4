"""Converting pixel values to line integrals, and finding out what kind of values they are.

The registration compares gradients with a free gain per view, so any curve that rises steadily with the line integral
serves it; what must be right is the sense (bone up), and that contrast is not lost in the dense parts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from radgs.errors import InputFileError
from radgs.geometry.field_of_measurement import find_field

PixelType = Literal["intensity", "attenuation", "display", "auto"]
KnownPixelType = Literal["intensity", "attenuation", "display"]

PIXEL_TYPES: tuple[str, ...] = get_args(PixelType)

#: The smallest transmission told from none, e^-9.2: what a detector can still measure behind bone and soft tissue.
TRANSMISSION_FLOOR = 1e-4

#: Line integrals spread over the range of a display image: air to the spine of an adult seen from the side.
DISPLAY_SPAN = 5.0

#: Line integrals of a patient reach this range; more or less is some other quantity.
LINE_INTEGRAL_RANGE = (1.5, 20.0)

#: Correlation of brightness with the distance from the middle, and the length of the tail above the median over that
#: below it, that tell how bone shows. On rendered spines of a real CT and a phantom (AP, oblique, lateral, collimated
#: or not) intensities have tails of 1.1-39, line integrals and display values of 0.4-1.2.
SIDEWAYS_TREND, DARK_BONE_TAIL, BRIGHT_BONE_TAIL = 0.3, 2.0, 1.1

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
        if low == high:
            low, high = float(values.min()), float(values.max())
        image = (values - low) * (DISPLAY_SPAN / (high - low))
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
    """Tells the kind of pixel values from their range and from where the image is bright.

    Args:
        values: (H, W) finite pixel values.

    Returns:
        The kind, and the reason as a phrase.

    Raises:
        InputFileError: The image does not tell; the message is the question to answer.
    """
    bone = bone_sense(values)
    low, high = float(values.min()), float(np.percentile(values, 99.9))
    real = values.dtype.kind == "f" and bool((values != np.round(values)).any())
    if real and LINE_INTEGRAL_RANGE[0] <= high <= LINE_INTEGRAL_RANGE[1] and low > -1.0:
        if bone == "bright":
            return "attenuation", f"guessed: real numbers up to {high:.2g}, bone bright"
    elif bone == "dark" and low >= 0:
        return "intensity", "guessed: bone dark, and few pixels far brighter than the rest, as exposure falls off"
    elif bone == "bright":
        return "display", "guessed: bone bright, and no such bright tail as exposures have"
    raise InputFileError("The image does not tell whether bone is bright or dark in it.", QUESTION)


def bone_sense(values: NDArray) -> Literal["bright", "dark", "unclear"]:
    """Whether bone is bright or dark in an X-ray of a spine, where two signs agree.

    Away from the spine, which stands in the middle, there is less to pass: towards the sides an image grows darker
    where bone is bright, and brighter where bone is dark. And exposure falls off exponentially, so that where bone is
    dark, bright pixels stretch far above the median; their logarithm, where bone is bright, has the longer tail below.
    What lies beyond the field of measurement says nothing.
    """
    # The darkest bone of an exposure lies close to black; its logarithm does not.
    spread = np.log(values + 1e-2 * np.percentile(values, 99)) if values.min() >= 0 else values
    field = find_field(spread, dense_is_high=None)
    rows, columns = (np.flatnonzero(field.any(axis=axis)) for axis in (1, 0))
    if min(rows.size, columns.size) < 8:
        return "unclear"
    window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    inside = np.ma.masked_array(values[window].astype(np.float64), ~field[window])
    lowest, median, highest = np.percentile(inside.compressed(), [2, 50, 98])
    profile = np.ma.median(inside, axis=0).filled(median)
    if not lowest < median < highest or profile.max() == profile.min():
        return "unclear"
    tail = (highest - median) / (median - lowest)
    sideways = np.corrcoef(np.abs(np.linspace(-1, 1, profile.size)), profile)[0, 1]
    if sideways > SIDEWAYS_TREND and tail > DARK_BONE_TAIL:
        return "dark"
    if sideways < -SIDEWAYS_TREND and tail < BRIGHT_BONE_TAIL:
        return "bright"
    return "unclear"
