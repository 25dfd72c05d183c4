"""A spine segment as the JSON file states it, written by hand, and its starts as the protocol words them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from radgs.case.importing.gold_standards import spine_segment_case, start_cases
from radgs.errors import InputFileError
from radgs.geometry import FloatArray, ViewGeometry
from radgs.io.gold_standards import read_spine_segment

SIZE = (40, 44, 36)
INDEX_TO_WCS = np.array([[0.0, 2.0, 0.0, -40.0], [0.0, 0.0, 2.0, 30.0], [2.0, 0.0, 0.0, -35.0], [0.0, 0.0, 0.0, 1.0]])
#: The world's y is superior, its z anterior.
TO_PATIENT = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]]) * [[-1.0], [1.0], [1.0]]
CENTRE = [3.0, 65.0, 4.0]
STARTS = [[1.0, -2.0, 3.0, 5.0, -10.0, 15.0], [0.0, 0.0, 0.0, 0.0, 0.0, 0.0], [0.0, 4.0, 0.0, 90.0, 0.0, 90.0]]


def view(direction: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Source and film of 150 x 140 pixels, in the WCS."""
    up = np.array([0.0, 1.0, 0.0])
    right = np.cross(direction, up)
    film = np.eye(4)
    film[:3, 0], film[:3, 1], film[:3, 2] = right * 1.5, -up * 1.5, direction
    film[:3, 3] = np.array(CENTRE) + 500.0 * direction - film[:3, :2] @ [74.5, 69.5]
    return np.array(CENTRE) - 700.0 * direction, film


VIEWS = {"AP": view(np.array([0.0, 0.0, -1.0])), "LAT": view(np.array([1.0, 0.0, 0.0]))}


def write(folder: Path, **changed: Any) -> Path:
    """A segment with two vertebrae: k, j, i are the raw file's axes, the last the fastest."""
    rng = np.random.default_rng(0)
    bone = np.zeros(SIZE[::-1], bool)
    upper, lower = bone.copy(), bone.copy()
    lower[6:16, 12:30, 10:30], upper[20:30, 12:30, 10:30] = True, True
    ct = np.where(upper | lower, 300, 40).astype(">i2")
    ct[:, 40:] = -1000
    (folder / "ct.raw").write_bytes(ct.tobytes())
    for name, mask in (("L1", upper), ("L2", lower)):
        (folder / f"{name}.raw").write_bytes(mask.astype("u1").tobytes())
    described_views = []
    for name, (source, film) in VIEWS.items():
        (folder / f"{name}.raw").write_bytes(rng.uniform(100, 900, (140, 150)).astype("<u2").tobytes())
        described_views.append(
            {
                "name": name,
                "file": f"{name}.raw",
                "type": "uint16",
                "byte_order": "little",
                "size": [150, 140],
                "pixel_type": "intensity",
                "source_wcs": source.tolist(),
                "detector_to_wcs": film.tolist(),
            }
        )
    mask = {"type": "uint8", "byte_order": "little", "centre_wcs": CENTRE, "size": list(SIZE)}
    np.savetxt(folder / "starts.txt", STARTS)
    values = {
        "schema": "radgs.gold-standard/1",
        "superior": "+y",
        "anterior": "+z",
        "volume": {
            "file": "ct.raw",
            "type": "int16",
            "byte_order": "big",
            "size": list(SIZE),
            "index_to_wcs": INDEX_TO_WCS.tolist(),
        },
        "vertebrae": [{"name": name, "file": f"{name}.raw", **mask} for name in ("L1", "L2")],
        "views": described_views,
        "starts": {
            "file": "starts.txt",
            "columns": "tx ty tz rx ry rz",
            "rotation_order": "xyz",
            "angle_unit": "degrees",
        },
    }
    for place, value in changed.items():
        top, _, key = place.partition("__")
        if key:
            values[top][key] = value
        else:
            values[top] = value
    path = folder / "segment.json"
    path.write_text(json.dumps(values))
    return path


