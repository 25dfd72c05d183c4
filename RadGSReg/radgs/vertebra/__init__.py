"""A CT separated into vertebra, neighbours and rest, and what the engine knows of the vertebra before any X-ray."""

from radgs.vertebra.anatomy import VertebraAnatomy, build_vertebra_anatomy, start_centre
from radgs.vertebra.posed import PosedVertebra

__all__ = [
    "PosedVertebra",
    "VertebraAnatomy",
    "build_vertebra_anatomy",
    "start_centre",
]
