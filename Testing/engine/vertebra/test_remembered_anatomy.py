"""Anatomies kept in the cache: the same to the last bit, and only for the same voxels, place and code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save

from radgs.case import Level
from radgs.gaussians import RadiativeGaussians
from radgs.geometry import RigidTransform, Volume
from radgs.io.cache_folder import CacheFolder
from radgs.phantom import PhantomSpine
from radgs.vertebra import VertebraAnatomy, build_vertebra_anatomy
from radgs.vertebra import remembered_anatomy as module
from radgs.vertebra.remembered_anatomy import KIND, remembered_anatomy

LEVEL = Level("L3", 22)
RANDOM = np.random.default_rng(0)


def volume(*shape: int) -> Volume:
    index_to_ras = np.diag([1.0, 1.5, 2.0, 1.0])
    index_to_ras[:3, 3] = RANDOM.normal(size=3)
    return Volume(RANDOM.normal(size=shape).astype(np.float32), index_to_ras)


def made() -> VertebraAnatomy:
    tensors = [torch.from_numpy(RANDOM.normal(size=shape).astype(np.float32)) for shape in ((5, 3), (5, 3), (5, 4), 5)]
    return VertebraAnatomy(
        level=LEVEL,
        centre=RANDOM.normal(size=3),
        frame_to_ct=RigidTransform.from_rotation_vector([0.1, 0.2, 0.3], [1.0, 2.0, 3.0]),
        surface=RANDOM.normal(size=(20, 3)),
        voxel=RANDOM.normal(size=(3, 3)),
        level_spacing_mm=33.3,
        level_offsets=(RANDOM.normal(size=3), RANDOM.normal(size=3)),
        gaussians=RadiativeGaussians(*tensors),
        mask=volume(3, 4, 5),
        neighbours=(volume(2, 3, 4), volume(4, 3, 2)),
        surroundings=volume(6, 5, 4),
        whole=volume(5, 5, 5),
        doubt=volume(2, 2, 2),
    )


def never() -> VertebraAnatomy:
    pytest.fail("made again")


@pytest.fixture
def ct() -> Volume:
    return Volume(np.arange(60, dtype=np.int16).reshape(3, 4, 5), np.eye(4))


@pytest.fixture
def labels() -> Volume:
    return Volume(np.full((3, 4, 5), 22, dtype=np.uint8), np.eye(4))


def entries(folder: Path) -> list[Path]:
    return list((folder / KIND).iterdir())


def assert_same(found: object, expected: object) -> None:
    if isinstance(expected, tuple):
        assert isinstance(found, tuple)
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
    elif isinstance(expected, (Volume, RigidTransform, RadiativeGaussians)):
        for part in fields(expected):
            assert_same(getattr(found, part.name), getattr(expected, part.name))
    elif isinstance(expected, (np.ndarray, torch.Tensor)):
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == expected.dtype  # type: ignore[attr-defined]
    else:
        assert found == expected


@pytest.mark.parametrize("change", [{}, {"frame_to_ct": None, "neighbours": (), "doubt": None}])
def test_an_anatomy_is_made_once_and_comes_back_as_it_was(
    ct: Volume, labels: Volume, tmp_path: Path, change: dict[str, object]
) -> None:
    anatomy = replace(made(), **change)  # type: ignore[arg-type]
    assert remembered_anatomy(ct, labels, LEVEL, CacheFolder(tmp_path), lambda: anatomy) is anatomy
    again = remembered_anatomy(ct, labels, LEVEL, CacheFolder(tmp_path), never)
    for part in fields(anatomy):
        assert_same(getattr(again, part.name), getattr(anatomy, part.name))


def test_a_level_of_another_name_with_the_same_label_is_the_same_vertebra(
    ct: Volume, labels: Volume, tmp_path: Path
) -> None:
    remembered_anatomy(ct, labels, LEVEL, CacheFolder(tmp_path), made)
    renamed = Level("third lumbar", LEVEL.label)
    assert remembered_anatomy(ct, labels, renamed, CacheFolder(tmp_path), never).level == renamed


def test_other_voxels_another_place_label_or_code_are_made_anew(
    ct: Volume, labels: Volume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = CacheFolder(tmp_path)

    def changed(volume: Volume) -> Volume:
        array = volume.array.copy()
        array[1, 2, 3] += 1
        return replace(volume, array=array)

    def moved(volume: Volume) -> Volume:
        return replace(volume, index_to_ras=volume.index_to_ras + 1e-6 * np.eye(4))

    for number, (one, other, level) in enumerate(
        [
            (ct, labels, LEVEL),
            (changed(ct), labels, LEVEL),
            (moved(ct), labels, LEVEL),
            (ct, changed(labels), LEVEL),
            (ct, moved(labels), LEVEL),
            (ct, labels, Level("L3", 21)),
        ]
    ):
        remembered_anatomy(one, other, level, cache, made)
        assert len(entries(tmp_path)) == number + 1
    monkeypatch.setattr(module, "_code", lambda: "other code")
    remembered_anatomy(ct, labels, LEVEL, cache, made)
    assert len(entries(tmp_path)) == 7


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-1],
        lambda content: content[:200] + bytes([content[200] ^ 1]) + content[201:],
        lambda content: b"",
    ],
)
def test_what_is_damaged_is_made_again(
    ct: Volume, labels: Volume, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    remembered_anatomy(ct, labels, LEVEL, CacheFolder(tmp_path), made)
    (entry,) = entries(tmp_path)
    entry.write_bytes(damage(entry.read_bytes()))
    anatomy = made()
    assert remembered_anatomy(ct, labels, LEVEL, CacheFolder(tmp_path), lambda: anatomy) is anatomy
    remembered_anatomy(ct, labels, LEVEL, CacheFolder(tmp_path), never)


@pytest.mark.parametrize("content", [b"no safetensors", save({"centre": np.zeros(3)})])
def test_what_is_no_anatomy_is_made_again(
    ct: Volume, labels: Volume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    monkeypatch.setattr(CacheFolder, "get", lambda *_: content)
    anatomy = made()
    assert remembered_anatomy(ct, labels, LEVEL, CacheFolder(tmp_path), lambda: anatomy) is anatomy


@pytest.mark.slow
def test_a_vertebra_of_a_ct_is_built_once(
    phantom_spine: PhantomSpine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    level = Level("L3", phantom_spine.levels["L3"])
    first = build_vertebra_anatomy(phantom_spine.ct, phantom_spine.labels, level, remembered=CacheFolder(tmp_path))
    monkeypatch.setattr("radgs.vertebra.build.fit", lambda *_, **__: pytest.fail("fitted again"))
    told: list[float] = []
    second = build_vertebra_anatomy(
        phantom_spine.ct, phantom_spine.labels, level, told.append, remembered=CacheFolder(tmp_path)
    )
    for part in fields(first):
        assert_same(getattr(second, part.name), getattr(first, part.name))
    assert told == [1.0]
