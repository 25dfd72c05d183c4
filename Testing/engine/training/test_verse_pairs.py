"""Pairs of VerSe's vertebrae, from folders made by hand in its layout."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from radgs.anatomy import body_centre
from radgs.errors import InputFileError, RadgsError
from radgs.geometry import FloatArray, Volume
from radgs.io.verse_centroids import LEVEL_OF_LABEL
from radgs.io.volumes import write_volume
from radgs.networks import load_generic
from radgs.phantom import PhantomSpine
from radgs.training.generic import train_generic
from radgs.training.pairs import PairBank
from radgs.training.verse_pairs import VerseSettings, coarsened, make_verse_pairs

L2, L3, L4 = 21, 22, 23


def write_scan(
    split: Path, name: str, ct: Volume, mask: Volume, centres: dict[int, FloatArray], *, directions: str = "RAS"
) -> None:
    """A scan in VerSe's layout; the mask's axes run along R, A and S."""
    patient = name.split("_")[0]
    raw, derived = split / "rawdata" / patient, split / "derivatives" / patient
    raw.mkdir(parents=True)
    derived.mkdir(parents=True)
    write_volume(raw / f"{name}_ct.nii.gz", ct)
    write_volume(derived / f"{name}_seg-vert_msk.nii.gz", mask)
    listed = [
        {"label": label, **dict(zip("XYZ", mask.to_index(at).tolist(), strict=True))} for label, at in centres.items()
    ]
    text = json.dumps([{"direction": list(directions)}, *listed])
    (derived / f"{name}_seg-subreg_ctd.json").write_text(text)


def only(labels: Volume, kept: Sequence[int], renamed: dict[int, int] | None = None) -> Volume:
    """A label map with a few of its labels, some under other numbers."""
    array = np.where(np.isin(labels.array, kept), labels.array, 0).astype(np.uint8)
    for old, new in (renamed or {}).items():
        array[array == old] = new
    return Volume(array, labels.index_to_ras)


@pytest.fixture
def verse(phantom_spine: PhantomSpine, tmp_path: Path) -> Path:
    """One patient: L3; L2 under a number that is no level, L4 whose centroid lies at L3's, L5 without centroid."""
    labels = only(phantom_spine.labels, [L2, L3, L4, 24], {L2: 27})
    centre = body_centre(phantom_spine.labels, L3)
    folder = tmp_path / "dataset-verse20training"
    write_scan(folder, "sub-verse500_dir-ax", phantom_spine.ct, labels, {L3: centre, L4: centre})
    return folder


def test_labels_without_their_level_are_left_out_and_the_rest_is_made_once(verse: Path, tmp_path: Path) -> None:
    pairs = tmp_path / "pairs"
    settings = VerseSettings(verse, pairs_per_vertebra=2)
    made = make_verse_pairs(pairs, settings)
    (path,) = made.files
    bank = PairBank.load(path)
    assert bank.name == "sub-verse500 L3"
    assert len(bank) == 2
    assert bank.vertebra.max() > 0.3  # a vertebra's line integrals
    assert list(made.left_out) == [
        "sub-verse500_dir-ax: L4 is left out: its label is not where its centroid is.",
        "sub-verse500_dir-ax: label 24 is left out: nothing says which level it is.",
        "sub-verse500_dir-ax: label 27 is left out: nothing says which level it is.",
    ]
    before = path.stat().st_mtime_ns
    again = make_verse_pairs(pairs, settings, cancelled=lambda: True)  # nothing is left to be made
    assert again == made
    assert path.stat().st_mtime_ns == before


def test_what_is_damaged_is_made_again_or_left_out(verse: Path, tmp_path: Path) -> None:
    pairs = tmp_path / "pairs"
    with pytest.raises(RadgsError, match="Cancelled"):
        make_verse_pairs(pairs, VerseSettings(verse, pairs_per_vertebra=2), cancelled=lambda: True)
    (ct,) = verse.glob("rawdata/*/*_ct.nii.gz")
    ct.write_bytes(ct.read_bytes()[:1000])
    made = make_verse_pairs(pairs, VerseSettings(verse, pairs_per_vertebra=2))
    assert made.files == ()
    assert len(made.left_out) == 1
    assert made.left_out[0].startswith("sub-verse500_dir-ax is left out: ")
    with pytest.raises(InputFileError, match="0 patients"):
        train_generic(tmp_path / "a.radgs.safetensors", pairs, minutes=0.1, verse=VerseSettings(verse))


def noted(folder: Path, pairs: Path, split: str, patient: str, levels: Sequence[str]) -> None:
    """A scan whose pairs an earlier run made."""
    raw, derived = folder / split / "rawdata" / patient, folder / split / "derivatives" / patient
    for path in (raw, derived, pairs):
        path.mkdir(parents=True, exist_ok=True)
    for path in (raw / f"{patient}_ct.nii.gz", derived / f"{patient}_seg-vert_msk.nii.gz"):
        path.touch()
    (derived / f"{patient}_seg-subreg_ctd.json").touch()
    files = [f"{patient}_{level}_10.npz" for level in levels]
    for name in files:
        (pairs / name).touch()
    (pairs / f"{patient}_10.json").write_text(
        json.dumps({"schema": "radgs.verse-pairs/1", "files": files, "left_out": [f"{patient}: nothing."]})
    )


