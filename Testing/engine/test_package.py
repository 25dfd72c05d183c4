"""The engine as others get it: a wheel, installed away from this tree, with its command line and its data."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
VERDICTS = {0: "accept", 3: "check", 4: "reject"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of what it is made of, so that a build leaves nothing in the tree."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(PROJECT / name, source)
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(PROJECT / "RadGSReg", source / "RadGSReg", ignore=ignored)
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(folder), str(source))
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel's content installed, and nothing else."""
    folder = tmp_path_factory.mktemp("elsewhere") / "site"
    pip("install", "--no-deps", "--no-index", "--target", str(folder), str(wheel))
    return folder


def pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def run(site: Path, cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs Python in another folder, where only the installed copy of the engine is on the path."""
    environment = {**os.environ, "PYTHONPATH": str(site), "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def test_the_wheel_holds_every_module_and_every_data_file(wheel: Path) -> None:
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("radgs/")}
    engine = PROJECT / "RadGSReg" / "radgs"
    wanted = set(engine.rglob("*.py")) | {engine / "py.typed"}
    wanted |= {path for path in (engine / "data").rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert packed == {path.relative_to(engine.parent).as_posix() for path in wanted}


def test_the_wheel_carries_its_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (licence,) = [name for name in archive.namelist() if name.endswith("/LICENSE")]
        assert b"Apache License" in archive.read(licence)


def test_the_installed_copy_is_the_one_that_runs(site: Path, tmp_path: Path) -> None:
    done = run(site, tmp_path, "-c", "import radgs; print(radgs.__file__)")
    assert Path(done.stdout.strip()).is_relative_to(site), done.stdout + done.stderr


def test_the_command_line_says_the_packages_version(site: Path, tmp_path: Path) -> None:
    import radgs

    done = run(site, tmp_path, "-m", "radgs", "--version")
    assert done.returncode == 0, done.stdout + done.stderr
    assert radgs.__version__ in done.stdout


def test_the_demo_registers_a_vertebra_away_from_the_tree(site: Path, tmp_path: Path) -> None:
    done = run(site, tmp_path, "-m", "radgs", "demo", "--out", "result")
    assert done.returncode in VERDICTS, done.stdout + done.stderr
    result = json.loads((tmp_path / "result" / "result.json").read_text(encoding="utf-8"))
    assert result["schema"] == "radgs.result/1"
    verdicts = {level["verdict"] for level in result["levels"].values()}
    assert VERDICTS[done.returncode] in verdicts
    pictures = list((tmp_path / "result").glob("*.png"))
    assert pictures, "the demo leaves pictures to look at"
    assert all(picture.read_bytes().startswith(b"\x89PNG") for picture in pictures)


def pins_of(lock: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==([0-9a-z.]+)", (PROJECT / "requirements" / lock).read_text(), re.MULTILINE))


def test_slicers_own_versions_are_ones_the_package_accepts() -> None:
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {canonicalize_name(one.name): one.specifier for one in map(Requirement, project["dependencies"])}
    pinned = {name: version for name, version in pins_of("slicer-5.10.txt").items() if name in wanted}
    assert sorted(pinned) == ["numpy", "pydicom", "scipy", "simpleitk"]
    assert all(wanted[name].contains(version) for name, version in pinned.items())


def test_every_pinned_version_is_one_the_package_accepts() -> None:
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    pins = pins_of("dev.txt") | pins_of("torch.txt")
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    for text in [*project["dependencies"], *extras["test"], *extras["dev"]]:
        wanted = Requirement(text)
        pinned = pins.get(canonicalize_name(wanted.name))
        assert pinned, f"requirements has no {wanted.name}"
        assert wanted.specifier.contains(pinned), (
            f"{wanted.name} is pinned to {pinned}, but has to be {wanted.specifier}"
        )
