"""A label map that was shifted against its CT is refused; one that lies on its bone is not."""

from __future__ import annotations

import numpy as np
import pytest

from radgs.case import Level, RegistrationCase
from radgs.case.checks.bone_under_label import check_bone_under_label, label_offset
from radgs.errors import CaseError
from radgs.geometry import Volume


def shifted(labels: Volume, shift: tuple[float, float, float]) -> Volume:
    matrix = labels.index_to_ras.copy()
    matrix[:3, 3] += shift
    return Volume(labels.array, matrix)


def test_a_label_on_its_bone_passes(small_case: RegistrationCase) -> None:
    level = small_case.levels[0]
    assert label_offset(small_case.ct, small_case.labels, level.label).distance_mm == 0.0
    check_bone_under_label(small_case.ct, small_case.labels, level)


@pytest.mark.parametrize("shift", [(5.0, 0.0, 0.0), (0.0, -5.0, 0.0), (0.0, 0.0, 5.0), (-3.0, 3.0, 3.0)])
def test_a_label_5_mm_off_is_refused_and_its_offset_found(
    small_case: RegistrationCase, shift: tuple[float, float, float]
) -> None:
    labels, level = shifted(small_case.labels, shift), small_case.levels[0]
    found = label_offset(small_case.ct, labels, level.label)
    assert np.linalg.norm(found.shift + np.array(shift)) < 2.5
    with pytest.raises(CaseError, match="do not coincide"):
        check_bone_under_label(small_case.ct, labels, Level(level.name, level.label))
