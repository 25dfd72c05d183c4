"""How finely each stage of refinement looks: pixels of the observation, scales of the gradients, numbers of steps."""

from __future__ import annotations

from collections.abc import Sequence

from radgs.geometry import FloatArray, XRayView
from radgs.geometry.roi import ROI_SIZE_MM
from radgs.refine.observation import Observation
from radgs.refine.solver import Resolution
from radgs.vertebra import VertebraAnatomy

#: Pixels of one resolution that, along a side, make one of the next coarser.
BINNING = 2
FINE_PIXELS = 128
COARSE_PIXELS = FINE_PIXELS // BINNING
COARSEST_PIXELS = COARSE_PIXELS // BINNING

#: Tells which of several starts the images support, without moving any.
AS_GIVEN = (Resolution(sigma_mm=8.0, iterations=0, surround_weight=0.15, dilation_mm=6.0),)
#: Tells how X-ray and rendered CT are to be compared.
COMPARE = (Resolution(sigma_mm=3.0, iterations=0, surround_weight=0.15, dilation_mm=4.0),)
SEARCH = (Resolution(sigma_mm=10.0, iterations=8, surround_weight=0.3, dilation_mm=10.0),)
WHOLE_COARSEST = (
    Resolution(sigma_mm=8.0, iterations=10, surround_weight=0.15, dilation_mm=6.0),
    Resolution(sigma_mm=5.0, iterations=10, surround_weight=0.15, dilation_mm=6.0),
)
WHOLE_COARSE = (Resolution(sigma_mm=3.0, iterations=10, surround_weight=0.15, dilation_mm=4.0),)
#: What a candidate is given to show what it is worth.
TRIAL = (
    Resolution(sigma_mm=4.0, iterations=4, surround_weight=0.15, dilation_mm=5.0),
    Resolution(sigma_mm=2.5, iterations=3, surround_weight=0.1, dilation_mm=4.0),
)
APART = (
    Resolution(sigma_mm=4.0, iterations=5, surround_weight=0.15, dilation_mm=5.0),
    Resolution(sigma_mm=3.0, iterations=5, surround_weight=0.10, dilation_mm=5.0),
    Resolution(sigma_mm=2.0, iterations=5, surround_weight=0.20, dilation_mm=4.0),
)
POLISH = (
    Resolution(sigma_mm=1.2, iterations=4, surround_weight=0.20, dilation_mm=4.0),
    Resolution(sigma_mm=0.8, iterations=4, surround_weight=0.20, dilation_mm=4.0),
)
#: Begins where no coarser scale can lead astray: a start that is right stays where it is.
DIRECT = APART[-1:]


def seen_around(views: Sequence[XRayView], vertebra: VertebraAnatomy, centre: FloatArray, pixels: int) -> Observation:
    """The X-rays around a world point (3,), on ``pixels`` x ``pixels`` pixels."""
    return Observation.around(views, centre, ROI_SIZE_MM, pixels, vertebra.device)
