"""What can be wrong with a case, on purpose: inputs that contradict the anatomy, so that a verdict can be tested.

A fault changes what a registration is given (images, clicks, geometry, CT, labels); the truth stays known. Whether the
images can reveal it is decided by arithmetic, see ``radgs.simulation.revealable``, never by trying.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from radgs.case import RegistrationCase
from radgs.errors import InputFileError
from radgs.geometry import FloatArray, RigidTransform, ViewGeometry, Volume, XRayView, unit
from radgs.simulation.articulated import ArticulatedAnatomy, SimulationSettings, simulate_case

#: How much of an image's width is cut off at its left side where its geometry is kept.
CROPPED_SHARE = 0.1


@dataclass(frozen=True)
class Fault:
    """What is wrong; lengths in mm, angles in degrees, zero or False where nothing is.

    Attributes:
        mirrored_view: This view's image is mirrored left to right, and clicked on as it is shown.
        mirrored_ct: CT and labels are mirrored left to right.
        foreign_ct: CT and labels are another patient's.
        foreign_view: The lateral view is another patient's.
        moved_mm, moved_deg: The patient moved by so much, in a random direction, before the lateral view.
        moved_along_beam_mm: The patient moved along the first view's beam.
        detector_mm: The lateral detector stands so far off in its own plane, in a random direction.
        detector_deg: It is turned so much in its own plane.
        source_mm: The lateral source stands so far off, in a random direction.
        labels_mm: The labels lie so far off the CT, in a random direction.
        cropped: The first view lost columns at its left, and its geometry was kept.
        size_stated: The case states the size of the images that were calibrated, as every case that we write does.
    """

    mirrored_view: str = ""
    mirrored_ct: bool = False
    foreign_ct: bool = False
    foreign_view: bool = False
    moved_mm: float = 0.0
    moved_deg: float = 0.0
    moved_along_beam_mm: float = 0.0
    detector_mm: float = 0.0
    detector_deg: float = 0.0
    source_mm: float = 0.0
    labels_mm: float = 0.0
    cropped: bool = False
    size_stated: bool = True

    @property
    def has_right_pose(self) -> bool:
        """Whether any pose of the CT that was given is right."""
        return not (self.mirrored_ct or self.foreign_ct)


FAULTS: dict[str, Fault] = {
    "none": Fault(),
    "mirrored-ap": Fault(mirrored_view="AP"),
    "mirrored-lat": Fault(mirrored_view="LAT"),
    "mirrored-ct": Fault(mirrored_ct=True),
    "foreign-ct": Fault(foreign_ct=True),
    "foreign-lat": Fault(foreign_view=True),
    "moved-5mm-3deg": Fault(moved_mm=5.0, moved_deg=3.0),
    "moved-6deg": Fault(moved_deg=6.0),
    "moved-along-beam-5mm": Fault(moved_along_beam_mm=5.0),
    "detector-5mm": Fault(detector_mm=5.0),
    "detector-10mm": Fault(detector_mm=10.0),
    "detector-5deg": Fault(detector_deg=5.0),
    "detector-10deg": Fault(detector_deg=10.0),
    "source-10mm": Fault(source_mm=10.0),
    "labels-5mm": Fault(labels_mm=5.0),
    "cropped": Fault(cropped=True),
    "cropped-unstated": Fault(cropped=True, size_stated=False),
}


@dataclass(frozen=True, eq=False)
class FaultyCase:
    """A case with a fault in it, and what is true of it.

    Attributes:
        case: What a registration is given; its truth holds for the first view.
        geometries: Where each view's source and detector truly stood, for the image as given.
        motions: Per view, how the patient had moved since the first, in the world.
        sizes: Per view, the columns and rows that the case states; None where it states nothing.
    """

    case: RegistrationCase
    geometries: tuple[ViewGeometry, ...]
    motions: tuple[RigidTransform, ...]
    sizes: tuple[tuple[int, int] | None, ...]


def fault_named(name: str) -> Fault:
    """The fault of that name.

    Raises:
        InputFileError: There is none.
    """
    if name not in FAULTS:
        raise InputFileError(f'There is no fault "{name}".', f"Choose one of {', '.join(FAULTS)}.")
    return FAULTS[name]


def simulate_faulty_case(
    anatomy: ArticulatedAnatomy,
    target: str,
    fault: Fault,
    rng: np.random.Generator,
    settings: SimulationSettings,
    other: ArticulatedAnatomy | None = None,
) -> FaultyCase:
    """One trial with something wrong.

    Args:
        anatomy: Who is on the X-rays.
        target: The vertebra.
        fault: What is wrong.
        rng: Source of chance; what is drawn for the case itself does not depend on the fault.
        settings: What varies.
        other: Another patient with the same levels, for faults that need one.
    """
    case_rng, fault_rng = rng.spawn(2)
    motion = _motion(anatomy, target, fault, fault_rng)
    case = simulate_case(anatomy, target, case_rng, settings, between_shots=motion)
    geometries = tuple(view.geometry for view in case.views)
    motions = (RigidTransform.identity(),) * (len(geometries) - 1) + (motion or RigidTransform.identity(),)
    if fault.foreign_view or fault.foreign_ct:
        if other is None:
            raise InputFileError("This fault needs another patient.", "Give one.")
        if fault.foreign_view:
            foreign = simulate_case(other, target, fault_rng, settings)
            case = _with_view_of(case, foreign)
            geometries = tuple(view.geometry for view in case.views)
        else:
            ct, labels = other.shown(target, settings.world)
            case = replace(case, ct=ct, labels=labels)
    if fault.mirrored_ct:
        case = replace(case, ct=mirrored(case.ct), labels=mirrored(case.labels))
    if fault.labels_mm:
        shift = unit(fault_rng.normal(size=3)) * fault.labels_mm
        matrix = case.labels.index_to_ras.copy()
        matrix[:3, 3] += shift
        case = replace(case, labels=Volume(case.labels.array, matrix))
    if fault.mirrored_view:
        case, geometries = _with_mirrored_view(case, geometries, fault.mirrored_view)
    sizes = tuple((view.image.shape[1], view.image.shape[0]) if fault.size_stated else None for view in case.views)
    if fault.cropped:
        case, geometries = _with_cropped_view(case, geometries)
    if fault.detector_mm or fault.detector_deg or fault.source_mm:
        case = replace(case, views=(*case.views[:-1], with_misplaced_view(case.views[-1], fault, fault_rng)))
    return FaultyCase(case, geometries, motions, sizes)


def with_misplaced_view(view: XRayView, fault: Fault, rng: np.random.Generator) -> XRayView:
    """The view with its detector or its source said to stand where it does not."""
    return replace(view, geometry=_misplaced(view.geometry, fault, rng))


def mirrored(volume: Volume) -> Volume:
    """The volume with its first axis turned over in place: what was right is left."""
    return Volume(np.ascontiguousarray(volume.array[..., ::-1]), volume.index_to_ras)


def mirrored_image(view: XRayView) -> XRayView:
    """The image turned over left to right, its geometry kept."""
    field = None if view.field is None else np.ascontiguousarray(view.field[:, ::-1])
    return replace(view, image=np.ascontiguousarray(view.image[:, ::-1]), field=field)


def _motion(anatomy: ArticulatedAnatomy, target: str, fault: Fault, rng: np.random.Generator) -> RigidTransform | None:
    """How the patient moves between the shots, about a point near the vertebra (the isocentre)."""
    if fault.moved_along_beam_mm:
        return RigidTransform(np.eye(3), np.array([0.0, fault.moved_along_beam_mm * rng.choice([-1.0, 1.0]), 0.0]))
    if not (fault.moved_mm or fault.moved_deg):
        return None
    turn = unit(rng.normal(size=3)) * np.radians(fault.moved_deg)
    return RigidTransform.identity().rotated_about(np.zeros(3), turn, unit(rng.normal(size=3)) * fault.moved_mm)


def _with_view_of(case: RegistrationCase, foreign: RegistrationCase) -> RegistrationCase:
    """The case with its last view, and the click on it, from another case."""
    view = foreign.views[-1]
    initial = {
        level: replace(pose, clicks={**pose.clicks, view.name: foreign.initial[level].clicks[view.name]})
        for level, pose in case.initial.items()
    }
    return replace(case, views=(*case.views[:-1], view), initial=initial)


def _with_mirrored_view(
    case: RegistrationCase, geometries: tuple[ViewGeometry, ...], name: str
) -> tuple[RegistrationCase, tuple[ViewGeometry, ...]]:
    views, true = [], []
    for view, geometry in zip(case.views, geometries, strict=True):
        last_column = view.image.shape[1] - 1
        if view.name != name:
            views.append(view)
            true.append(geometry)
            continue
        views.append(mirrored_image(view))
        turned = geometry.detector_to_ras.copy()
        turned[:3, 3] += turned[:3, 0] * last_column
        turned[:3, 0] *= -1
        true.append(ViewGeometry(geometry.source_ras, turned, geometry.shape))
    initial = {}
    for level, pose in case.initial.items():
        column, row = pose.clicks[name]
        initial[level] = replace(pose, clicks={**pose.clicks, name: (last_column - column, row)})
    return replace(case, views=tuple(views), initial=initial), tuple(true)


def _with_cropped_view(
    case: RegistrationCase, geometries: tuple[ViewGeometry, ...]
) -> tuple[RegistrationCase, tuple[ViewGeometry, ...]]:
    first = case.views[0]
    cut = round(first.image.shape[1] * CROPPED_SHARE)
    image = np.ascontiguousarray(first.image[:, cut:])
    rows, columns = image.shape
    shifted = geometries[0].detector_to_ras.copy()
    shifted[:3, 3] += shifted[:3, 0] * cut
    true = ViewGeometry(geometries[0].source_ras, shifted, (rows, columns))
    kept = ViewGeometry(first.geometry.source_ras, first.geometry.detector_to_ras, (rows, columns))
    initial = {}
    for level, pose in case.initial.items():
        column, row = pose.clicks[first.name]
        initial[level] = replace(pose, clicks={**pose.clicks, first.name: (column - cut, row)})
    view = replace(first, image=image, geometry=kept, field=None)
    return replace(case, views=(view, *case.views[1:]), initial=initial), (true, *geometries[1:])


def _misplaced(geometry: ViewGeometry, fault: Fault, rng: np.random.Generator) -> ViewGeometry:
    angle = rng.uniform(0, 2 * np.pi)
    right, down = unit(geometry.column_step), unit(geometry.row_step)
    shift = fault.detector_mm * (np.cos(angle) * right + np.sin(angle) * down)
    turn = geometry.normal * np.radians(fault.detector_deg) * rng.choice([-1.0, 1.0])
    moved = RigidTransform.identity().rotated_about(geometry.centre_ras, turn, shift)
    source: FloatArray = geometry.source_ras + unit(rng.normal(size=3)) * fault.source_mm
    return ViewGeometry(source, moved.matrix @ geometry.detector_to_ras, geometry.shape)
