"""The patients that generic networks are trained on: which spines, how ill, how scanned, with what probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from radgs.phantom.extent import Extent
from radgs.phantom.pathology import Fracture, Pathology
from radgs.phantom.spine import PhantomSpine, make_spine

#: Counts up when a seed comes to mean another anatomy: pairs made before are not of these patients. 2: a back that
#: follows the spine, a column that stands over its sacrum, breaths up to full inspiration.
ANATOMY = 2
#: Highest and lowest whole level, and how often each part of the spine is drawn.
PARTS = (("T5", "T9", 0.25), ("T10", "L2", 0.35), ("L1", "L5", 0.40))
#: Of the spines that show the sacrum, this share have six lumbar vertebrae.
SIX_LUMBAR = 0.10
#: Shares of spines with fractures, with a pair of fused levels, with pedicle screws, and with a marked scoliosis.
FRACTURED, FUSED, SCREWED, SCOLIOTIC = 0.35, 0.12, 0.12, 0.20
#: One, two or three fractures; and their kinds.
FRACTURES = (0.6, 0.3, 0.1)
KINDS = {"wedge": 0.6, "biconcave": 0.25, "crush": 0.15}


@dataclass(frozen=True, eq=False)
class Variant:
    """One patient, before any voxel is drawn.

    Attributes:
        seed: The patient's.
        extent: Which part of the spine their CT shows.
        pathology: What is wrong with it.
        screws: Levels with pedicle screws.
        arguments: The rest of ``make_spine``'s.
    """

    seed: int
    extent: Extent
    pathology: Pathology
    screws: tuple[str, ...]
    arguments: dict[str, Any]

    @classmethod
    def drawn(cls, seed: int) -> Variant:
        """The patient of a seed."""
        rng = np.random.default_rng([seed, 1])
        part = rng.choice(len(PARTS), p=[share for _, _, share in PARTS])
        top, bottom, _ = PARTS[part]
        six = bottom == "L5" and rng.uniform() < SIX_LUMBAR
        extent = Extent.between(top, "L6" if six else bottom, six_lumbar=bool(six))
        osteoporosis = float(rng.uniform() ** 1.5)
        likely = FRACTURED * (0.4 + 1.5 * osteoporosis)  # its mean over all is FRACTURED
        fractures = _fractures(extent.whole, rng) if rng.uniform() < likely else {}
        at = int(rng.integers(len(extent.whole) - 1))
        fused = (extent.whole[at],) if rng.uniform() < FUSED else ()
        count = int(rng.integers(2, 4))
        first = int(rng.integers(len(extent.whole) - count + 1))
        screws = extent.whole[first : first + count] if rng.uniform() < SCREWED else ()
        marked = rng.uniform() < SCOLIOTIC
        scoliosis = rng.choice([-1, 1]) * rng.uniform(15.0, 45.0) if marked else rng.normal(0.0, 7.0)
        in_plane = float(rng.uniform(0.9, 1.5))
        return cls(
            seed,
            extent,
            Pathology(fractures, fused),
            screws,
            {
                "spacing_mm": (in_plane, in_plane, float(rng.uniform(1.0, 2.5))),
                "osteoporosis": osteoporosis,
                "scoliosis_deg": float(scoliosis),
                "body_size": float(rng.uniform(0.88, 1.28)),
                "noise_hu": float(rng.uniform(8.0, 25.0)),
            },
        )

    def spine(self) -> PhantomSpine:
        """The patient's CT."""
        return make_spine(self.seed, extent=self.extent, pathology=self.pathology, screws=self.screws, **self.arguments)


def _fractures(levels: tuple[str, ...], rng: np.random.Generator) -> dict[str, Fracture]:
    """One to three broken levels, of any kind and of Genant's grades 1 to 3."""
    count = 1 + int(rng.choice(len(FRACTURES), p=FRACTURES))
    chosen = rng.choice(len(levels), size=count, replace=False)
    return {levels[at]: _fracture(str(rng.choice(list(KINDS), p=list(KINDS.values()))), rng) for at in sorted(chosen)}


def _fracture(kind: str, rng: np.random.Generator) -> Fracture:
    left = float(rng.uniform(0.5, 0.85))
    if kind == "wedge":
        return Fracture(front=left, back=float(rng.uniform(0.92, 1.0)), middle=float(rng.uniform(0.85, 1.0)))
    if kind == "biconcave":
        return Fracture(front=float(rng.uniform(0.9, 1.0)), back=float(rng.uniform(0.95, 1.0)), middle=left)
    return Fracture(front=left, back=left * float(rng.uniform(0.95, 1.1)))
