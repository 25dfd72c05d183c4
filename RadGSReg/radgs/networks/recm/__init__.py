"""RecM: reconstruction of a vertebra as radiative Gaussians from two X-rays or more."""

from radgs.networks.recm.config import COMPACT, CONFIGS, PAPER, RecMConfig
from radgs.networks.recm.inputs import ViewBatch, crop_views
from radgs.networks.recm.model import Prediction, RecM

__all__ = ["COMPACT", "CONFIGS", "PAPER", "Prediction", "RecM", "RecMConfig", "ViewBatch", "crop_views"]
