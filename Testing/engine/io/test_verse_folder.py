"""VerSe's folders as published, made by hand: which scans are taken, what is left out, and where centroids lie."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from radgs.errors import InputFileError
from radgs.geometry import Volume
from radgs.io.verse_centroids import LEVEL_OF_LABEL, centroid_on_label, read_centroids
from radgs.io.verse_folder import find_verse_scans


def scan(split: Path, name: str, *kinds: str) -> None:
    """Empty files of a scan: "ct", "msk" and "ctd", as named."""
    patient = name.split("_")[0]
    raw, derived = split / "rawdata" / patient, split / "derivatives" / patient
    for kind, path in {
        "ct": raw / f"{name}_ct.nii.gz",
        "msk": derived / f"{name}_seg-vert_msk.nii.gz",
        "ctd": derived / f"{name}_seg-subreg_ctd.json",
    }.items():
        if kind in kinds:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()


ALL = ("ct", "msk", "ctd")


def test_scans_are_listed_by_patient_and_split(tmp_path: Path) -> None:
    scan(tmp_path / "dataset-verse20training", "sub-verse500_dir-ax", *ALL)
    scan(tmp_path / "dataset-verse20training", "sub-verse401_split-verse253", *ALL)
    scan(tmp_path / "dataset-verse20validation", "sub-verse502_dir-sag", *ALL)
    scan(tmp_path / "dataset-verse20test", "sub-verse401_split-verse212", *ALL)
    found = find_verse_scans(tmp_path)
    assert [(one.name, one.patient, one.split) for one in found.scans] == [
        ("sub-verse401_split-verse212", "sub-verse401", "test"),
        ("sub-verse401_split-verse253", "sub-verse401", "test"),  # another scan of a patient kept for the test
        ("sub-verse500_dir-ax", "sub-verse500", "training"),
        ("sub-verse502_dir-sag", "sub-verse502", "validation"),
    ]
    assert found.left_out == ()
    (alone,) = find_verse_scans(tmp_path / "dataset-verse20validation").scans
    assert alone.split == "validation"
    assert alone.mask.is_file()


def test_a_folder_half_there_is_told_scan_by_scan(tmp_path: Path) -> None:
    split = tmp_path / "training"
    scan(split, "sub-verse500_dir-ax", *ALL)
    scan(split, "sub-verse501_dir-ax", "ct")
    scan(split, "sub-verse502", "ct", "msk")
    scan(split, "sub-verse503_dir-ax", "msk", "ctd")
    (split / "rawdata" / "sub-verse504").mkdir()
    scan(split, "sub-gl003_dir-ax", *ALL)
    scan(split, "sub-gl004_dir-ax", *ALL)
    found = find_verse_scans(split)
    assert [one.name for one in found.scans] == ["sub-verse500_dir-ax"]
    assert list(found.left_out) == [
        "sub-verse501_dir-ax is left out: its CT has no labels, sub-verse501_dir-ax_seg-vert_msk.nii.gz is missing.",
        "sub-verse502 is left out: its labels have no levels, sub-verse502_seg-subreg_ctd.json is missing.",
        "sub-verse504 is left out: there is no CT in its folder.",
        "sub-verse503_dir-ax is left out: its labels have no CT.",
        "2 patients sub-gl* are left out: their licence forbids derived works.",
    ]


def test_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="rawdata"):
        find_verse_scans(tmp_path)
    with pytest.raises(InputFileError, match="rawdata"):
        find_verse_scans(tmp_path / "nowhere")


def test_levels_are_numbered_as_verse_says() -> None:
    named = {1: "C1", 7: "C7", 8: "T1", 19: "T12", 20: "L1", 24: "L5", 25: "L6", 28: "T13"}
    assert {label: LEVEL_OF_LABEL[label] for label in named} == named
    assert 26 not in LEVEL_OF_LABEL
    assert 27 not in LEVEL_OF_LABEL


def sagittal_mask() -> tuple[Volume, np.ndarray]:
    """Columns run to posterior, rows to inferior, slices to the right; and one voxel (i, j, k) of label 22."""
    voxel = np.array([4, 9, 2])
    array = np.zeros((7, 20, 11), np.uint8)
    array[tuple(voxel[::-1])] = 22
    index_to_ras = np.eye(4)
    index_to_ras[:3, 0], index_to_ras[:3, 1], index_to_ras[:3, 2] = (0, -0.8, 0), (0, 0, -0.8), (2.0, 0, 0)
    index_to_ras[:3, 3] = 30.0, -40.0, 50.0
    return Volume(array, index_to_ras), voxel


@pytest.mark.parametrize("directions", ["PIR", "LAS", "SPL", "RIA"])
def test_a_centroid_lies_where_its_file_says_in_whatever_directions(directions: str, tmp_path: Path) -> None:
    mask, voxel = sagittal_mask()
    runs = {"P": (0, 1), "A": (0, -1), "I": (1, 1), "S": (1, -1), "R": (2, 1), "L": (2, -1)}
    # The mask turned into those directions: the voxel's place in it is what the file states.
    turned = mask.array.transpose(2, 1, 0).transpose([runs[letter][0] for letter in directions])
    turned = turned[tuple(slice(None, None, runs[letter][1]) for letter in directions)]
    ((x, y, z),) = np.argwhere(turned == 22)
    path = tmp_path / "ctd.json"
    path.write_text(json.dumps([{"direction": list(directions)}, {"label": 22, "X": int(x), "Y": int(y), "Z": int(z)}]))
    (centre,) = read_centroids(path, mask).values()
    np.testing.assert_allclose(centre, mask.to_ras(voxel), atol=1e-9)
    assert centroid_on_label(mask, 22, centre)
    assert not centroid_on_label(mask, 21, centre)
    assert not centroid_on_label(mask, 22, centre + [0, 0, 20.0])


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "{}",
        "[]",
        '[{"direction": ["P", "P", "R"]}]',
        '[{"direction": ["P", "I"]}]',
        '[{"direction": ["X", "Y", "Z"]}]',
        '[{"direction": ["P", "I", "R"]}, {"label": 22, "X": 1}]',
        '[{"direction": ["P", "I", "R"]}, {"label": 22, "X": 1, "Y": NaN, "Z": 2}]',
    ],
)
def test_other_files_are_no_centroids(text: str, tmp_path: Path) -> None:
    path = tmp_path / "ctd.json"
    path.write_text(text)
    with pytest.raises(InputFileError, match="VerSe's centroids"):
        read_centroids(path, sagittal_mask()[0])
