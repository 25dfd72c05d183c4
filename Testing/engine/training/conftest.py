"""A phantom's L3 as training sees it: a vertebra, and a few pairs of it."""

from __future__ import annotations

import numpy as np
import pytest

from radgs.case import Level
from radgs.phantom import PhantomSpine
from radgs.training.pairs import PairBank, make_pairs
from radgs.training.training_vertebra import TrainingVertebra


@pytest.fixture(scope="session")
def level(phantom_spine: PhantomSpine) -> Level:
    """The phantom's L3."""
    return Level("L3", phantom_spine.levels["L3"])


@pytest.fixture(scope="session")
def vertebra(phantom_spine: PhantomSpine, level: Level) -> TrainingVertebra:
    """L3 taken out of the phantom."""
    return TrainingVertebra.of(phantom_spine.ct, phantom_spine.labels, level)


@pytest.fixture(scope="session")
def pairs(vertebra: TrainingVertebra) -> PairBank:
    """Six pairs."""
    return make_pairs(vertebra, "L3", 6, np.random.default_rng(3))
