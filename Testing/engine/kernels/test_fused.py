"""Whether a fused form is used: never unprobed, never after a failure, and not on a device that has none."""

from __future__ import annotations

import logging
import threading

import pytest
import torch

from radgs import kernels
from radgs.kernels import fused
from radgs.kernels.fused import FusedForm, assert_near

CUDA = torch.device("cuda", 0)


def test_a_form_that_was_seen_to_work_is_probed_once_and_used() -> None:
    probed = []
    form = FusedForm("sum", probed.append)
    assert [form.attempt(CUDA, lambda: 3), form.attempt(CUDA, lambda: 4)] == [3, 4]
    assert probed == [CUDA]


@pytest.mark.parametrize("device", ["cpu", "mps"])
def test_no_other_device_is_probed(device: str) -> None:
    probed = []
    assert FusedForm("sum", probed.append).attempt(torch.device(device), lambda: 3) is None
    assert probed == []


def test_kernels_switched_off_are_not_probed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(kernels.VARIABLE, "off")
    probed = []
    assert FusedForm("sum", probed.append).attempt(CUDA, lambda: 3) is None
    assert probed == []


@pytest.mark.parametrize(
    ("problem", "said"),
    [(RuntimeError("no C compiler\nand more"), "no C compiler"), (ArithmeticError("far off"), "far")],
)
def test_a_failed_probe_is_one_line_of_the_log(problem: Exception, said: str, caplog: pytest.LogCaptureFixture) -> None:
    def probe(device: torch.device) -> None:
        raise problem

    form = FusedForm("ray caster", probe)
    with caplog.at_level(logging.INFO, logger="radgs.kernels"):
        assert [form.attempt(CUDA, lambda: 3) for _ in range(3)] == [None] * 3
    (line,) = caplog.messages
    assert said in line
    assert "PyTorch" in line
    assert "\n" not in line


def test_a_probe_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused, "PROBE_SECONDS", 0.05)
    ended = threading.Event()
    form = FusedForm("ray caster", lambda device: ended.wait() and None)
    try:
        assert not form.usable(CUDA)
    finally:
        ended.set()


def test_a_launch_that_fails_is_the_last(caplog: pytest.LogCaptureFixture) -> None:
    form = FusedForm("splats", lambda device: None)

    def fails() -> int:
        raise RuntimeError("compile error")

    with caplog.at_level(logging.INFO, logger="radgs.kernels"):
        assert form.attempt(CUDA, fails) is None
        assert form.attempt(CUDA, lambda: 3) is None
    assert len(caplog.messages) == 1


def test_a_full_gpu_is_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    form = FusedForm("splats", lambda device: None)

    def full() -> int:
        raise torch.cuda.OutOfMemoryError("full")

    with caplog.at_level(logging.INFO, logger="radgs.kernels"):
        assert form.attempt(CUDA, full) is None
        assert form.attempt(CUDA, lambda: 3) == 3
    assert len(caplog.messages) == 1


def test_images_further_apart_than_allowed_fail_a_probe() -> None:
    one = torch.tensor([3.0, 4.0])
    assert_near(one * (1 + 1e-6), one, 1e-5, "sums")
    with pytest.raises(ArithmeticError, match="sums"):
        assert_near(one * 1.1, one, 1e-5, "sums")
    with pytest.raises(ArithmeticError):
        assert_near(one * torch.nan, one, 1e-5, "sums")
