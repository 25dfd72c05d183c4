"""Pose refinement on the X-rays with bodies that move apart."""

from radgs.refine.observation import Observation
from radgs.refine.schedule import OtherLevel, Refinement, refine
from radgs.refine.solver import Body, Estimate, Refiner, RelativePrior, Stage

__all__ = ["Body", "Estimate", "Observation", "OtherLevel", "Refinement", "Refiner", "RelativePrior", "Stage", "refine"]
