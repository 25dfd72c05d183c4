"""Calibrating a C-arm: from exposures of a fiducial phantom, or one of two views from the patient."""

from radgs.calibration.fiducial_phantom import PhantomCalibration, ViewCalibration, calibrate_phantom
from radgs.calibration.from_patient import SelfCalibration, calibrate_from_patient
from radgs.calibration.pick_files import Pick, read_phantom, read_picks

__all__ = [
    "PhantomCalibration",
    "Pick",
    "SelfCalibration",
    "ViewCalibration",
    "calibrate_from_patient",
    "calibrate_phantom",
    "read_phantom",
    "read_picks",
]
