"""The phantom is offered in Sample Data once Slicer has started, and comes without a download."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pytest
import slicer
from slicer_fixtures import in_full_slicer

pytestmark = pytest.mark.skipif(in_full_slicer(), reason="plays Slicer's start")


@pytest.fixture
def sample_data(a_scene: Any, the_module: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The Sample Data module, without sources."""
    from slicerhost import sample_data

    monkeypatch.setitem(sys.modules, "SampleData", sample_data.module())
    monkeypatch.setattr(slicer.modules, "sampleDataSources", {}, raising=False)
    monkeypatch.setattr(slicer.modules, "sampleDataSourceCategories", {}, raising=False)
    return sample_data


def test_once_slicer_has_started_the_phantom_is_offered_with_a_picture(sample_data: Any) -> None:
    slicer.app.startupCompleted.emit()
    slicer.app.startupCompleted.emit()
    (source,) = slicer.modules.sampleDataSources["RadGS-Reg"]
    assert slicer.modules.sampleDataSourceCategories["RadGS-Reg"]["title"] == "RadGS-Reg"
    assert source.sampleName == "RadGSRegPhantom"
    assert Path(source.thumbnailFileName).is_file()
    assert {urlparse(uri).scheme for uri in source.uris} == {"file"}


def test_its_button_brings_the_whole_case(sample_data: Any, a_logic: Any) -> None:
    slicer.app.startupCompleted.emit()
    (source,) = slicer.modules.sampleDataSources["RadGS-Reg"]
    source.customDownloader(source)
    inputs = a_logic.inputs()
    assert inputs.missing() == []
    assert list(inputs.segments) == ["L3"]
    assert [a_logic.click("L3", xray) is not None for xray in inputs.xrays] == [True, True]


def test_a_slicer_before_named_categories_is_served_too(sample_data: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(sample_data.SampleDataLogic, "registerCustomSampleDataCategory")
    slicer.app.startupCompleted.emit()
    assert len(slicer.modules.sampleDataSources["RadGS-Reg"]) == 1


def test_without_a_sample_data_module_slicer_starts_all_the_same(
    a_scene: Any, the_module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fixture ``a_scene`` fails on an exception in the slot."""
    monkeypatch.setitem(sys.modules, "SampleData", None)
    slicer.app.startupCompleted.emit()
