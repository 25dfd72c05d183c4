"""A phantom around a patient's vertebrae: their shapes and places are the patient's, and their labels say so."""

from __future__ import annotations

import numpy as np
import pytest

from radgs.anatomy import vertebra_frame
from radgs.errors import CaseError
from radgs.geometry import RigidTransform, Volume
from radgs.phantom import LUMBAR_SPINE, PhantomSpine, make_spine
from radgs.phantom.extent import VERSE


@pytest.fixture(scope="module")
def patient() -> PhantomSpine:
    """Somebody else: a phantom has a label map like a patient's."""
    return make_spine(5, spacing_mm=1.5, soft_tissue=False, noise_hu=0.0)


@pytest.fixture(scope="module")
def labels(patient: PhantomSpine) -> Volume:
    """The patient's labels, T11's too, elsewhere in space than a phantom, and stored from left to right."""
    array = patient.labels.array
    # T11 has no label in a phantom; a copy of T12 above it serves.
    step = round((patient.frames["T12"].translation - patient.frames["L1"].translation)[2] / 1.5)
    padded = np.concatenate([array, np.zeros((step, *array.shape[1:]), array.dtype)])
    k, j, i = np.nonzero(array == VERSE["T12"])
    padded[k + step, j, i] = VERSE["T11"]
    index_to_ras = RigidTransform(np.eye(3), np.array([40.0, -30.0, 500.0])).matrix @ patient.labels.index_to_ras
    flipped = index_to_ras @ np.array([[-1, 0, 0, padded.shape[2] - 1], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    return Volume(padded[..., ::-1].copy(), flipped)


def test_vertebrae_have_the_patients_shape_and_stand_as_the_patients_do(patient: PhantomSpine, labels: Volume) -> None:
    spine = make_spine(6, spacing_mm=1.5, soft_tissue=False, noise_hu=0.0, real_labels=labels)
    assert spine.levels == {level: VERSE[level] for level in LUMBAR_SPINE.whole}
    for level in ("L1", "L2", "L3", "L4"):
        label = VERSE[level]
        drawn, real = (float((one.array == label).sum()) * np.prod(one.spacing) for one in (spine.labels, labels))
        assert drawn == pytest.approx(real, rel=0.03)
        between = vertebra_frame(spine.labels, label).inverse() @ spine.frames[level]
        assert np.linalg.norm(between.translation) < 1.0
        assert np.degrees(between.angle) < 2.0
        moved = spine.labels.sample(
            spine.frames[level].apply(
                vertebra_frame(labels, label)
                .inverse()
                .apply(labels.to_ras(np.argwhere(labels.array == label)[:, ::-1]))
            ),
            order=0,
        )
        assert (moved == label).mean() > 0.93
    bone = spine.ct.array[spine.labels.array == VERSE["L3"]]
    assert bone.mean() > 150


def test_between_bones_is_nothing_of_them(labels: Volume) -> None:
    """A distance that ends suddenly at its window's edge was once drawn as a thin line of bone."""
    spine = make_spine(6, spacing_mm=1.5, soft_tissue=False, noise_hu=0.0, real_labels=labels)
    frame = spine.frames["L3"]
    places = frame.apply(
        [[x, y, z] for x in np.linspace(-60, 60, 81) for y in (25.0, 32.0, 40.0) for z in (-10, 0, 10)]
    )
    assert spine.ct.sample(places).max() < 100


def test_a_column_that_is_not_all_there_is_named(patient: PhantomSpine) -> None:
    with pytest.raises(CaseError, match="no T11"):
        make_spine(6, spacing_mm=2.0, real_labels=patient.labels)


@pytest.mark.slow
def test_a_real_lumbar_spine(verse_labels: Volume) -> None:
    spine = make_spine(7, spacing_mm=1.5, real_labels=verse_labels)
    heights = {level: _height(spine, level) for level in LUMBAR_SPINE.whole}
    assert heights["L1"] < 0.75 * heights["L2"]  # it is crushed


def _height(spine: PhantomSpine, level: str) -> float:
    """Of the body's middle, mm."""
    points = (
        spine.frames[level]
        .inverse()
        .apply(spine.labels.to_ras(np.argwhere(spine.labels.array == VERSE[level])[:, ::-1]))
    )
    near = points[np.linalg.norm(points[:, :2], axis=1) < 6.0, 2]
    return float(np.ptp(near))
