"""Where a reason for a verdict can be seen: which pictures, compared how, or which of the inputs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from slicer.i18n import tr as _

Place = Literal["pictures", "inputs", "clicks"]


@dataclass(frozen=True)
class WhereToLook:
    """A place to look at.

    Attributes:
        what: What is to be seen there, a sentence in the user's language.
        place: The pictures, the section with the inputs, or the one with the clicks.
        mode: Of the pictures, how X-ray and DRR are compared: one of ``review.comparison.MODES``.
        pose: Of the pictures, "start" or "result".
        uncertainty: Whether the 3D view shows how uncertain the pose is.
        reconstruction: Whether 3D view and slices show the reconstruction over the CT.
        films: Whether the slice views show the whole films.
    """

    what: str
    place: Place = "pictures"
    mode: str = "blend"
    pose: str = "result"
    uncertainty: bool = False
    reconstruction: bool = False
    films: bool = False


def where_to_look(code: str) -> WhereToLook | None:
    """Where a reason with this code can be seen; None for a code of another version's."""
    return _places().get(code)


def views_named(message: str, views: Iterable[str]) -> list[str]:
    """Which of the views a reason speaks of, by their names."""
    return [view for view in views if re.search(rf"(?<!\w){re.escape(view)}(?!\w)", message)]


def _places() -> dict[str, WhereToLook]:
    return {
        "uncertain": WhereToLook(
            _("The ellipsoids in 3D show how far the vertebra may be off"), mode="blend", uncertainty=True
        ),
        "dissimilar": WhereToLook(_("Edges in yellow do not fit"), mode="agreement"),
        "indistinct": WhereToLook(_("Does the X-ray show the vertebra's edges where the DRR has them?"), mode="edges"),
        "beaten": WhereToLook(_("What jumps between X-ray and DRR does not fit"), mode="flicker"),
        "articulation": WhereToLook(
            _("The neighbours' grey contours stand as in the CT: do they lie on their bones?"), mode="split"
        ),
        "level": WhereToLook(_("Count the vertebrae on the whole films: is it this level?"), films=True),
        "other_level": WhereToLook(_("Count the vertebrae on the whole films: is it this level?"), films=True),
        "stray": WhereToLook(_("Where it began: the result lies far from here"), mode="blend", pose="start"),
        "disagreement": WhereToLook(
            _("The reconstruction over the CT, yellow: does it lie on the vertebra?"), reconstruction=True
        ),
        "mirrored": WhereToLook(
            _("Are left and right, head and feet where the letters say, on every film?"),
            mode="checkerboard",
            films=True,
        ),
        "views": WhereToLook(_("In which direction is the vertebra off in each view?"), mode="difference"),
        "identity": WhereToLook(_("Whose CT and X-rays are these?"), place="inputs"),
        "dates": WhereToLook(_("Are CT and X-rays of the same time?"), place="inputs"),
        "self_calibrated": WhereToLook(_("Does this view fit now that its geometry was changed?"), mode="difference"),
        "header": WhereToLook(_("Is this view's geometry right?"), place="inputs"),
        "no_frame": WhereToLook(_("Does the segment hold the whole vertebra, arch and processes too?"), place="inputs"),
        "no_reconstruction": WhereToLook(_("Do the clicks lie on the vertebral body in both views?"), place="clicks"),
    }
