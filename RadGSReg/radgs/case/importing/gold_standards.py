"""Cases of published data with known poses: their truth is the publishers', and their starts are the protocol's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from radgs.case import InitialPose, Level, RegistrationCase
from radgs.errors import CaseError
from radgs.geometry import RigidTransform, ViewGeometry, Volume, XRayView, largest_distance
from radgs.io.gold_standards import DeepFluoroSpecimen, SpineSegment
from radgs.io.line_integrals import KnownPixelType, to_line_integrals

PELVIS = "pelvis"
#: Poses of one bone from two X-rays should be one; further apart than this it is told, mm within half a metre.
SAME_POSE_MM = 2.0


def deepfluoro_case(
    specimen: DeepFluoroSpecimen, projections: Sequence[str], pixel_type: KnownPixelType = "intensity"
) -> tuple[RegistrationCase, tuple[str, ...]]:
    """Pelvis and femurs of a specimen on two of its X-rays or more; the world is the CT's own, the pelvis in its place.

    Args:
        specimen: With these projections.
        projections: Their names.
        pixel_type: What the pixel values are; the layout's description does not say.

    Returns:
        The case, whose starts are the true poses (``started`` moves them), and what of it is doubtful, in sentences.

    Raises:
        CaseError: The specimen has no such projection, or no label that is of the pelvis.
    """
    by_name = {one.name: one for one in specimen.projections}
    for name in projections:
        if name not in by_name:
            raise CaseError(f"{specimen.name} has no projection {name}.", f"It has {', '.join(by_name)}.")
    chosen = [by_name[name] for name in projections]
    truth, told = {PELVIS: RigidTransform.identity()}, []
    for femur in sorted({name for one in chosen for name in one.femurs}):
        poses = [one.femurs[femur] for one in chosen if femur in one.femurs]
        if len(poses) < len(chosen):
            told.append(f"{femur} is left out: its pose is not valid on all of these X-rays.")
            continue
        apart = max(largest_distance(poses[0], other) for other in poses)
        if apart > SAME_POSE_MM:
            told.append(f"{femur} moved against the pelvis between the X-rays, or its poses differ: {apart:.1f} mm.")
        truth[femur] = poses[0]
    parts = {PELVIS: [label for label, name in specimen.names.items() if "hemipelvis" in name]}
    parts |= {
        femur: [label for label, name in specimen.names.items() if name == femur] for femur in truth if femur != PELVIS
    }
    if not parts[PELVIS]:
        named = ", ".join(specimen.names.values())
        raise CaseError(f"No label of {specimen.name} is a hemipelvis.", f"Its labels are {named}.")
    bones = [bone for bone in truth if parts[bone]]
    told += [f"{bone} is left out: no label is named so." for bone in truth if not parts[bone]]
    labels = np.zeros(specimen.labels.array.shape, np.uint8)
    for number, bone in enumerate(bones, start=1):
        labels[np.isin(specimen.labels.array, parts[bone])] = number
    case = RegistrationCase(
        ct=specimen.ct,
        labels=Volume(labels, specimen.labels.index_to_ras),
        levels=tuple(Level(bone, number) for number, bone in enumerate(bones, start=1)),
        views=tuple(_view(one.name, one.values, one.geometry, pixel_type) for one in chosen),
        initial={bone: InitialPose({}, truth[bone]) for bone in bones},
        truth={bone: truth[bone] for bone in bones},
    )
    return case, tuple(told)


def spine_segment_case(segment: SpineSegment) -> RegistrationCase:
    """All vertebrae of a segment, where they truly are; ``start_cases`` moves them.

    Raises:
        InputFileError: A view's values are of a kind that is not known.
    """
    known: dict[str, KnownPixelType] = {"intensity": "intensity", "attenuation": "attenuation", "display": "display"}
    for view, kind in segment.pixel_types.items():
        if kind not in known:
            raise CaseError(f'View {view} has the pixel_type "{kind}".', f"Choose one of {', '.join(known)}.")
    names = segment.vertebrae.values()
    return RegistrationCase(
        ct=segment.ct,
        labels=segment.labels,
        levels=tuple(Level(name, label) for label, name in segment.vertebrae.items()),
        views=tuple(
            _view(name, values, geometry, known[segment.pixel_types[name]])
            for name, (values, geometry) in segment.views.items()
        ),
        initial={name: InitialPose({}, RigidTransform.identity()) for name in names},
        truth={name: RigidTransform.identity() for name in names},
    )


def start_cases(segment: SpineSegment, vertebra: str) -> Iterator[tuple[int, RegistrationCase]]:
    """A case of one vertebra for every start of the protocol, with the start's number."""
    whole = spine_segment_case(segment)
    for start in segment.starts:
        yield start.number, started(whole, vertebra, start.about(segment.centres[vertebra]))


def started(case: RegistrationCase, level: str, displacement: RigidTransform) -> RegistrationCase:
    """The case of one level alone that starts at its true pose displaced, as a motion of the world.

    Raises:
        CaseError: There is no such level.
    """
    start = displacement @ case.truth[case.level(level).name]
    return replace(
        case,
        levels=(case.level(level),),
        initial={level: InitialPose({}, start)},
        truth={level: case.truth[level]},
    )


def _view(name: str, values: NDArray, geometry: ViewGeometry, pixel_type: KnownPixelType) -> XRayView:
    integrals = to_line_integrals(values, pixel_type, "as stated")
    return XRayView(name, integrals.image, geometry, integrals.conversion)
