"""What is read and built once is not read and built again, until it changes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from radgs.case import InitialPose, Level, RegistrationCase
from radgs.geometry import RigidTransform, Volume
from radgs.io.nrrd_pieces import write_in_pieces
from radgs.io.volumes import write_volume
from radgs.pipeline.case_cache import MAX_VERTEBRAE, CaseCache
from radgs.vertebra import VertebraAnatomy

pytestmark = pytest.mark.slow


@pytest.fixture
def a_case_file(small_case: RegistrationCase, tmp_path: Path) -> Path:
    return small_case.save(tmp_path / "case")


def test_a_volume_is_read_once(a_case_file: Path) -> None:
    cache = CaseCache()
    first, second = cache.load(a_case_file), cache.load(a_case_file)
    assert second.ct is first.ct
    assert second.labels is first.labels
    assert second.views[0] is not first.views[0]


def test_a_volume_that_changed_is_read_again(a_case_file: Path) -> None:
    cache = CaseCache()
    before = cache.load(a_case_file)
    write_volume(a_case_file.parent / "ct.nii.gz", Volume(before.ct.array + 1, before.ct.index_to_ras))
    assert cache.load(a_case_file).ct.array[0, 0, 0] == before.ct.array[0, 0, 0] + 1


def test_a_volume_replaced_by_one_of_equal_size_and_time_is_read_again(
    small_case: RegistrationCase, tmp_path: Path
) -> None:
    paths = [small_case.save(tmp_path / name) for name in ("one", "two")]
    ct = paths[0].with_name("ct.nrrd")
    for path in paths:  # uncompressed, so that two CTs take as many bytes
        values = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps({**values, "ct": str(ct)}), encoding="utf-8")
    cache, seen = CaseCache(), []
    for offset in (0, 100):
        ct.unlink(missing_ok=True)
        list(write_in_pieces(ct, Volume(small_case.ct.array + offset, small_case.ct.index_to_ras)))
        os.utime(ct, ns=(10**18, 10**18))
        case = cache.load(paths[0])
        seen.append((ct.stat().st_size, float(case.ct.array[0, 0, 0]), case.sha256))
    (size, value, sha256), (other_size, other_value, other_sha256) = seen
    assert (other_size, other_value) == (size, value + 100)
    assert other_sha256 != sha256


def test_a_model_belongs_to_the_content_and_not_to_the_path(
    small_case: RegistrationCase, a_case_file: Path, tmp_path: Path, phantom_vertebra: VertebraAnatomy
) -> None:
    cache = CaseCache()
    vertebra = _as_level(phantom_vertebra, "L3", 29)
    cache.load(a_case_file)
    cache.keep({"L3": vertebra})
    copy = cache.load(small_case.save(tmp_path / "copy"))
    assert cache.vertebrae(copy) == {"L3": vertebra}

    os.utime(a_case_file.parent / "ct.nii.gz", ns=(1, 1))
    assert cache.vertebrae(cache.load(a_case_file)) == {"L3": vertebra}


def test_a_model_is_not_taken_for_that_of_another_ct_level_or_label(
    small_case: RegistrationCase, a_case_file: Path, tmp_path: Path, phantom_vertebra: VertebraAnatomy
) -> None:
    cache = CaseCache()
    cache.load(a_case_file)
    cache.keep({"L3": _as_level(phantom_vertebra, "L3", 29)})

    shifted = RigidTransform.from_rotation_vector([0, 0, 0], [1, 0, 0]).matrix @ small_case.ct.index_to_ras
    moved = _variant(small_case, ct=Volume(small_case.ct.array, shifted))
    renamed = _variant(small_case, levels=(Level("L4", 29),), initial={"L4": small_case.initial["L3"]})
    relabelled = _variant(
        small_case,
        labels=Volume(np.where(small_case.labels.array == 29, 30, 0).astype(np.uint8), small_case.labels.index_to_ras),
        levels=(Level("L3", 30),),
    )
    for number, other in enumerate((moved, renamed, relabelled)):
        assert cache.vertebrae(cache.load(other.save(tmp_path / str(number)))) == {}


def test_only_the_last_few_vertebrae_are_kept(a_case_file: Path, phantom_vertebra: VertebraAnatomy) -> None:
    cache = CaseCache()
    case = cache.load(a_case_file)
    cache.keep({"L3": _as_level(phantom_vertebra, "L3", 29)})
    cache.keep({f"T{n}": _as_level(phantom_vertebra, f"T{n}", n) for n in range(1, MAX_VERTEBRAE + 1)})
    assert cache.vertebrae(case) == {}


def _as_level(vertebra: VertebraAnatomy, name: str, label: int) -> VertebraAnatomy:
    from dataclasses import replace

    return replace(vertebra, level=Level(name, label))


def _variant(case: RegistrationCase, **changes: object) -> RegistrationCase:
    from dataclasses import replace

    pose: dict[str, InitialPose] = case.initial
    return replace(case, **{"truth": {}, "initial": pose, **changes})  # type: ignore[arg-type]
