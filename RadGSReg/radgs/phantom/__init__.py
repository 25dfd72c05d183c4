"""Synthetic spines: seeded anatomy with known vertebra frames, as CT and labels."""

from radgs.phantom.extent import LUMBAR_SPINE, Extent
from radgs.phantom.pathology import Fracture, Pathology
from radgs.phantom.spine import PhantomSpine, make_spine
from radgs.phantom.variants import Variant

__all__ = ["LUMBAR_SPINE", "Extent", "Fracture", "Pathology", "PhantomSpine", "Variant", "make_spine"]
