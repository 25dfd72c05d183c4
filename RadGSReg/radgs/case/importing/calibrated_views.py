"""X-rays whose geometry comes from a calibration of their own."""

from __future__ import annotations

from dataclasses import replace

from radgs.case.importing.plan import PlannedView, Question
from radgs.case.importing.request import DicomImport
from radgs.errors import CaseError
from radgs.io.calibrations.calibration import calibration_origin, named_direction, patient_rotation
from radgs.io.calibrations.reading import one_reading, read_calibration


def calibrated_views(request: DicomImport, understood: list[str], questions: list[Question]) -> list[PlannedView]:
    """X-rays whose geometry a calibration gives, matched by their views' names, or else by their order.

    Raises:
        InputFileError: A file cannot be used.
        CaseError: There are other X-rays than calibrated views.
        GeometryError: The calibration can be read in no way, or in several.
    """
    names = list(request.xrays)
    by_level = [[by_view[name] for name in names] for by_view in request.clicks.values() if set(names) <= set(by_view)]
    candidates = read_calibration(
        request.calibrations,
        convention=request.convention,
        size=request.size,
        unit_mm=request.unit_mm,
        clicks=by_level[0] if by_level else None,
    )
    calibration = one_reading(candidates, request.convention)
    understood.append(f"Calibration: {calibration.kind}.")
    if request.superior is not None and request.anterior is not None:
        turn = patient_rotation(named_direction(request.superior), named_direction(request.anterior))
        calibration = calibration.moved(turn)
    elif not calibration.patient_axes:
        questions.append(
            Question(
                "Nothing says how the patient lies in the calibration's world.",
                "Name its directions: --superior and --anterior, such as +z and -y.",
            )
        )
    known = {view.name: view for view in calibration.views}
    if len(names) != len(known):
        listed = ", ".join(known)
        raise CaseError(
            f"There are {len(names)} X-rays and {len(known)} calibrated views.",
            f"Give one --xray for each view: {listed}.",
        )
    order = names if set(names) == set(known) else list(known)
    origin = calibration_origin(", ".join(path.name for path in request.calibrations), calibration.kind)
    planned = []
    for name, own in zip(names, order, strict=True):
        path, frame = request.xrays[name]
        if frame is not None:
            raise CaseError(f"{path} is a run.", "Export the frame to be registered as an image of its own.")
        view = replace(known[own], name=name)
        understood.append(f"View {name}: {path.name}, geometry of {own}.")
        understood += [f"    Assumed: {sentence}" for sentence in view.assumed]
        planned.append(PlannedView(path, "auto", view, origin))
    return planned
