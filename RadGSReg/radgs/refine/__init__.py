"""Pose refinement on the X-rays with parts that move apart."""

from radgs.refine.beside import FoundLevel, are_neighbours, refine_beside
from radgs.refine.observation import Observation
from radgs.refine.other_levels import OtherLevel
from radgs.refine.schedule import Refinement, refine
from radgs.refine.solver import Estimate, Part, Refiner, RelativePrior, Resolution

__all__ = [
    "Estimate",
    "FoundLevel",
    "Observation",
    "OtherLevel",
    "Part",
    "Refinement",
    "Refiner",
    "RelativePrior",
    "Resolution",
    "are_neighbours",
    "refine",
    "refine_beside",
]
