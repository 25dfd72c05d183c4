"""Why the networks' poses are off: the two failure signatures that the method's description names.

A ghosted or blurred reconstruction means that attention fails: RecM took its features from the wrong places, and no
registration can mend that. A good reconstruction with a pose far off means that RegM over-fitted to simulation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

#: Ghosted: more than this share of the attenuation lies away from the vertebra. Networks prepared for a vertebra leave
#: 1 to 5 % there, generic ones on a patient unlike any they saw 16 %, with poses 9 mm off (ten pairs of a real T12).
GHOSTED = 0.15
#: Blurred: near the vertebra the reconstruction resembles it less than this (Pearson).
BLURRED = 0.3
#: Good: no more ghosts than this, and at least this like the vertebra.
GOOD_GHOSTS, GOOD_CORRELATION = 0.05, 0.5
#: RegM's pose is far off beyond this, mm.
FAR_MM = 5.0


@dataclass(frozen=True)
class Signs:
    """What a diagnosis rests on, of one pair or one trial.

    Attributes:
        ghost_share: Share of the reconstructed attenuation away from the vertebra, 0 to 1.
        correlation: Of reconstruction and vertebra, near it.
        regm_mm: mTRE of RegM's pose.
    """

    ghost_share: float
    correlation: float
    regm_mm: float


@dataclass(frozen=True)
class Diagnosis:
    """A finding about a set of pairs.

    Attributes:
        code: "attention" or "regm_over_fitted".
        share: Of the pairs, 0 to 1.
        message: What was found, and what to do about it.
    """

    code: str
    share: float
    message: str


def is_ghosted(signs: Signs) -> bool:
    """Ghosts or blur: attention failed."""
    return signs.ghost_share > GHOSTED or not signs.correlation >= BLURRED


def is_over_fitted(signs: Signs) -> bool:
    """A good reconstruction, and yet a pose far off."""
    good = signs.ghost_share <= GOOD_GHOSTS and signs.correlation >= GOOD_CORRELATION
    return good and signs.regm_mm > FAR_MM


def diagnose(pairs: Sequence[Signs], least_share: float = 0.2) -> tuple[Diagnosis, ...]:
    """What ails the networks, worst first; nothing where neither signature shows in enough pairs.

    Args:
        pairs: At least one.
        least_share: A signature seen in fewer of the pairs than this is no diagnosis.
    """
    ghosted = float(np.mean([is_ghosted(signs) for signs in pairs]))
    over_fitted = float(np.mean([is_over_fitted(signs) for signs in pairs]))
    found = [
        Diagnosis(
            "attention",
            ghosted,
            f"{ghosted:.0%} of the reconstructions are ghosted or blurred: attention fails. Look at the attention "
            "maps, and prepare networks for this vertebra, or prepare them longer.",
        ),
        Diagnosis(
            "regm_over_fitted",
            over_fitted,
            f"{over_fitted:.0%} of the reconstructions are good, yet RegM's pose is off by more than {FAR_MM:.0f} mm: "
            "RegM over-fitted to its training. Trust Kabsch's pose more, and train RegM on other data.",
        ),
    ]
    shown = [diagnosis for diagnosis in found if diagnosis.share >= least_share]
    return tuple(sorted(shown, key=lambda diagnosis: diagnosis.share, reverse=True))
