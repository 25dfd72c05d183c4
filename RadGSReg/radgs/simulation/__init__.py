"""Simulated X-rays with the truth known: anatomy that moves apart, and how a detector would record it."""

from radgs.simulation.articulated import ArticulatedAnatomy, SimulationSettings, simulate_case
from radgs.simulation.exposure import Exposure
from radgs.simulation.xray_physics import XRayPhysics

__all__ = [
    "ArticulatedAnatomy",
    "Exposure",
    "SimulationSettings",
    "XRayPhysics",
    "simulate_case",
]
