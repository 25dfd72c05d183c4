"""Are CT and X-rays of one patient, and the X-rays of one day, as far as their headers say?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from itertools import combinations

from radgs.case.result import Reason
from radgs.errors import CaseError
from radgs.io.dicom_identity import Identity

#: Bones that grew, broke or were operated on since: an older CT may not show the vertebra as it is, days.
MAX_CT_AGE_DAYS = 365

#: What says who somebody is besides the number, as people call it.
PARTICULARS = {"birth_date": "birth date", "sex": "sex", "name": "name"}


def compare_identities(ct: Identity | None, xrays: Mapping[str, Identity]) -> tuple[Reason, ...]:
    """Compares every two inputs that say whose they are.

    Args:
        ct: Of the CT; None where its file says nothing.
        xrays: Of the views whose files say so, by the view's name.

    Returns:
        Disagreements that a person must look at: they keep a pose from being accepted.

    Raises:
        CaseError: Two inputs are of different patients.
    """
    known = {f"view {name}": identity for name, identity in xrays.items()}
    if ct is not None:
        known = {"the CT": ct, **known}
    cautions = [
        caution
        for (first, one), (second, other) in combinations(known.items(), 2)
        if (caution := _compare(first, one, second, other)) is not None
    ]
    return (*cautions, *_compare_days(ct, xrays))


def _compare(first: str, one: Identity, second: str, other: Identity) -> Reason | None:
    differing = [
        f"{what} {mine} against {yours}"
        for field, what in PARTICULARS.items()
        if (mine := getattr(one, field)) and (yours := getattr(other, field)) and mine != yours
    ]
    same_numbering = one.issuer == other.issuer or not (one.issuer and other.issuer)
    numbers_differ = bool(one.patient_id and other.patient_id) and one.patient_id != other.patient_id
    if numbers_differ and same_numbering:
        differing.insert(0, f"Patient ID {one.patient_id} against {other.patient_id}")
    if not differing:
        return None
    confirmed = one.birth_date and one.birth_date == other.birth_date and one.name and one.name == other.name
    only_the_number = numbers_differ and len(differing) == 1
    only_the_name = differing[0].startswith("name") and one.patient_id and one.patient_id == other.patient_id
    what = f"{first[0].upper()}{first[1:]} and {second} differ in whose they are: {', '.join(differing)}."
    if one.deidentified or other.deidentified or (only_the_number and confirmed) or only_the_name:
        return Reason("identity", f"{what} Confirm that both are this patient's.")
    raise CaseError(
        what, "Give images of one patient; if both are this patient's, correct the header that is wrong and try again."
    )


def _compare_days(ct: Identity | None, xrays: Mapping[str, Identity]) -> list[Reason]:
    cautions = []
    days = {name: day for name, identity in xrays.items() if (day := _day(identity)) is not None}
    for (first, one), (second, other) in combinations(days.items(), 2):
        if one != other:
            cautions.append(
                Reason(
                    "dates",
                    f"View {first} is of {one} and view {second} of {other}: the patient did not lie still between "
                    "them.",
                )
            )
    scanned = None if ct is None else _day(ct)
    if scanned is not None and days:
        name, taken = max(days.items(), key=lambda item: item[1])
        if (taken - scanned).days > MAX_CT_AGE_DAYS:
            cautions.append(
                Reason("dates", f"The CT is of {scanned} and view {name} of {taken}: bones may have changed since.")
            )
    return cautions


def _day(identity: Identity) -> date | None:
    text = identity.date.replace(".", "")
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        return None
