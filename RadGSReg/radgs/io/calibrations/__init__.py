"""Calibrations as people have them: files of other programs, read into the sources and detectors of X-ray views.

Every reader ends in a :class:`Calibration`: the views, what was assumed, and whether the world's axes are known to
be the patient's. No torch here.
"""

from radgs.io.calibrations.calibration import CalibratedView, Calibration

__all__ = ["CalibratedView", "Calibration"]
