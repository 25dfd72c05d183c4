"""What the images leave open is asked: always for motion, and for the orientation where nothing around tells."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from radgs.pipeline.orientation import FlipTrial
from radgs.pipeline.quality import Evidence
from radgs.pipeline.questions import MOTION, ORIENTATION, open_questions
from radgs.refine import OtherLevel

EVIDENCE = Evidence(
    surface_p95_mm=0.8,
    similarity_start=np.array([0.2, 0.3]),
    similarity_result=np.array([0.9, 0.85]),
    similarity_robust=np.array([0.92, 0.88]),
    distinction=0.5,
    beaten_by=0.0,
    articulation_mm=1.5,
    from_click_mm=6.0,
    level_spacing_mm=35.0,
    other_level=OtherLevel(0.0, "above"),
)


@pytest.mark.parametrize(
    ("flips", "asked"),
    [
        ((FlipTrial("AP", "left to right", 0.8, 0.2, 0.5),), (MOTION,)),
        ((), (MOTION, ORIENTATION)),
        ((FlipTrial("AP", "left to right", 0.8, 0.2, 0.01),), (MOTION, ORIENTATION)),
        ((FlipTrial("AP", "left to right", 0.1, 0.05, 0.5),), (MOTION, ORIENTATION)),
        ((FlipTrial("AP", "left to right", 0.5, 0.45, 0.5, alike=0.9),), (MOTION, ORIENTATION)),
        ((FlipTrial("LAT", "left to right", 0.8, 0.2, 0.5, hidden=False),), (MOTION, ORIENTATION)),
    ],
    ids=["ribs tell", "no trial", "hardly anything seen both ways", "nothing alike", "much the same", "front and back"],
)
def test_what_is_asked(flips: tuple[FlipTrial, ...], asked: tuple[object, ...]) -> None:
    assert open_questions(replace(EVIDENCE, flips=flips)) == asked
