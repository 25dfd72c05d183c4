"""From a case to a judged pose per vertebra, and the folder that holds the result."""

from radgs.pipeline.registration import Progress, Registration, choose_device, register

__all__ = [
    "Progress",
    "Registration",
    "choose_device",
    "register",
]
