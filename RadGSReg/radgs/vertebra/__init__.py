"""A CT separated into vertebra, neighbours and rest, and what the engine knows of the vertebra before any X-ray."""

from radgs.vertebra.anatomy import VertebraAnatomy
from radgs.vertebra.build import build_vertebra_anatomy
from radgs.vertebra.posed import PosedVertebra
from radgs.vertebra.separated_ct import SeparatedCT

__all__ = [
    "PosedVertebra",
    "SeparatedCT",
    "VertebraAnatomy",
    "build_vertebra_anatomy",
]
