"""RadGSReg engine: registers a spine CT to calibrated X-rays, vertebra by vertebra. Knows nothing of Slicer."""

__version__ = "0.1.0"
