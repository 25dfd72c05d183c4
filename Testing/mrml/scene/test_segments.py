"""The segmentation as a label map: every voxel in its place, numbers that tell which vertebrae are neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import slicer
from numpy.typing import NDArray

from radgs.errors import CaseError
from radgs.geometry import Volume

IJK_TO_RAS = np.array([[0, -1.5, 0, 30], [1.2, 0, 0, -20], [0, 0, 2.0, 5], [0, 0, 0, 1]], dtype=float)


def block(low: tuple[int, int, int], high: tuple[int, int, int]) -> NDArray[np.uint8]:
    """A box of ones with indices low <= (i, j, k) < high in a grid of 30 x 24 x 20."""
    array = np.zeros((20, 24, 30), np.uint8)
    (i, j, k), (ii, jj, kk) = low, high
    array[k:kk, j:jj, i:ii] = 1
    return array


def add_segmentation(blocks: dict[str, NDArray[np.uint8]]) -> tuple[Any, dict[str, str]]:
    """A segmentation with a segment per name; and the segments' IDs."""
    volume = slicer.util.addVolumeFromArray(np.zeros((20, 24, 30), np.int16), ijkToRAS=IJK_TO_RAS, name="CT")
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Vertebrae")
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    identifiers = {}
    for name, array in blocks.items():
        identifiers[name] = node.GetSegmentation().AddEmptySegment("", name)
        slicer.util.updateSegmentBinaryLabelmapFromArray(array, node, identifiers[name], volume)
    return node, identifiers


def exported(node: Any, segments: dict[str, str]) -> Volume:
    from RadGSRegLib.scene.segments import label_map

    *steps, labels = label_map(node, segments)
    assert all(step is None for step in steps)
    assert labels is not None
    return labels


def voxels(labels: Volume, value: int) -> set[tuple[float, ...]]:
    """RAS of every voxel with a value."""
    points = labels.to_ras(np.argwhere(labels.array == value)[:, ::-1])
    return {tuple(np.round(point, 6)) for point in points}


def expected(array: NDArray[np.uint8]) -> set[tuple[float, ...]]:
    return voxels(Volume(array, IJK_TO_RAS), 1)


L2, L3, RIB = block((5, 5, 12), (12, 15, 17)), block((5, 6, 4), (13, 16, 9)), block((20, 2, 2), (25, 6, 15))


def test_every_segment_lands_where_it_was_drawn(a_logic: Any) -> None:
    node, ids = add_segmentation({"L2": L2, "vertebrae_L3": L3, "rib": RIB})
    labels = exported(node, {"L3": ids["vertebrae_L3"]})
    assert voxels(labels, 22) == expected(L3)
    assert voxels(labels, 21) == expected(L2)
    assert voxels(labels, 101) == expected(RIB)


def test_no_segment_touches_the_label_maps_border(a_logic: Any) -> None:
    node, ids = add_segmentation({"L3": block((0, 0, 0), (30, 24, 20))})
    labels = exported(node, {"L3": ids["L3"]}).array
    assert (labels != 0).sum() == 30 * 24 * 20
    assert all(not (labels.take(end, axis) != 0).any() for axis in range(3) for end in (0, -1))


def test_where_segments_overlap_the_level_wins(a_logic: Any) -> None:
    whole = block((2, 2, 2), (28, 22, 18))
    node, ids = add_segmentation({"L3": L3})
    # A separate layer, as overlapping segments are stored.
    other = node.GetSegmentation().AddEmptySegment("", "spine")
    slicer.util.updateSegmentBinaryLabelmapFromArray(whole, node, other, slicer.util.getNode("CT"))
    labels = exported(node, {"L3": ids["L3"]})
    assert voxels(labels, 22) == expected(L3)
    assert voxels(labels, 101) == expected(whole) - expected(L3)


def test_the_users_choice_overrules_the_names(a_logic: Any) -> None:
    node, ids = add_segmentation({"L3": L2, "L4": L3})
    labels = exported(node, {"L3": ids["L4"]})
    assert voxels(labels, 22) == expected(L3)
    assert voxels(labels, 101) == expected(L2)
    assert set(np.unique(labels.array)) == {0, 22, 101}


def test_segments_that_no_name_explains_are_never_taken_for_neighbours(a_logic: Any) -> None:
    from RadGSRegLib.scene.segments import label_numbers

    node, ids = add_segmentation({"Segment_1": L2, "Segment_2": L3, "Segment_3": RIB})
    numbers = sorted(label_numbers(node, {"L3": ids["Segment_2"]}).values())
    assert numbers == [22, 101, 103]
    assert sorted(label_numbers(node, {"mine": ids["Segment_2"]}).values()) == [101, 103, 105]


def test_a_level_without_voxels_or_without_segment_is_refused(a_logic: Any) -> None:
    node, ids = add_segmentation({"L3": L3})
    empty = node.GetSegmentation().AddEmptySegment("", "L4")
    for identifier in (empty, "nothing"):
        with pytest.raises(CaseError, match="The segment for level L4 is missing or empty"):
            exported(node, {"L3": ids["L3"], "L4": identifier})


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("L3", "L3"),
        ("vertebrae_L3", "L3"),
        ("T12 vertebra", "T12"),
        ("Vertebra (L1)", "L1"),
        ("L3_L4_disc", "L3"),
        ("L6", None),
        ("T13", None),
        ("PL3", None),
        ("L30", None),
        ("rib_left_1", None),
    ],
)
def test_levels_are_found_in_names(a_logic: Any, name: str, level: str | None) -> None:
    from RadGSRegLib.scene.segments import level_in_name

    assert level_in_name(name) == level


def test_levels_come_from_the_head_down(a_logic: Any) -> None:
    node, ids = add_segmentation({"L3": L3, "T12": RIB, "L2": L2})
    assert list(a_logic.levels(node).items()) == [(name, ids[name]) for name in ("T12", "L2", "L3")]


def test_a_surface_encloses_its_segment_and_nothing_else(a_logic: Any) -> None:
    from RadGSRegLib.scene.segments import surface

    node, ids = add_segmentation({"L2": L2, "L3": L3})
    bounds = np.array(surface(node, ids["L3"]).GetBounds()).reshape(3, 2)
    points = np.array(sorted(expected(L3)))
    spacing = np.array([1.5, 1.2, 2.0])
    assert (bounds[:, 0] < points.min(axis=0)).all()
    assert (bounds[:, 1] > points.max(axis=0)).all()
    assert (np.abs(bounds[:, 0] - points.min(axis=0)) < 1.2 * spacing).all()  # smoothing rounds the corners
    assert not node.GetSegmentation().ContainsRepresentation("Closed surface")
