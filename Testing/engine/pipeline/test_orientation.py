"""A mirror that the pose has absorbed is found: a phantom's halves look alike, and in haze little tells them apart."""

from __future__ import annotations

from dataclasses import replace

import pytest

from radgs.evaluation.fault_trials import run_fault_trials
from radgs.evaluation.phantom_benchmark import phantom_subjects


@pytest.mark.slow
def test_a_mirrored_ct_is_rejected_though_its_vertebra_fits() -> None:
    """Accepted as long as X-rays alone were turned over: the mirrored CT had been laid askew until it fitted."""
    patient = replace(phantom_subjects(131, quick=True)[0], levels=("L4",))
    (trial,) = run_fault_trials([patient], ("mirrored-ct",), ("scatter-1.6",), 1, 131)
    assert trial.verdict == "reject"
    assert "mirrored" in trial.reasons
