"""What an X-ray does not show, hatched in its slice view: blades, what lies beyond a round field, burnt-in text."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
from numpy.typing import NDArray

from radgs.colours import UNMEASURED
from RadGSRegLib.scene.colour_tables import one_label
from RadGSRegLib.scene.drr_nodes import drr_of
from RadGSRegLib.scene.film_nodes import lay_on_film, on_film, take_off_film
from RadGSRegLib.scene.node_contract import SHADING_ROLE
from RadGSRegLib.scene.placement import ijk_to_own_ras
from RadGSRegLib.scene.slice_views import lay_labels_over

#: Width of a line and distance from one to the next, in the DRR's pixels. Lines are opaque: under labels that are not,
#: Slicer's blending takes some of the X-ray's own opacity away.
LINE_PIXELS, PERIOD_PIXELS = 2, 6


def put_shading(xray: Any, unmeasured: NDArray[np.uint8]) -> None:
    """Hatches what an X-ray does not show, wherever it is in a slice view whose labels are not the user's.

    Args:
        xray: The X-ray volume, with a DRR.
        unmeasured: (H, W) 1 where it shows nothing, in the DRR's pixels.
    """
    if not unmeasured.any():
        take_off_film(xray, SHADING_ROLE)
        return
    rows, columns = np.indices(unmeasured.shape)
    on_line = (rows + columns) % PERIOD_PIXELS < LINE_PIXELS
    labels = ((unmeasured > 0) & on_line).astype(np.uint8)[None]
    volume, drr = on_film(xray, SHADING_ROLE), drr_of(xray)
    if volume is None:
        name = f"Not measured in {xray.GetName()}"
        volume = slicer.util.addVolumeFromArray(labels, ijk_to_own_ras(drr), name, "vtkMRMLLabelMapVolumeNode")
        volume.SetHideFromEditors(True)
        volume.CreateDefaultDisplayNodes()
        volume.GetDisplayNode().SetAndObserveColorNodeID(one_label("not measured", UNMEASURED).GetID())
        lay_on_film(xray, SHADING_ROLE, volume)
    else:
        slicer.util.updateVolumeFromArray(volume, labels)
        volume.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(ijk_to_own_ras(drr)))
    volume.SetAndObserveTransformNodeID(drr.GetTransformNodeID())
    lay_labels_over(xray, volume)
