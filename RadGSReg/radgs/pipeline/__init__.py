"""From a case to a judged pose per vertebra, and the folder that holds the result."""

from radgs.pipeline.registration import Progress, Registration, choose_device, register
from radgs.pipeline.self_calibration import register_self_calibrating

__all__ = [
    "Progress",
    "Registration",
    "choose_device",
    "register",
    "register_self_calibrating",
]
