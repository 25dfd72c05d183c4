"""What is laid over an X-ray in the slice views while it is compared with its DRR: a volume on its film.

Where the volume's values lie below a threshold, Slicer shows the X-ray under it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
from numpy.typing import NDArray

from radgs.colours import AGREEING, DOUBTFUL, rgb
from RadGSRegLib.scene.colour_tables import colours_between
from RadGSRegLib.scene.drr_nodes import drr_of
from RadGSRegLib.scene.film_nodes import lay_on_film, on_film
from RadGSRegLib.scene.node_contract import COMPARED_ROLE, LEVEL_ATTRIBUTE
from RadGSRegLib.scene.placement import ijk_to_own_ras

#: So far below every line integral that whatever lies between a hidden pixel and one that is seen is hidden, too.
HIDDEN = -1e6
#: Edges weaker than this, of 255, are not drawn; their colour is mixed by the layer's opacity alone.
WEAKEST = 50
#: Of a reconstruction, line integrals above nothing at all.
WEAKEST_BONE = 0.02
#: Greys of a difference and degrees of an agreement; 0 is what the X-ray does not show, and where there is no edge.
BYTES_SHOWN = (1.0, 255.0)


def put_part_of_drr(xray: Any, seen: NDArray[np.bool_]) -> Any:
    """Lays a part of the DRR over an X-ray, in the DRR's own greys, and returns its volume.

    Args:
        xray: The X-ray volume, with a DRR.
        seen: (H, W) where the DRR is shown, in the DRR's pixels.
    """
    drr = drr_of(xray)
    whole = slicer.util.arrayFromVolume(drr)[0]
    volume = _put(xray, "vtkMRMLScalarVolumeNode", np.where(seen, whole, np.float32(HIDDEN)))
    shown, own = volume.GetDisplayNode(), drr.GetDisplayNode()
    _show(volume, (own.GetWindowLevelMin(), own.GetWindowLevelMax()), float(whole.min()) - 1.0)
    shown.SetAndObserveColorNodeID(own.GetColorNodeID())
    return volume


def put_difference(xray: Any, greys: NDArray[np.uint8]) -> Any:
    """Lays a signed difference (H, W) over an X-ray, of the DRR's pixels, and returns its volume."""
    volume = _put(xray, "vtkMRMLScalarVolumeNode", greys.astype(np.float32))
    _show(volume, BYTES_SHOWN, BYTES_SHOWN[0])
    volume.GetDisplayNode().SetAndObserveColorNodeID("vtkMRMLColorTableNodeGrey")
    return volume


def put_reconstruction(xray: Any, line_integrals: NDArray[np.float32]) -> Any:
    """Lays a reconstruction's projection (H, W) over an X-ray, of the DRR's pixels, and returns its volume."""
    volume = _put(xray, "vtkMRMLScalarVolumeNode", line_integrals)
    bright = max(float(line_integrals.max()), WEAKEST_BONE)
    _show(volume, (0.0, bright), min(WEAKEST_BONE, bright))
    volume.GetDisplayNode().SetAndObserveColorNodeID(drr_of(xray).GetDisplayNode().GetColorNodeID())
    return volume


def put_agreement(xray: Any, degrees: NDArray[np.uint8]) -> Any:
    """Lays over an X-ray how far its edges agree with the DRR's, and returns its volume.

    Args:
        xray: The X-ray volume, with a DRR.
        degrees: (H, W) from 1, wholly doubtful, to 255; 0 where there is no edge.
    """
    volume = _put(xray, "vtkMRMLScalarVolumeNode", degrees.astype(np.float32))
    _show(volume, BYTES_SHOWN, BYTES_SHOWN[0])
    table = colours_between("doubtful to agreeing", DOUBTFUL, AGREEING)
    volume.GetDisplayNode().SetAndObserveColorNodeID(table.GetID())
    volume.GetDisplayNode().SetInterpolate(False)  # between an edge and none lies no doubt
    return volume


def put_edges(xray: Any, strength: NDArray[np.uint8], colour: str) -> Any:
    """Lays edges in one colour over an X-ray, and returns their volume.

    Args:
        xray: The X-ray volume, with a DRR.
        strength: (H, W) of each pixel's edge, in the DRR's pixels.
        colour: "#rrggbb".
    """
    full = np.rint(255.0 * np.array(rgb(colour)))
    pixels = np.where((strength >= WEAKEST)[..., None], full, 0.0).astype(np.uint8)
    volume = _put(xray, "vtkMRMLVectorVolumeNode", pixels)
    _show(volume, (0.0, 255.0), float(full.mean()) / 2)
    volume.GetDisplayNode().SetInterpolate(False)  # lines are a pixel wide
    return volume


def _put(xray: Any, cls: str, pixels: NDArray[np.float32] | NDArray[np.uint8]) -> Any:
    """A volume of a class on an X-ray's film, of its DRR's pixels, in place of the one that was there."""
    volume, drr = on_film(xray, COMPARED_ROLE), drr_of(xray)
    if volume is None:
        name = f"{drr.GetName()}, compared"
        volume = slicer.util.addVolumeFromArray(pixels[None], ijk_to_own_ras(drr), name, cls)
        volume.SetHideFromEditors(True)
        lay_on_film(xray, COMPARED_ROLE, volume)
    else:
        slicer.util.updateVolumeFromArray(volume, pixels[None])
        volume.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(ijk_to_own_ras(drr)))
    volume.SetAndObserveTransformNodeID(drr.GetTransformNodeID())
    volume.SetAttribute(LEVEL_ATTRIBUTE, drr.GetAttribute(LEVEL_ATTRIBUTE))
    return volume


def _show(volume: Any, window: tuple[float, float], threshold: float) -> None:
    """Shows values between two ends as black and white, and nothing below a threshold."""
    display = volume.GetDisplayNode()
    display.AutoWindowLevelOff()
    display.SetWindowLevelMinMax(*window)
    display.SetAutoThreshold(False)
    display.SetThreshold(threshold, np.finfo(np.float32).max)
    display.SetApplyThreshold(True)
