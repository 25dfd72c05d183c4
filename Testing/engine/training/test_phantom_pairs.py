"""Pairs of synthetic patients: resumable, every vertebra's start on its own side of the next."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from radgs.phantom import Extent, Pathology, PhantomSpine, Variant, make_spine
from radgs.training import phantom_pairs
from radgs.training.pairs import PairBank, PairSettings, random_pose
from radgs.training.phantom_pairs import GENERIC, file_name, make_phantom_pairs


class Small(Variant):
    """A patient of three levels on coarse voxels, whose L2 no label shows."""

    @classmethod
    def drawn(cls, seed: int) -> Variant:
        return cls(seed, Extent.between("L1", "L3"), Pathology(fused=("L2",)), (), {"spacing_mm": 2.5})

    def spine(self) -> PhantomSpine:
        spine = make_spine(self.seed, extent=self.extent, pathology=self.pathology, **self.arguments)
        hidden = spine.labels.array.copy()
        hidden[hidden == spine.levels["L2"]] = 0
        return replace(spine, labels=replace(spine.labels, array=hidden))


@pytest.mark.slow
def test_files_that_are_there_are_kept_and_what_cannot_be_used_is_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phantom_pairs, "Variant", Small)
    files = make_phantom_pairs(tmp_path, range(1), 2)
    assert [path.name for path in files] == [file_name(0, "L1"), file_name(0, "L3")]
    note = (tmp_path / file_name(0, "L2")).with_suffix(".json")
    assert "label" in json.loads(note.read_text())["left_out"].lower()
    first = PairBank.load(files[0])
    assert first.name == "patient 0 L1"
    assert len(first) == 2
    files[1].unlink()
    before = files[0].stat().st_mtime_ns
    assert make_phantom_pairs(tmp_path, range(1), 2) == files
    assert files[0].stat().st_mtime_ns == before


def test_starts_are_off_by_up_to_20_mm_but_never_nearer_to_the_next_vertebra() -> None:
    rng = np.random.default_rng(0)
    centre = np.array([3.0, -8.0, 400.0])
    for spacing, most in ((22.0, 9.9), (np.inf, 20.0)):
        offsets = np.array([random_pose(centre, GENERIC, rng, spacing).apply(centre) for _ in range(400)])
        distances = np.linalg.norm(offsets, axis=1)
        assert distances.max() <= 20.0
        assert np.quantile(distances, 0.9) > 14.0
        assert np.abs(offsets[:, 2]).max() <= most + 1e-9
        assert np.abs(offsets[:, 2]).max() > 0.8 * most


def test_pairs_made_otherwise_are_called_otherwise() -> None:
    assert file_name(3, "T11") != file_name(3, "T11", replace(GENERIC, rest_slides=0.0))


def test_a_patient_cancelled_before_leaves_nothing(tmp_path: Path) -> None:
    assert make_phantom_pairs(tmp_path, range(3), 2, PairSettings(), cancelled=lambda: True) == []
    assert list(tmp_path.iterdir()) == []
