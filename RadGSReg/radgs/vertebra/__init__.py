"""A CT separated into vertebra, neighbours and rest, and what the engine knows of the vertebra before any X-ray."""

from radgs.vertebra.model import VertebraModel, build_vertebra_model, start_centre
from radgs.vertebra.posed import PosedVertebra

__all__ = [
    "PosedVertebra",
    "VertebraModel",
    "build_vertebra_model",
    "start_centre",
]
