"""What a self-calibration found of a view's geometry, as result.json and calibration.json hold it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from radgs.geometry import FloatArray, ViewGeometry, XRayView
from radgs.geometry.sigma import GeometrySigma
from radgs.io.calibrations.calibration_file import read_sigma
from radgs.io.json_fields import JsonObject

#: A move that is smaller than so many of its standard deviations is not told as a change.
TOLD_SIGMAS = 2.0


@dataclass(frozen=True)
class ViewMove:
    """How far a view was off in one way, and how uncertain that is (one standard deviation).

    Attributes:
        name: For programs.
        words: For people.
        unit: "mm" or "degrees".
        change: What was found, against what was believed.
        sigma: Its standard deviation.
    """

    name: str
    words: str
    unit: str
    change: float
    sigma: float

    @property
    def sentence(self) -> str:
        """For people."""
        return f"{self.words} by {self.change:+.2f} {self.unit} (standard deviation {self.sigma:.2f})"


@dataclass(frozen=True, eq=False)
class SelfCalibratedView:
    """A view whose geometry was solved for, the others held.

    Attributes:
        view: Its name.
        source_ras: (3,) where its source was found, RAS mm.
        detector_to_ras: (4, 4) where its detector was found.
        sigma: How uncertain both are.
        changed: (9,) of the source (mm), the detector's centre (mm) and its rotation (degrees), along the world's axes.
        moves: The same change in ways in which a C-arm is off.
        held: What the images tell little of, in words: it is no surer than it was believed to be.
        beyond_sigma: Whether the change is more than the geometry's uncertainty allows.
    """

    view: str
    source_ras: FloatArray
    detector_to_ras: FloatArray
    sigma: GeometrySigma
    changed: FloatArray
    moves: tuple[ViewMove, ...]
    held: tuple[str, ...]
    beyond_sigma: bool

    @property
    def sentences(self) -> tuple[str, ...]:
        """What changed and what was left, for people."""
        source, detector, turn = np.linalg.norm(self.changed.reshape(3, 3), axis=1)
        told = [move.sentence for move in self.moves if abs(move.change) > TOLD_SIGMAS * move.sigma]
        return (
            f"Self-calibration: the source of view {self.view} was moved by {source:.1f} mm, its detector by "
            f"{detector:.1f} mm and {turn:.2f} degrees; the other view was held.",
            f"Changed: {'; '.join(told)}." if told else "Nothing changed by more than its uncertainty.",
            *([f"The images tell too little of this to make it surer: {'; '.join(self.held)}."] if self.held else []),
        )

    def applied(self, views: Sequence[XRayView]) -> tuple[XRayView, ...]:
        """The views, with this one where it was found."""
        return tuple(
            replace(
                view,
                geometry=ViewGeometry(self.source_ras, self.detector_to_ras, view.geometry.shape),
                geometry_sigma=self.sigma,
            )
            if view.name == self.view
            else view
            for view in views
        )

    def to_json_dict(self) -> dict[str, Any]:
        """As result.json holds it."""
        source, detector, turn = np.round(self.changed.reshape(3, 3), 6).tolist()
        return {
            "view": self.view,
            "source_ras": self.source_ras.tolist(),
            "detector_to_ras": self.detector_to_ras.tolist(),
            "geometry_sigma": self.sigma.to_json_dict(),
            "changed": {"source_mm": source, "detector_mm": detector, "detector_deg": turn},
            "moves": [
                {
                    "name": move.name,
                    "words": move.words,
                    "unit": move.unit,
                    "change": round(move.change, 6),
                    "sigma": round(move.sigma, 6),
                }
                for move in self.moves
            ],
            "held": list(self.held),
            "beyond_sigma": self.beyond_sigma,
        }

    @classmethod
    def read(cls, entry: JsonObject) -> SelfCalibratedView:
        """What ``to_json_dict`` wrote.

        Raises:
            RadgsError: Of the object's kind: a field is missing or of a wrong type.
        """
        changed = entry.object("changed")
        sigma = read_sigma(entry)
        if sigma is None:
            raise entry.fail("geometry_sigma", "an object of standard deviations")
        return cls(
            view=entry.text("view"),
            source_ras=entry.numbers("source_ras", 3),
            detector_to_ras=entry.numbers("detector_to_ras", 4, 4),
            sigma=sigma,
            changed=np.concatenate([changed.numbers(key, 3) for key in ("source_mm", "detector_mm", "detector_deg")]),
            moves=tuple(
                ViewMove(
                    move.text("name"),
                    move.text("words"),
                    move.text("unit"),
                    move.number_or_nan("change"),
                    move.number_or_nan("sigma"),
                )
                for move in entry.objects("moves")
            ),
            held=tuple(entry.texts("held")),
            beyond_sigma=entry.flag("beyond_sigma", False),
        )
