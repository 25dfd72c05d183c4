"""DRRs over the X-rays in the slice views: a volume on each X-ray's film."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import slicer

from RadGSRegLib.scene import xray_nodes
from RadGSRegLib.scene.film_nodes import lay_on_film, on_film
from RadGSRegLib.scene.node_contract import DRR_ROLE, LEVEL_ATTRIBUTE
from RadGSRegLib.scene.placement import ijk_to_own_ras

#: Bone is dark in an X-ray of intensities, so it is in the DRR that is mixed into one.
GREY, INVERTED_GREY = "vtkMRMLColorTableNodeGrey", "vtkMRMLColorTableNodeInvertedGrey"


def put_drr(xray: Any, level: str, path: Path, binned: int) -> Any:
    """Puts a DRR on an X-ray's film, in place of the one that was there, and returns its volume.

    Args:
        xray: The X-ray volume.
        level: The level whose pose it was made at.
        path: A .npy of the DRR (H / binned, W / binned).
        binned: Pixels of the X-ray, side by side, in one of the DRR.
    """
    pixels = np.load(path, allow_pickle=False).astype(np.float32)
    ijk_to_ras = ijk_to_own_ras(xray)
    ijk_to_ras[:3, 3] += (ijk_to_ras[:3, 0] + ijk_to_ras[:3, 1]) * (binned - 1) / 2
    ijk_to_ras[:3, :2] *= binned
    name = f"{level} DRR in {xray_nodes.view_name(xray)}"
    volume = drr_of(xray)
    if volume is None:
        volume = slicer.util.addVolumeFromArray(pixels[None], ijkToRAS=ijk_to_ras, name=name)
        inverted = xray_nodes.pixel_type(xray) == "intensity"
        volume.GetDisplayNode().SetAndObserveColorNodeID(INVERTED_GREY if inverted else GREY)
        lay_on_film(xray, DRR_ROLE, volume)
    else:
        slicer.util.updateVolumeFromArray(volume, pixels[None])
        volume.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(ijk_to_ras))
        volume.SetName(name)
    parent = xray.GetParentTransformNode()
    volume.SetAndObserveTransformNodeID(None if parent is None else parent.GetID())
    xray_nodes.show_the_middle(volume, pixels)
    volume.SetAttribute(LEVEL_ATTRIBUTE, level)
    return volume


def drr_of(xray: Any) -> Any:
    """The DRR on an X-ray's film; None where there is none."""
    return on_film(xray, DRR_ROLE)
