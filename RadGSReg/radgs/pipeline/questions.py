"""What no image can say of a pose, as questions to a person before the pose is used: see docs/safety.md."""

from __future__ import annotations

from radgs.case import OpenQuestion
from radgs.pipeline.orientation import orientation_is_told
from radgs.pipeline.quality import Evidence

#: With views at right angles a shift along one view's beam looks like depth in the other: the pose absorbs it.
MOTION = OpenQuestion(
    "motion",
    "Was the patient held still from the first shot to the second, and does the C-arm stand as it was calibrated? A "
    "shift along a beam shows in no image.",
)
#: Asked where the trial of a mirror had no power for some view.
ORIENTATION = OpenQuestion(
    "orientation",
    "Are the patient's left and right, head and feet where X-rays and CT say? Too little is seen around the vertebra "
    "to tell.",
)


def open_questions(evidence: Evidence) -> tuple[OpenQuestion, ...]:
    """The questions that the images leave to a person.

    Args:
        evidence: What was measured of the pose.
    """
    return (MOTION,) if orientation_is_told(evidence.flips) else (MOTION, ORIENTATION)
