"""Generic networks: trained on the pairs of several spines, from random weights or going on with a model's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from radgs.errors import InputFileError
from radgs.networks import Networks, load_generic
from radgs.networks.recm.attention import MassAttention
from radgs.phantom import Variant
from radgs.training.generic import train_generic
from radgs.training.pairs import PairBank
from radgs.training.phantom_pairs import FIRST_SEED, file_name


@pytest.fixture
def bank(pairs: PairBank, tmp_path: Path) -> Path:
    """Two patients' worth of pairs: all of one vertebra, which is enough to run on."""
    folder = tmp_path / "pairs"
    folder.mkdir()
    for number in range(2):
        for level in Variant.drawn(FIRST_SEED + number).extent.whole:
            replace(pairs.part(slice(2)), name=f"patient {number} {level}").save(folder / file_name(number, level))
    return folder


def trained(bank: Path, out: Path, base: Networks | None) -> Networks:
    """Networks after a step or a few."""
    return train_generic(out, bank, minutes=0.02, spines=2, pairs_per_vertebra=2, base=base, seed=5)


def first_weights(networks: Networks) -> torch.Tensor:
    return torch.cat([weight.detach().flatten() for weight in networks.recm.encoder.parameters()])


@pytest.mark.slow
def test_a_base_under_another_attention_keeps_what_else_it_knows(bank: Path, tmp_path: Path) -> None:
    out = tmp_path / "mass.radgs.safetensors"
    made = train_generic(
        out, bank, minutes=0.02, spines=2, pairs_per_vertebra=2, base=load_generic(), attention="mass", seed=5, steps=3
    )
    assert made.record["steps"] <= 3
    assert {look["steps"] for look in made.record["history"]} <= {1, 2, 3}
    generic = first_weights(load_generic())
    assert isinstance(made.recm.attention, MassAttention)
    assert float((first_weights(made) - generic).norm() / generic.norm()) < 0.2
    assert made.record["attention"] == "mass"


@pytest.mark.slow
def test_a_base_is_gone_on_with_and_named_in_the_record(bank: Path, tmp_path: Path) -> None:
    generic = first_weights(load_generic())
    gone_on = trained(bank, tmp_path / "gone_on.radgs.safetensors", load_generic())
    afresh = trained(bank, tmp_path / "afresh.radgs.safetensors", None)
    change = [float((first_weights(networks) - generic).norm() / generic.norm()) for networks in (gone_on, afresh)]
    assert 0 < change[0] < 0.2
    assert change[1] > 0.5
    assert gone_on.record["base"]["stage"] == "generic"
    assert "history" not in gone_on.record["base"]
    assert "base" not in afresh.record
    assert gone_on.accuracy is not None
    assert gone_on.accuracy.pairs == 10  # two of every vertebra of the spine held out


def test_one_spine_cannot_be_trained_on_and_held_out(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="held out"):
        train_generic(tmp_path / "one.radgs.safetensors", tmp_path, minutes=0.1, spines=1)
