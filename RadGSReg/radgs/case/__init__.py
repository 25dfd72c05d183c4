"""A registration's input and result, and the checks of the input.

Nothing here imports torch, so that the panel may use it.
"""

from radgs.case.content import InitialPose, Level, WorldOrientation
from radgs.case.registration_case import LabelledCT, RegistrationCase, load_case
from radgs.case.result import (
    FAILED,
    STAGES,
    VERDICT_SIGNS,
    VERDICTS,
    LevelResult,
    OpenQuestion,
    Reason,
    RegistrationResult,
    Verdict,
)
from radgs.case.self_calibration import SelfCalibratedView, ViewMove

__all__ = [
    "FAILED",
    "STAGES",
    "VERDICTS",
    "VERDICT_SIGNS",
    "InitialPose",
    "LabelledCT",
    "Level",
    "LevelResult",
    "OpenQuestion",
    "Reason",
    "RegistrationCase",
    "RegistrationResult",
    "SelfCalibratedView",
    "Verdict",
    "ViewMove",
    "WorldOrientation",
    "load_case",
]
