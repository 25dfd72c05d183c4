"""Calibrating a C-arm from exposures of a fiducial phantom."""

from radgs.calibration.fiducial_phantom import PhantomCalibration, ViewCalibration, calibrate_phantom
from radgs.calibration.pick_files import Pick, read_phantom, read_picks

__all__ = ["PhantomCalibration", "Pick", "ViewCalibration", "calibrate_phantom", "read_phantom", "read_picks"]
