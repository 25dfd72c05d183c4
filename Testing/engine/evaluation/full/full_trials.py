"""Made-up trials of a full benchmark."""

from __future__ import annotations

from radgs.evaluation.full.plan import PlannedTrial
from radgs.evaluation.full.records import FullTrial
from radgs.evaluation.trials import Trial


def full_trial(planned: PlannedTrial, mtre_mm: float = 0.2, seed: int = 7, **changes: object) -> FullTrial:
    """A trial that was accepted."""
    values = {
        "start_rotation_deg": 9.0,
        "stages_mm": {"start": 9.5, "kabsch": 4.0, "regm": 3.0, "refined": mtre_mm},
        "verdict": "accept",
        "reasons": (),
        **changes,
    }
    made = Trial(
        cohort="real CT" if planned.subject == "real" else "phantom",
        patient=planned.subject,
        level=planned.level,
        index=planned.index,
        seed=seed,
        mtre_mm=mtre_mm,
        surface_p95_mm=1.5 * mtre_mm,
        predicted_p95_mm=1.0,
        rotation_deg=0.4,
        click_offset_mm=6.0,
        reconstruction={},
        seconds=2.0,
        preparation_seconds=5.0,
        world=planned.world,
        **values,
    )
    return FullTrial(planned, made, 3.0)
