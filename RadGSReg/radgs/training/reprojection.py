"""What X-rays without a known pose teach: a reconstruction must project to the X-rays it was made from."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from radgs.gaussians import splat
from radgs.geometry.roi import CROP_PIXELS, ROI_SIZE_MM, crop_geometry
from radgs.networks.recm import ViewBatch
from radgs.networks.recm.loss import TRAINING_CUTOFF_SIGMA
from radgs.networks.recm.model import Prediction, RecM
from radgs.refine.matching import GAIN_REACH_MM, GradientFilter, cauchy_weight, local_gain, local_mean

#: Scale of the gradients that are compared, crop pixels.
SIGMA = 2.0
#: The vertebra is where its projection passes this share of its largest value, and so many pixels around.
SHADOW_SHARE, MARGIN = 0.15, 4
#: Less than any X-ray's gradients, squared and summed.
NOTHING = 1e-6


def reprojection_loss(recm: RecM, prediction: Prediction, views: ViewBatch, index: int = 0) -> Tensor:
    """How much of the X-rays' gradients, over the reconstruction's shadow, its projection leaves unexplained: 0 to 1.

    The gain between the two is free and varies smoothly, as in refinement (``radgs.refine.matching``): an X-ray has an
    exposure, scatter and everything else the ray passes; what varies more slowly than the gain counts in neither.
    Gradients that belong to something else weigh less (Cauchy). Neither shadow, gain nor weights are learned from: a
    reconstruction gains nothing by choosing what it is judged on.

    Args:
        recm: The network.
        prediction: Of the views.
        views: X-rays.
        index: Which pair of the batch.
    """
    gaussians = recm.gaussians(prediction, index)
    unexplained = [
        unexplained_share(
            splat(gaussians, crop_geometry(source.detach().cpu().numpy(), image.shape[-1]), TRAINING_CUTOFF_SIGMA),
            image,
            valid,
        )
        for source, image, valid in zip(views.sources[index], views.images[index], views.valid[index], strict=True)
    ]
    return torch.stack(unexplained).mean()


def unexplained_share(projection: Tensor, image: Tensor, valid: Tensor) -> Tensor:
    """The same of one view: a projection's, against an X-ray and where that was measured, (P, P) each."""
    reach = GAIN_REACH_MM * CROP_PIXELS / ROI_SIZE_MM
    gradient = GradientFilter(SIGMA, valid)
    rendered, target = (
        gradient(one[None] - local_mean(one[None], valid, reach)) for one in (projection, image * valid)
    )
    weight = _shadow(projection.detach()) * (valid > 0.5)[None]
    with torch.no_grad():
        gain = local_gain(target, rendered, weight, reach)
        weight = weight * cauchy_weight(target - gain * rendered, weight)
    left = (weight[:, None] * (target - gain * rendered).square()).sum()
    # A reconstruction that shows nothing explains nothing.
    return (left + NOTHING) / ((weight[:, None] * target.square()).sum() + NOTHING)


def _shadow(projection: Tensor) -> Tensor:
    """(1, P, P) 1 where the vertebra is, and a little around it."""
    shadow = (projection > SHADOW_SHARE * projection.max().clamp_min(1e-6)).to(projection)[None, None]
    return functional.max_pool2d(shadow, 2 * MARGIN + 1, stride=1, padding=MARGIN)[0]