def test_patients_stay_in_their_split_and_bounds_are_kept(tmp_path: Path) -> None:
    pairs = tmp_path / "pairs"
    noted(tmp_path, pairs, "training", "sub-verse001", ["L1", "L2"])
    noted(tmp_path, pairs, "training", "sub-verse002", ["T9"])
    noted(tmp_path, pairs, "validation", "sub-verse003", ["L3", "L4"])
    noted(tmp_path, pairs, "test", "sub-verse004", ["L5"])

    def taken(**settings: int) -> tuple[list[str], set[str], int]:
        made = make_verse_pairs(pairs, VerseSettings(tmp_path, **settings))  # type: ignore[arg-type]
        return [path.name.split("_")[0][-3:] for path in made.files], set(made.held_out), len(made.left_out)

    assert taken() == (["001", "001", "002", "003", "003"], {"sub-verse003"}, 4)
    assert taken(all_splits=True) == (["001", "001", "002", "003", "003", "004"], set(), 4)
    assert taken(cts=2) == (["001", "001", "002"], set(), 3)
    assert taken(pairs=45) == (["001", "001", "002", "003"], {"sub-verse003"}, 4)
    assert taken(pairs=20)[0] == ["001", "001"]
    (pairs / "sub-verse002_T9_10.npz").unlink()
    assert taken()[0] == ["001", "001", "003", "003"]  # its files are empty, so that it cannot be made again


def test_a_vertebra_cut_off_is_left_out(phantom_spine: PhantomSpine, tmp_path: Path) -> None:
    centre = body_centre(phantom_spine.labels, L3)
    middle = int(phantom_spine.ct.to_index(centre)[2])
    ct = Volume(phantom_spine.ct.array[:middle], phantom_spine.ct.index_to_ras)
    labels = only(phantom_spine.labels, [L3])
    mask = Volume(labels.array[:middle], labels.index_to_ras)
    write_scan(tmp_path / "data", "sub-verse501", ct, mask, {L3: centre - [0, 0, 4.0]})
    made = make_verse_pairs(tmp_path / "pairs", VerseSettings(tmp_path / "data"))
    assert made.files == ()
    assert "L3 is left out" in made.left_out[0]
    assert "border" in made.left_out[0]


def test_what_was_never_reconstructed_is_soft_tissue(phantom_spine: PhantomSpine, tmp_path: Path) -> None:
    """A CT of a round field, unknown outside it: pairs are finite, and no edge of the field is the patient's."""
    ct = phantom_spine.ct
    centre = body_centre(phantom_spine.labels, L3)
    k, j, i = np.indices(ct.array.shape)
    away = np.linalg.norm((ct.to_ras(np.stack([i, j, k], axis=-1)) - centre)[..., :2], axis=-1)
    round_field = Volume(np.where(away < 75.0, ct.array, np.nan).astype(np.float32), ct.index_to_ras)
    write_scan(tmp_path / "data", "sub-verse502", round_field, only(phantom_spine.labels, [L3]), {L3: centre})
    (path,) = make_verse_pairs(tmp_path / "pairs", VerseSettings(tmp_path / "data", pairs_per_vertebra=2)).files
    bank = PairBank.load(path)  # refuses what is not finite
    assert bank.background.min() > 0.5  # tissue wherever the crop looks


def test_fine_voxels_are_taken_together_where_they_are() -> None:
    array = np.zeros((8, 6, 9), np.float32)
    array[2:4, 2:4, 3:6] = 12.0
    index_to_ras = np.diag([0.3, 0.5, 0.4, 1.0])
    index_to_ras[:3, 3] = 7.0, 8.0, 9.0
    fine = Volume(array, index_to_ras)
    coarse = coarsened(fine, lambda blocks: blocks.mean(axis=(3, 4, 5)))
    assert coarse.size == (3, 3, 4)  # 0.9, 1.0 and 0.8 mm
    assert coarse.array[1, 1, 1] == 12.0
    assert coarse.array.sum() == 12.0
    np.testing.assert_allclose(coarse.to_ras([1, 1, 1]), fine.to_ras([4.0, 2.5, 2.5]))
    same = Volume(array, np.eye(4))
    assert coarsened(same, lambda blocks: blocks) is same


def with_densities(labels: Volume, seed: int) -> Volume:
    """A CT around a real label map: bone where it is, soft tissue elsewhere; 20 HU of noise."""
    rng = np.random.default_rng(seed)
    bone = labels.array > 0
    hu = np.where(bone, 300.0, 40.0) + rng.normal(0.0, 20.0, bone.shape)
    return Volume(hu.round().astype(np.int16), labels.index_to_ras)


@pytest.mark.slow
def test_a_real_label_map_with_synthetic_densities_is_trained_on(verse_labels: Volume, tmp_path: Path) -> None:
    """Two patients of one label map, as published: columns to posterior, rows to inferior, slices to the right."""
    labels = sorted(int(label) for label in np.unique(verse_labels.array) if label)
    centres = {label: body_centre(verse_labels, label) for label in labels}
    for number in (4, 5):
        ct = with_densities(verse_labels, number)
        name = f"sub-verse{number:03d}"
        write_scan(tmp_path / "training", name, ct, verse_labels, centres, directions="PIR")
    pairs, out = tmp_path / "pairs", tmp_path / "verse.radgs.safetensors"
    settings = VerseSettings(tmp_path / "training", pairs=4 * len(labels), pairs_per_vertebra=2)
    networks = train_generic(out, pairs, minutes=0.05, verse=settings, base=load_generic(), seed=1)
    made = make_verse_pairs(pairs, settings)
    names = {PairBank.load(path).name for path in made.files}
    whole = {f"sub-verse{number:03d} {LEVEL_OF_LABEL[label]}" for number in (4, 5) for label in labels}
    assert names | {line.split(" is left out")[0].replace(":", "") for line in made.left_out} == whole
    assert len(names) >= 12
    assert networks.record["verse"]["cts"] == 2
    assert networks.record["verse"]["vertebrae"] == len(names)
    assert networks.accuracy is not None
    assert networks.accuracy.pairs == len(names)  # two of each of one patient's vertebrae
