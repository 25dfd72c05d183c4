"""What goes into a registration and what comes out of it, checked at the door.

Nothing here imports torch, so that the panel may use it.
"""

from radgs.case.content import InitialPose, Level, WorldOrientation
from radgs.case.registration_case import LabelledCT, RegistrationCase, load_case
from radgs.case.result import STAGES, VERDICT_SIGNS, VERDICTS, LevelResult, Reason, RegistrationResult, Verdict

__all__ = [
    "STAGES",
    "VERDICTS",
    "VERDICT_SIGNS",
    "InitialPose",
    "LabelledCT",
    "Level",
    "LevelResult",
    "Reason",
    "RegistrationCase",
    "RegistrationResult",
    "Verdict",
    "WorldOrientation",
    "load_case",
]
