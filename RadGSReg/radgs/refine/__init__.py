"""Pose refinement on the X-rays with parts that move apart."""

from radgs.refine.observation import Observation
from radgs.refine.other_levels import OtherLevel
from radgs.refine.schedule import Refinement, refine
from radgs.refine.solver import Estimate, Part, Refiner, RelativePrior, Resolution

__all__ = [
    "Estimate",
    "Observation",
    "OtherLevel",
    "Part",
    "Refinement",
    "Refiner",
    "RelativePrior",
    "Resolution",
    "refine",
]
