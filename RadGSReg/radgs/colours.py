"""What a colour means, in every picture, report and view; verdicts have theirs with the verdict's own pictures.

All are from Okabe and Ito's palette, told apart with every kind of colour vision and light enough for grey pictures.
A colour stands for one thing: none of these is a verdict's.
"""

from __future__ import annotations

from collections.abc import Mapping

#: The vertebra where a registration began (drawn dashed), and where it ended (solid).
START = "#CC79A7"
RESULT = "#56B4E9"
POSES: Mapping[str, str] = {"start": START, "result": RESULT}

#: Vertebrae beside the one that is looked at, where the CT has them.
NEIGHBOUR = "#BBBBBB"

#: Edges of the vertebra that X-ray and DRR agree on, and those that they do not, to which the eye shall go first.
AGREEING, DOUBTFUL = "#0072B2", "#F0E442"

#: What was planned in the CT, such as a screw.
PLAN = "#FFFFFF"


def rgb(colour: str) -> tuple[float, float, float]:
    """Red, green and blue, 0..1, of a "#rrggbb"."""
    red, green, blue = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    return red, green, blue
