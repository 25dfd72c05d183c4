"""Synthetic lumbar spines: seeded anatomy with known vertebra frames, as CT and labels."""

from radgs.phantom.spine import PhantomSpine, make_spine

__all__ = ["PhantomSpine", "make_spine"]
