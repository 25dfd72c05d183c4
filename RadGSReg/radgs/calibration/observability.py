"""Which directions of a view's numbers the images tell, which they do not, and how the latter are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radgs.calibration.view_moves import MOVE_NAMES, MOVES

#: A direction is solved for where the images know it this many times as well as the prior does (as variances): where
#: what remains uncertain is half of what was believed, or less; of a view that was read off a display, a third.
#: Images are wrong by more than their noise: a tenth of a millimetre counterfeits 15 mm of a source-detector distance.
KNOWN_BETTER, KNOWN_BETTER_THAN_NOMINAL = 3.0, 9.0
#: A move gives its name to a direction of which it makes up this share, and at least half of the largest share.
NAMED_SHARE = 0.15
#: How stiffly a direction is held, of the prior's own precision.
HELD = 1e6


@dataclass(frozen=True, eq=False)
class Observability:
    """What images and prior know of a view's nine numbers.

    Attributes:
        covariance: (9, 9) of the numbers; what is held is as uncertain as it was believed to be.
        held: (9, K) directions that stay where they are believed to be, one standard deviation each.
        root: (9, 9) of the prior's covariance.
        known: (9,) which directions the images tell.
    """

    covariance: NDArray[np.float64]
    held: NDArray[np.float64]
    root: NDArray[np.float64]
    known: NDArray[np.bool_]

    @classmethod
    def of(
        cls, information: NDArray[np.float64], prior: NDArray[np.float64], known_better: float = KNOWN_BETTER
    ) -> Observability:
        """From the images' (9, 9) information and the prior's (9, 9) covariance.

        Args:
            information: The images', all poses free.
            prior: Of the numbers as they are believed.
            known_better: How many times as well the images must know a direction for it to be solved for.
        """
        root: NDArray[np.float64] = np.linalg.cholesky(prior).astype(np.float64)
        ratios, directions = np.linalg.eigh(root.T @ information @ root)
        ratios = np.maximum(ratios, 0.0).astype(np.float64)
        known = ratios >= known_better
        scaled = root @ directions
        covariance = (scaled * np.where(known, 1.0 / (1.0 + ratios), 1.0)) @ scaled.T
        return cls(covariance, scaled[:, ~known], root, known)

    @property
    def holding(self) -> NDArray[np.float64]:
        """(9, 9) precision that keeps the held directions where they are believed to be."""
        whitened = np.linalg.solve(self.root, self.held)
        inverse = np.linalg.inv(self.root)
        return HELD * inverse.T @ whitened @ whitened.T @ inverse


def names_of(
    held: NDArray[np.float64], prior: NDArray[np.float64], directions: NDArray[np.float64], sizes: Mapping[str, float]
) -> tuple[str, ...]:
    """The words for the moves that held directions consist of, each once, in the order of ``MOVES``.

    Args:
        held: (9, K) directions, one standard deviation each.
        prior: (9, 9) covariance.
        directions: (9, M) how the moves change the numbers.
        sizes: How far off each move is believed to be.
    """
    shares = np.abs(as_moves(held, prior, directions, sizes)) ** 2 / _squares(sizes)[:, None]
    largest = shares.max(axis=0, initial=0.0)
    named = ((shares >= NAMED_SHARE) & (shares >= largest / 2)) | ((shares == largest) & (largest > 0))
    return tuple(move.words for move, is_named in zip(MOVES, named.any(axis=1), strict=True) if is_named)


def as_moves(
    change: NDArray[np.float64], prior: NDArray[np.float64], directions: NDArray[np.float64], sizes: Mapping[str, float]
) -> NDArray[np.float64]:
    """The likeliest moves (M, ...) that make up a change of the numbers (9, ...), mm or degrees."""
    return _squares(sizes)[:, None] * directions.T @ np.linalg.solve(prior, change)


def _squares(sizes: Mapping[str, float]) -> NDArray[np.float64]:
    return np.array([sizes[name] for name in MOVE_NAMES]) ** 2
