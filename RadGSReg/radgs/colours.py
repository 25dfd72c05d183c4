"""What a colour means, in every picture, plot, report and view; importing this costs nothing.

From Okabe and Ito's palette, and one from Tol's light scheme: told apart with every kind of colour vision, and light
enough for grey pictures.
A colour of a picture's lines stands for one thing: none of these is a verdict's.
"""

from __future__ import annotations

from collections.abc import Mapping

#: The vertebra where a registration began (drawn dashed), and where it ended (solid).
START = "#CC79A7"
RESULT = "#56B4E9"
#: Another pose beside the result: where a person moves it, or that of another run.
OTHER = "#BBCC33"
POSES: Mapping[str, str] = {"start": START, "result": RESULT, "nudged": OTHER, "compared": OTHER}

#: Vertebrae beside the one that is looked at, where the CT has them.
NEIGHBOUR = "#BBBBBB"

#: Edges of the vertebra that X-ray and DRR agree on, and those that they do not, to which the eye shall go first.
AGREEING, DOUBTFUL = "#0072B2", "#F0E442"

#: Over what an X-ray does not show.
UNMEASURED = "#808080"

#: What was planned in the CT, such as a screw.
PLAN = "#FFFFFF"

#: Of verdicts, as marks and badges in pictures and plots.
VERDICT_COLOURS: Mapping[str, str] = {"accept": "#009E73", "check": "#E69F00", "reject": "#D55E00"}

#: Of words, on a light background and on a dark one: a contrast of 4.5 : 1 at least (WCAG 2.1, 1.4.3).
WORD_COLOURS: Mapping[str, tuple[str, str]] = {
    "good": ("#176b31", "#7fd494"),
    "doubt": ("#a04d00", "#f5b041"),
    "bad": ("#b2182b", "#ff9a8f"),
    "faint": ("#5f5f5f", "#b8b8b8"),
    "link": ("#1f5f8b", "#7fc1f0"),
}
#: What a verdict is, as a word.
VERDICT_WORDS: Mapping[str, str] = {"accept": "good", "check": "doubt", "reject": "bad"}

#: Curves of one plot, in their order; and an area behind them.
SERIES_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
AREA_COLOUR = "#56B4E9"


def rgb(colour: str) -> tuple[float, float, float]:
    """Red, green and blue, 0..1, of a "#rrggbb"."""
    red, green, blue = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    return red, green, blue


#: Of a verdict's word in a terminal.
VERDICT_STYLES: Mapping[str, str] = {"accept": "bold green", "check": "bold yellow", "reject": "bold red"}
