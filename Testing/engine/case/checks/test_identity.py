"""CT and X-rays of two patients are refused; what may have another reason is told and keeps a pose from acceptance."""

from __future__ import annotations

from dataclasses import replace

import pytest

from radgs.case.checks.identity import compare_identities
from radgs.errors import CaseError
from radgs.io.dicom_identity import Identity

JANE = Identity("4711", "HOSPITAL", "doe jane", "19600101", "F", "20260301")
JOHN = Identity("0815", "HOSPITAL", "roe john", "19710203", "M", "20260301")


def test_one_patient_on_one_day_is_no_contradiction() -> None:
    assert compare_identities(JANE, {"AP": JANE, "LAT": JANE}) == ()


def test_nothing_said_contradicts_nothing() -> None:
    assert compare_identities(None, {"AP": JANE, "LAT": Identity()}) == ()


@pytest.mark.parametrize("where", ["CT", "LAT"])
def test_another_patient_is_refused_by_name_of_what_disagrees(where: str) -> None:
    ct, lateral = (JOHN, JANE) if where == "CT" else (JANE, JOHN)
    with pytest.raises(CaseError) as refusal:
        compare_identities(ct, {"AP": JANE, "LAT": lateral})
    named = ("The CT", "view AP") if where == "CT" else ("The CT", "view LAT")
    assert all(name in refusal.value.problem for name in named)
    assert "4711" in refusal.value.problem
    assert "0815" in refusal.value.problem


@pytest.mark.parametrize(("field", "value"), [("birth_date", "19600201"), ("sex", "M"), ("patient_id", "4712")])
def test_one_particular_that_differs_is_enough(field: str, value: str) -> None:
    other = replace(JANE, name="", **{field: value})
    with pytest.raises(CaseError):
        compare_identities(replace(JANE, birth_date="" if field == "patient_id" else JANE.birth_date), {"AP": other})


@pytest.mark.parametrize(
    "other",
    [
        replace(JANE, patient_id="4712"),  # two numbers, same name and birth date
        replace(JANE, name="smith jane"),  # a new family name
        replace(JOHN, deidentified=True),  # made up when the files were de-identified
    ],
)
def test_what_may_be_the_same_patient_is_asked(other: Identity) -> None:
    (caution,) = compare_identities(JANE, {"AP": other})
    assert caution.code == "identity"


def test_another_issuers_number_is_no_contradiction() -> None:
    assert compare_identities(JANE, {"AP": replace(JANE, patient_id="1", issuer="PRACTICE")}) == ()


def test_x_rays_of_two_days_are_told() -> None:
    (caution,) = compare_identities(None, {"AP": JANE, "LAT": replace(JANE, date="20260302")})
    assert caution.code == "dates"
    assert "2026-03-01" in caution.message
    assert "2026-03-02" in caution.message


def test_a_ct_from_long_ago_is_told() -> None:
    (caution,) = compare_identities(replace(JANE, date="20240101"), {"AP": JANE, "LAT": JANE})
    assert caution.code == "dates"


def test_a_day_that_is_none_says_nothing() -> None:
    assert compare_identities(None, {"AP": JANE, "LAT": replace(JANE, date="2026")}) == ()
