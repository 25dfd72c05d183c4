"""A C-arm's numbers make a view, and come back from it."""

from __future__ import annotations

import numpy as np
import pytest

from radgs.geometry import ViewGeometry
from radgs.geometry.c_arm import PATIENT_ON_TABLE, CArm, FilmTurn, beam_direction, c_arm_of, machine_to_patient


@pytest.mark.parametrize("seed", range(20))
def test_an_exposure_comes_back_from_its_view(seed: int) -> None:
    rng = np.random.default_rng(seed)
    given = CArm(
        float(rng.uniform(-180, 180)),
        float(rng.uniform(-80, 80)),
        float(rng.uniform(900, 1400)),
        float(rng.uniform(500, 800)),
        (float(rng.uniform(0.1, 0.5)), float(rng.uniform(0.1, 0.5))),
        (400, 300),
        (float(rng.uniform(0, 400)), float(rng.uniform(0, 300))),
        FilmTurn(int(rng.integers(4)), bool(rng.integers(2))),
    )
    isocentre = rng.uniform(-50, 50, 3)
    view = given.view(isocentre)
    found = c_arm_of(view, near=isocentre)
    assert found is not None
    c_arm, place = found
    assert (c_arm.turn.quarters % 4, c_arm.turn.flipped) == (given.turn.quarters % 4, given.turn.flipped)
    for name in ("primary_deg", "secondary_deg", "source_to_detector_mm", "source_to_isocentre_mm"):
        assert getattr(c_arm, name) == pytest.approx(getattr(given, name), abs=1e-7), name
    np.testing.assert_allclose(place, isocentre, atol=1e-7)
    np.testing.assert_allclose(c_arm.view(place).detector_to_ras, view.detector_to_ras, atol=1e-7)
    np.testing.assert_allclose(c_arm.view(place).source_ras, view.source_ras, atol=1e-7)


def test_where_nothing_is_near_the_isocentre_lies_between_source_and_detector() -> None:
    view = CArm(0.0, 0.0, 1000.0, 600.0, (0.3, 0.3), (100, 100)).view([0.0, 5000.0, 0.0])
    found = c_arm_of(view)
    assert found is not None
    c_arm, place = found
    assert 0 < c_arm.source_to_isocentre_mm < 1000.0
    np.testing.assert_allclose(c_arm.view(place).source_ras, view.source_ras, atol=1e-9)


@pytest.mark.parametrize("spoil", ["turned", "slanted"])
def test_a_film_that_no_quarter_turn_explains_is_none_of_a_c_arm(spoil: str) -> None:
    view = CArm(20.0, 5.0, 1000.0, 600.0, (0.3, 0.3), (100, 100)).view()
    film = view.detector_to_ras.copy()
    columns, rows = film[:3, 0].copy(), film[:3, 1].copy()
    film[:3, 0] = columns + 0.05 * rows
    if spoil == "turned":
        film[:3, 1] = rows - 0.05 * columns
    assert c_arm_of(ViewGeometry(view.source_ras, film, view.shape)) is None


def test_a_beam_along_the_patient_has_no_primary_angle() -> None:
    assert c_arm_of(CArm(0.0, 90.0, 1000.0, 600.0, (0.3, 0.3), (100, 100)).view()) is None


@pytest.mark.parametrize("position", PATIENT_ON_TABLE)
def test_angles_off_the_machine_become_the_patient_s(position: str) -> None:
    """The machine's front is up, its left the left of who lies on the back with the head at the table's head."""
    patient = machine_to_patient(position)
    right, front, head = patient.rotation @ beam_direction(30.0, 20.0)
    assert (head > 0) == position.startswith("HF")
    assert (front > 0) == position.endswith("S")
    assert (right < 0) == (position in ("HFS", "FFP"))
    assert np.linalg.det(patient.rotation) == pytest.approx(1.0)
