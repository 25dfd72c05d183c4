"""Pictures that let a person judge a registration: DRRs and projected contours over the X-rays.

The functions here return plain arrays, for any viewer; ``radgs.overlay.figures`` draws them with matplotlib.
"""

from radgs.overlay.agreement import AgreementMap, local_agreement
from radgs.overlay.arrays import (
    ViewCrop,
    blend,
    crop_view,
    display_window,
    drr,
    for_display,
    shadow,
    windowed,
)
from radgs.overlay.contours import Contours, ContourSurface, ProjectedLine, projected_lines
from radgs.overlay.marks import edge_labels

__all__ = [
    "AgreementMap",
    "ContourSurface",
    "Contours",
    "ProjectedLine",
    "ViewCrop",
    "blend",
    "crop_view",
    "display_window",
    "drr",
    "edge_labels",
    "for_display",
    "local_agreement",
    "projected_lines",
    "shadow",
    "windowed",
]
