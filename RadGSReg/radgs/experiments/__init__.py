"""The method's first experiments, each a command that ends with a report: what RecM, attention and RegM are worth."""

from radgs.experiments.attention import attention_experiment
from radgs.experiments.offsets import offsets_experiment
from radgs.experiments.reconstruction import reconstruction_experiment
from radgs.experiments.segmentation import segmentation_experiment

__all__ = ["attention_experiment", "offsets_experiment", "reconstruction_experiment", "segmentation_experiment"]
