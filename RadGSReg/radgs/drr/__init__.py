"""Digitally reconstructed radiographs: attenuation from Hounsfield units, and a ray caster."""

from radgs.drr.attenuation import SOFT_TISSUE, WATER, attenuation_from_hu, hu_from_attenuation
from radgs.drr.ray_caster import VolumeRenderer

__all__ = [
    "SOFT_TISSUE",
    "WATER",
    "VolumeRenderer",
    "attenuation_from_hu",
    "hu_from_attenuation",
]
