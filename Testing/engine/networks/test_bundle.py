"""Model files: what goes in comes out, and a model serves the vertebra it was made for and no other."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from radgs.case import Level
from radgs.errors import CaseError, InputFileError
from radgs.geometry import Volume
from radgs.io.model_header import read_model_summary
from radgs.networks import (
    Accuracy,
    Networks,
    PreparedFor,
    ct_fingerprint,
    load_generic,
    load_networks,
    load_prepared,
    new_networks,
    save_networks,
)

LEVEL = Level("L3", 29)
CENTRE = (10.0, -20.0, 30.0)
ACCURACY = Accuracy(40, 0.94, 38.0, 0.6, 27.0, 1.9, 4.0, 1.8, 3.9, ("RegM over-fitted.",))


@pytest.fixture(scope="module")
def ct() -> Volume:
    index_to_ras = np.diag([0.7, 0.7, 2.5, 1.0])
    index_to_ras[:3, 3] = [-30.0, 12.5, 100.0]
    return Volume(np.random.default_rng(0).integers(-1000, 1500, (6, 8, 9)).astype(np.int16), index_to_ras)


@pytest.fixture(scope="module")
def prepared(ct: Volume) -> Networks:
    torch.manual_seed(0)
    untrained = new_networks("compact")
    return replace(
        untrained,
        prepared_for=PreparedFor("L3", CENTRE, ct_fingerprint(ct)),
        accuracy=ACCURACY,
        record={"seed": 7, "steps": 12},
    )


@pytest.fixture(scope="module")
def model_file(prepared: Networks, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_networks(prepared, tmp_path_factory.mktemp("models") / "L3.radgs.safetensors")


def test_a_model_survives_its_file(prepared: Networks, model_file: Path) -> None:
    again = load_networks(model_file)
    assert (again.prepared_for, again.accuracy, again.record) == (
        prepared.prepared_for,
        ACCURACY,
        {"seed": 7, "steps": 12},
    )
    assert not again.recm.training
    for before, after in zip(prepared.recm.parameters(), again.recm.parameters(), strict=True):
        assert torch.allclose(before, after, rtol=1e-3, atol=1e-6), "half precision keeps three digits"
    assert [path.name for path in model_file.parent.iterdir()] == [model_file.name]


def test_a_model_without_attention_stays_without(tmp_path: Path) -> None:
    path = save_networks(new_networks("compact", attention="none"), tmp_path / "plain.radgs.safetensors")
    assert load_networks(path).recm.attention is None


def test_a_prepared_model_fits_its_own_vertebra(prepared: Networks, ct: Volume) -> None:
    prepared.check_fits(ct, LEVEL, np.array(CENTRE) + 2.0)


def test_another_level_is_refused(prepared: Networks, ct: Volume) -> None:
    with pytest.raises(CaseError, match=r"prepared for L3, not for L2"):
        prepared.check_fits(ct, Level("L2", 28), np.array(CENTRE))


@pytest.mark.parametrize("what", ["voxels", "place"])
def test_another_ct_is_refused(prepared: Networks, ct: Volume, what: str) -> None:
    array, index_to_ras = ct.array.copy(), ct.index_to_ras.copy()
    if what == "voxels":
        array[3, 4, 5] += 1
    else:
        index_to_ras[0, 3] += 0.5
    with pytest.raises(CaseError, match="another CT"):
        prepared.check_fits(Volume(array, index_to_ras), LEVEL, np.array(CENTRE))


def test_a_label_that_went_to_another_vertebra_is_noticed(prepared: Networks, ct: Volume) -> None:
    with pytest.raises(CaseError, match="33 mm from the one labelled now"):
        prepared.check_fits(ct, LEVEL, np.array(CENTRE) + [0.0, 0.0, 33.0])


def test_generic_networks_fit_every_vertebra(ct: Volume) -> None:
    generic = load_generic()
    generic.check_fits(ct, Level("L5", 31), np.zeros(3))
    assert generic.accuracy is not None
    assert "generic" in generic.description


def test_the_same_ct_has_one_fingerprint(ct: Volume) -> None:
    as_float = Volume(ct.array.astype(np.float32), ct.index_to_ras + 1e-4)
    assert ct_fingerprint(as_float) == ct_fingerprint(ct)


def test_files_that_are_no_models_are_refused_with_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="is missing"):
        load_networks(tmp_path / "none.radgs.safetensors")
    junk = tmp_path / "junk.radgs.safetensors"
    junk.write_bytes(b"not a model")
    with pytest.raises(InputFileError, match="is not a model"):
        load_networks(junk)
    foreign = tmp_path / "foreign.radgs.safetensors"
    save_file({"weight": torch.zeros(3)}, foreign)
    with pytest.raises(InputFileError, match="is not a model"):
        load_networks(foreign)


def test_an_interrupted_copy_is_refused(model_file: Path, tmp_path: Path) -> None:
    half = tmp_path / "half.radgs.safetensors"
    half.write_bytes(model_file.read_bytes()[: model_file.stat().st_size // 2])
    with pytest.raises(InputFileError, match="is not a model"):
        load_networks(half)


def changed_weights(model: Path, copy: Path, change: Callable[[Tensor], Tensor], *, stated: bool) -> Path:
    """A copy of a model with one tensor changed; without ``stated`` its header has no checksum, as files once had."""
    with safe_open(model, framework="pt") as file:
        header = json.loads(file.metadata()["radgs"])
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    name = sorted(weights)[3]
    weights[name] = change(weights[name].clone())
    if not stated:
        del header["sha256"]
    save_file(weights, copy, {"radgs": json.dumps(header)})
    return copy


def first_set_to(value: float) -> Callable[[Tensor], Tensor]:
    def change(tensor: Tensor) -> Tensor:
        tensor.view(-1)[0] = value
        return tensor

    return change


def test_weights_that_are_not_finite_are_refused(model_file: Path, tmp_path: Path) -> None:
    for value in (float("nan"), float("inf")):
        path = changed_weights(model_file, tmp_path / "L3.radgs.safetensors", first_set_to(value), stated=False)
        with pytest.raises(InputFileError, match="are not finite numbers"):
            load_networks(path)


def test_weights_that_are_not_those_written_are_refused(model_file: Path, tmp_path: Path) -> None:
    path = changed_weights(model_file, tmp_path / "a.radgs.safetensors", first_set_to(0.25), stated=True)
    with pytest.raises(InputFileError, match="do not have their checksum"):
        load_networks(path)
    load_networks(changed_weights(model_file, tmp_path / "b.radgs.safetensors", first_set_to(0.25), stated=False))


def test_a_header_nested_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "deep.radgs.safetensors"
    save_file({"weight": torch.zeros(3)}, path, {"radgs": "[" * 100_000})
    for read in (load_networks, read_model_summary):
        with pytest.raises(InputFileError, match="is not a model"):
            read(path)


def test_prepared_models_are_found_by_level(model_file: Path, tmp_path: Path) -> None:
    assert list(load_prepared([model_file])) == ["L3"]
    with pytest.raises(InputFileError, match="Two models are for L3"):
        load_prepared([model_file, model_file])
    generic = save_networks(new_networks("compact"), tmp_path / "generic.radgs.safetensors")
    with pytest.raises(InputFileError, match="generic networks"):
        load_prepared([generic])


def test_an_unknown_configuration_is_refused() -> None:
    with pytest.raises(InputFileError, match='no configuration "huge"'):
        new_networks("huge")
