"""The last stages of refinement: vertebra, neighbours and everything else move apart, up to full resolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from radgs.geometry import RigidTransform, XRayView
from radgs.refine.observation import Observation
from radgs.refine.parts import HalfResolution, linearised
from radgs.refine.resolutions import APART, BINNING, FINE_PIXELS, POLISH, seen_around
from radgs.refine.solver import Estimate, Part, Refiner, Resolution
from radgs.vertebra import VertebraAnatomy


@dataclass(frozen=True, eq=False)
class End:
    """What one beginning leads to.

    Attributes:
        begin: Where it began.
        final: Vertebra, surroundings and neighbours at full resolution.
        observation: The X-rays at full resolution.
        parts: The parts of ``final`` as its verdict draws them, vertebra first.
    """

    begin: RigidTransform
    final: Estimate
    observation: Observation
    parts: tuple[Part, ...]


def parts_apart(vertebra: VertebraAnatomy) -> tuple[Part, ...]:
    """Vertebra, surroundings and neighbours, as finely sampled as all but the last stage needs."""
    around = vertebra.surroundings_part.sampled_every(4.0)
    return (vertebra.vertebra_part, around, *(part.sampled_every(3.0) for part in vertebra.neighbour_parts))


def parts_polished(vertebra: VertebraAnatomy) -> tuple[Part, ...]:
    """The same for full resolution.

    The surroundings go on moving: held still, a millimetre of theirs pulls the vertebra along. They are drawn in full:
    on every second pixel they cost a quarter of the accuracy.
    """
    around = vertebra.surroundings_part.sampled_every(3.0)
    return (vertebra.vertebra_part, around, *(part.sampled_every(1.5) for part in vertebra.neighbour_parts))


def parts_judged(vertebra: VertebraAnatomy) -> tuple[Part, ...]:
    """The same for the verdict, which compares poses at full resolution, wrong ones too, and needs less of each."""
    around = HalfResolution(vertebra.surroundings_part.sampled_every(4.0))
    return (vertebra.vertebra_part, around, *(part.sampled_every(2.0) for part in vertebra.neighbour_parts))


def refine_apart(
    views: Sequence[XRayView],
    vertebra: VertebraAnatomy,
    begin: RigidTransform,
    in_intensity: bool,
    resolutions: Sequence[Resolution] = APART,
) -> End:
    """Refines all parts together from one pose.

    Args:
        views: The X-rays.
        vertebra: The vertebra.
        begin: Pose of all parts.
        in_intensity: How X-rays and parts are compared.
        resolutions: Those before full resolution.
    """
    # A click may be far off: from here on, the region is centred on the vertebra itself.
    centre = begin.apply(vertebra.centre)
    fine = seen_around(views, vertebra, centre, FINE_PIXELS).seen_in_intensity(in_intensity)
    parts = parts_apart(vertebra)
    together = Estimate([begin] * len(parts))
    apart = Refiner(fine.binned(BINNING), linearised(parts), centre, doubt=vertebra.doubt_part).run(
        together, resolutions
    )
    polished = linearised(parts_polished(vertebra))
    final = Refiner(fine, polished, centre, doubt=vertebra.doubt_part).run(apart, POLISH)
    return End(begin, final, fine, parts_judged(vertebra))
