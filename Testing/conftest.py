"""Fixtures for every test: real anatomy where it can be had, and helpers shared between folders."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from radgs.geometry import Volume

TESTING = Path(__file__).resolve().parent
sys.path += [str(TESTING / "benchmarks"), str(TESTING / "host")]

import real_ct_data  # noqa: E402
import without_engine  # noqa: E402
from navigation import navigation, pyigtl  # noqa: E402, F401
from slicer_fixtures import a_demo_case, a_launcher, a_logic, a_scene, host, the_module  # noqa: E402, F401


def pytest_configure(config: pytest.Config) -> None:
    """Where the engine's libraries are not installed, what needs them is skipped."""
    if without_engine.needed():
        config.pluginmanager.register(without_engine.WithoutEngine())


@pytest.fixture(scope="session")
def real_ct_folder() -> Path:
    """The folder with the real CT; skips, saying how to fetch it, where there is none."""
    folder = real_ct_data.real_ct_folder()
    if folder is None:
        pytest.skip(real_ct_data.HOW_TO_GET_IT)
    return folder


@pytest.fixture(scope="session")
def real_labels(real_ct_folder: Path) -> Volume:
    """TotalSegmentator's labels of the real CT."""
    return real_ct_data.read_labels(real_ct_folder)


@pytest.fixture(scope="session")
def real_ct(real_ct_folder: Path) -> Volume:
    """The real CT in HU."""
    return real_ct_data.read_ct(real_ct_folder)


@pytest.fixture(scope="session")
def verse_labels() -> Volume:
    """A VerSe label map (subject verse004: T9 to L5, with a crushed L1), at $RADGS_VERSE004; skips without it."""
    path = os.environ.get("RADGS_VERSE004")
    if not path or not Path(path).is_file():
        pytest.skip("no VerSe label map here: set RADGS_VERSE004 to sub-verse004_seg-vert_msk.nii.gz")
    return real_ct_data.read_label_map(Path(path))
