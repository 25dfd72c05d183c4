"""Published data whose poses are known better than a registration finds them, as their files lay them out. No torch."""

from radgs.io.gold_standards.deepfluoro import DeepFluoroProjection, DeepFluoroSpecimen, read_deepfluoro
from radgs.io.gold_standards.spine_segments import SpineSegment, SpineStart, read_spine_segment

__all__ = [
    "DeepFluoroProjection",
    "DeepFluoroSpecimen",
    "SpineSegment",
    "SpineStart",
    "read_deepfluoro",
    "read_spine_segment",
]
