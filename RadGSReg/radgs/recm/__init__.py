"""RecM: reconstruction of a vertebra as radiative Gaussians from two X-rays or more."""

from radgs.recm.config import COMPACT, CONFIGS, PAPER, RecMConfig
from radgs.recm.inputs import ViewBatch, crop_views
from radgs.recm.model import Prediction, RecM

__all__ = ["COMPACT", "CONFIGS", "PAPER", "Prediction", "RecM", "RecMConfig", "ViewBatch", "crop_views"]
