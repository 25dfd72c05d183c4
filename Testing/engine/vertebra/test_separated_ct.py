"""One separation of the CT: whoever asks gets the same parts, and every vertebra's frame is fitted once."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from radgs.anatomy import body_centre, frame, vertebra_frame
from radgs.case import Level
from radgs.errors import CaseError
from radgs.overlay.pictures import drawn_anatomy
from radgs.phantom import PhantomSpine
from radgs.simulation import ArticulatedAnatomy
from radgs.training.training_vertebra import TrainingVertebra
from radgs.vertebra import SeparatedCT, build_vertebra_anatomy


@pytest.fixture(scope="module")
def separated(phantom_spine: PhantomSpine) -> SeparatedCT:
    return SeparatedCT.around(phantom_spine.ct, phantom_spine.labels, phantom_spine.levels["L3"])


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> Counter[int]:
    """How often the frame of each label is fitted."""
    fitted: Counter[int] = Counter()
    fit_frame = frame._fit_frame

    def counted(labels, label):  # type: ignore[no-untyped-def]
        fitted[label] += 1
        return fit_frame(labels, label)

    monkeypatch.setattr(frame, "_fit_frame", counted)
    return fitted


def test_a_vertebra_comes_with_the_ones_above_and_below(separated: SeparatedCT, phantom_spine: PhantomSpine) -> None:
    names = {label: name for name, label in phantom_spine.levels.items()}
    assert names[separated.vertebrae[0]] == "L3"
    assert {names[label] for label in separated.neighbours} == {"L2", "L4"}


def test_a_vertebras_frame_and_centre_are_those_of_its_label(
    separated: SeparatedCT, phantom_spine: PhantomSpine
) -> None:
    label = phantom_spine.levels["L3"]
    expected = vertebra_frame(phantom_spine.labels, label)
    np.testing.assert_array_equal(separated.frames.frame_to_ct(label).matrix, expected.matrix)
    other = separated.neighbours[0]
    halfway = (expected.translation + body_centre(phantom_spine.labels, other)) / 2
    np.testing.assert_allclose(separated.joint(label, other), halfway, atol=1e-9)


def test_a_vertebra_that_is_not_there_is_told(phantom_spine: PhantomSpine) -> None:
    with pytest.raises(CaseError, match="no voxel of label 99"):
        SeparatedCT.around(phantom_spine.ct, phantom_spine.labels, 99)
    with pytest.raises(CaseError, match="no voxel of label 99"):
        build_vertebra_anatomy(phantom_spine.ct, phantom_spine.labels, Level("L6", 99))


@pytest.mark.slow
def test_every_frame_is_fitted_once(fits: Counter[int], phantom_spine: PhantomSpine) -> None:
    level = Level("L3", phantom_spine.levels["L3"])
    three = {phantom_spine.levels[name]: 1 for name in ("L2", "L3", "L4")}
    TrainingVertebra.of(phantom_spine.ct, phantom_spine.labels, level)
    assert fits == three
    fits.clear()
    drawn_anatomy(phantom_spine.ct, phantom_spine.labels, level)
    assert fits == {level.label: 1}
    fits.clear()
    build_vertebra_anatomy(phantom_spine.ct, phantom_spine.labels, level)
    assert fits == three


@pytest.mark.slow
def test_training_trials_and_pictures_see_the_same_vertebra(
    separated: SeparatedCT, phantom_spine: PhantomSpine
) -> None:
    label = phantom_spine.levels["L3"]
    trial = ArticulatedAnatomy(phantom_spine.ct, phantom_spine.labels, {"L3": label})
    np.testing.assert_array_equal(trial.excess["L3"].array, separated.excess[label].array)
    trained = TrainingVertebra.of(phantom_spine.ct, phantom_spine.labels, Level("L3", label))
    np.testing.assert_array_equal(trained.excess.array, separated.sampled_excess(label, 1.0).array)
    drawn = drawn_anatomy(phantom_spine.ct, phantom_spine.labels, Level("L3", label))
    np.testing.assert_array_equal(drawn.mask.array, separated.sampled_mask(label, 1.0).array)
