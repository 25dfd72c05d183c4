"""Fits kept in the cache: the same Gaussians, and only for the same voxels in the same place by the same code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from radgs.geometry import Volume
from radgs.io.cache_folder import CacheFolder, no_cache
from radgs.vertebra import remembered_fit as module
from radgs.vertebra.remembered_fit import KIND, remembered_fit


@pytest.fixture
def excess() -> Volume:
    k, j, i = np.indices((12, 14, 16))
    squared = (k - 5.5) ** 2 + (j - 6.0) ** 2 + (i - 8.0) ** 2
    return Volume((0.02 * np.exp(-squared / 8.0) * (squared < 20.0)).astype(np.float32), np.diag([1.0, 1.0, 1.0, 1.0]))


def entries(folder: Path) -> int:
    return len(list((folder / KIND).iterdir()))


def test_a_vertebra_is_fitted_once(excess: Volume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = remembered_fit(excess, 20, CacheFolder(tmp_path))
    assert entries(tmp_path) == 1
    monkeypatch.setattr(module, "fit", lambda *_, **__: pytest.fail("fitted again"))
    told: list[float] = []
    second = remembered_fit(excess, 20, CacheFolder(tmp_path), told.append)
    assert all(map(torch.equal, first.tensors(), second.tensors()))
    assert [tensor.dtype for tensor in second.tensors()] == [torch.float32] * 4
    assert told == [1.0]


def test_other_voxels_another_place_count_or_code_are_fitted_anew(
    excess: Volume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = CacheFolder(tmp_path)
    other = excess.array.copy()
    other[5, 6, 8] *= 1.001
    moved = excess.index_to_ras.copy()
    moved[0, 3] += 1e-3
    remembered_fit(excess, 20, cache)
    remembered_fit(Volume(other, excess.index_to_ras), 20, cache)
    remembered_fit(Volume(excess.array, moved), 20, cache)
    remembered_fit(excess, 19, cache)
    monkeypatch.setattr(module, "_code", lambda: "other code")
    remembered_fit(excess, 20, cache)
    assert entries(tmp_path) == 5


def test_without_a_cache_it_is_the_fit(excess: Volume, tmp_path: Path) -> None:
    alone = remembered_fit(excess, 20, no_cache())
    kept = remembered_fit(excess, 20, CacheFolder(tmp_path))
    assert all(map(torch.equal, alone.tensors(), kept.tensors()))
