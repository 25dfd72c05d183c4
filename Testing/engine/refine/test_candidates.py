"""A right start is never lost to another candidate, and a wrong one gives way."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from radgs.geometry import RigidTransform, XRayView, mean_distance
from radgs.refine import Estimate, Observation
from radgs.refine.candidates import CLICK_SIGMA_MM, Candidate, compare_candidates, finalists
from radgs.vertebra import VertebraAnatomy

OffBy = Callable[[float, float], RigidTransform]


@pytest.fixture(scope="module")
def choose(
    take_xrays: Callable[..., tuple[XRayView, ...]],
    moved_apart: dict[str, RigidTransform],
    phantom_vertebra: VertebraAnatomy,
    truth: RigidTransform,
) -> Callable[..., Candidate]:
    views = take_xrays(moved_apart)
    parts = (
        phantom_vertebra.vertebra_part,
        phantom_vertebra.surroundings_part.sampled_every(4.0),
        *(part.sampled_every(3.0) for part in phantom_vertebra.neighbour_parts),
    )
    observation = Observation.around(views, truth.apply(phantom_vertebra.centre), 128.0, 64)

    def chosen(*poses: tuple[str, RigidTransform]) -> Candidate:
        compared = compare_candidates(observation, parts, phantom_vertebra, poses, CLICK_SIGMA_MM)
        return finalists(compared, phantom_vertebra)[0]

    return chosen


def test_a_right_start_wins(
    choose: Callable[..., Candidate], truth: RigidTransform, off_by: OffBy, phantom_vertebra: VertebraAnatomy
) -> None:
    best = choose(("start", truth), ("whole", off_by(15.0, 20.0)))
    assert best.name == "start"
    assert mean_distance(phantom_vertebra.surface, best.tried.poses[0], truth) < 0.5


def test_a_wrong_start_gives_way(choose: Callable[..., Candidate], truth: RigidTransform, off_by: OffBy) -> None:
    assert choose(("start", off_by(15.0, 20.0)), ("whole", truth)).name == "whole"


def test_of_equals_the_start_wins(choose: Callable[..., Candidate], off_by: OffBy) -> None:
    assert choose(("start", off_by(3.0, 2.0)), ("network", off_by(2.0, 2.0))).name == "start"


@pytest.mark.parametrize(
    ("scores", "names"),
    [
        ((0.50, 0.40, 0.45), ["start", "whole"]),
        ((0.50, 0.38, 0.39), ["start"]),
        ((0.50, 0.505, 0.45), ["start", "network"]),
        ((0.40, 0.45, 0.50), ["whole", "network"]),
    ],
)
def test_what_is_close_and_leads_elsewhere_is_followed_too(
    scores: Sequence[float], names: list[str], phantom_vertebra: VertebraAnatomy, truth: RigidTransform, off_by: OffBy
) -> None:
    poses = (truth, off_by(5.0, 5.0), off_by(15.0, 5.0))
    compared = [
        Candidate(name, pose, Estimate([pose], correlation=np.array([score])), score)
        for name, pose, score in zip(("start", "network", "whole"), poses, scores, strict=True)
    ]
    assert [candidate.name for candidate in finalists(compared, phantom_vertebra)] == names


def test_what_leads_to_the_same_end_is_followed_once(
    phantom_vertebra: VertebraAnatomy, truth: RigidTransform, off_by: OffBy
) -> None:
    poses = (truth, off_by(0.3, 0.3))
    compared = [Candidate(name, pose, Estimate([pose]), 0.5) for name, pose in zip("ab", poses, strict=True)]
    assert len(finalists(compared, phantom_vertebra)) == 1