def test_volume_and_films_stand_where_the_file_says_in_patient_axes(tmp_path: Path) -> None:
    segment = read_spine_segment(write(tmp_path))
    assert segment.ct.array[25, 20, 20] == 300
    assert segment.ct.array[0, 0, 0] == 40
    assert segment.vertebrae == {1: "L1", 2: "L2"}
    assert segment.labels.array[25, 20, 20] == 1
    assert segment.labels.array[10, 20, 20] == 2
    indices = np.array([[3.0, 5.0, 7.0], [30.0, 2.0, 20.0]])
    wcs = indices @ INDEX_TO_WCS[:3, :3].T + INDEX_TO_WCS[:3, 3]
    np.testing.assert_allclose(segment.ct.to_ras(indices), wcs @ TO_PATIENT.T)
    assert segment.ct.to_ras([20, 20, 25])[2] > segment.ct.to_ras([20, 20, 10])[2]  # L1 lies above L2
    for name, (source, film) in VIEWS.items():
        # A view in the WCS itself sees the same pixels.
        values, geometry = segment.views[name]
        expected = ViewGeometry(source, film, (140, 150)).project(wcs)
        np.testing.assert_allclose(geometry.project(wcs @ TO_PATIENT.T), expected)
        assert values.shape == (140, 150)


def turned(axis: str, degrees: float) -> FloatArray:
    """A rotation about an axis of the world, by the right-hand rule."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return {
        "x": np.array([[1, 0, 0], [0, c, -s], [0, s, c]]),
        "y": np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]),
        "z": np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]),
    }[axis]


@pytest.mark.parametrize("order", ["xyz", "zyx", "yxz"])
def test_a_start_turns_about_the_vertebras_centre_and_then_shifts(order: str, tmp_path: Path) -> None:
    segment = read_spine_segment(write(tmp_path, starts__rotation_order=order))
    points = np.random.default_rng(3).uniform(-20, 20, (10, 3)) + CENTRE
    for start, (tx, ty, tz, rx, ry, rz) in zip(segment.starts, STARTS, strict=True):
        angles = {"x": rx, "y": ry, "z": rz}
        moved = points - CENTRE
        for axis in order:
            moved = moved @ turned(axis, angles[axis]).T
        moved = moved + CENTRE + [tx, ty, tz]
        displacement = start.about(segment.centres["L1"])
        np.testing.assert_allclose(displacement.apply(points @ TO_PATIENT.T), moved @ TO_PATIENT.T, atol=1e-9)


def test_every_start_is_a_case_with_the_publishers_truth(tmp_path: Path) -> None:
    segment = read_spine_segment(write(tmp_path))
    whole = spine_segment_case(segment)
    whole.validate()
    cases = dict(start_cases(segment, "L2"))
    assert list(cases) == [1, 2, 3]
    for start, case in zip(segment.starts, cases.values(), strict=True):
        assert [(level.name, level.label) for level in case.levels] == [("L2", 2)]
        np.testing.assert_array_equal(case.truth["L2"].matrix, np.eye(4))
        pose = case.initial["L2"].ct_to_world
        assert pose is not None
        np.testing.assert_allclose(pose.matrix, start.about(segment.centres["L2"]).matrix)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"starts__rotation_order": "xyx"}, "rotation_order"),
        ({"starts__angle_unit": "gon"}, "angle_unit"),
        ({"starts__columns": "tx ty tz"}, "columns"),
        ({"volume__size": [40, 44, 35]}, "ct.raw does not hold"),
        ({"volume__size": [40, 44, 37]}, "ct.raw does not hold"),
        ({"volume__type": "float64"}, "type"),
        ({"volume__byte_order": "middle"}, "byte_order"),
        ({"schema": "radgs.case/1"}, "schema"),
    ],
)
def test_what_does_not_fit_is_told(changed: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match=said):
        read_spine_segment(write(tmp_path, **changed))


def test_starts_in_other_units_are_told(tmp_path: Path) -> None:
    path = write(tmp_path)
    (tmp_path / "starts.txt").write_text("1 2 900 0 0 0\n")
    with pytest.raises(InputFileError, match="start 1 is off by 900 mm"):
        read_spine_segment(path)
    (tmp_path / "starts.txt").write_text("1 2 3 0 0 word\n")
    with pytest.raises(InputFileError, match="no table"):
        read_spine_segment(path)
    (tmp_path / "starts.txt").write_text("1 2 3\n")
    with pytest.raises(InputFileError, match="six numbers"):
        read_spine_segment(path)
