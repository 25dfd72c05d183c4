"""What the engine lacks is installed by the real pip, from a folder of tiny wheels, into an environment of its own."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import types
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import slicer
from slicer_fixtures import in_full_slicer

from RadGSRegLib.engine.bundled_packages import BUNDLED, NEEDED
from RadGSRegLib.engine.dependencies import OPTIONAL_NAME, REQUIREMENTS_FILE, Dependencies
from RadGSRegLib.engine.pip_failures import DependencyError

pytestmark = pytest.mark.skipif(in_full_slicer() or os.name == "nt", reason="makes an environment of its own")

PROJECT = Path(__file__).resolve().parents[3]


def make_wheel(folder: Path, name: str, version: str, requires: tuple[str, ...] = ()) -> None:
    """A wheel with one module that says its version, and the module's own tests."""
    info = f"{name}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {one}\n" for one in requires)
    files = {
        f"{name}/__init__.py": f"VERSION = {version!r}\n",
        f"{name}/more.py": "",
        f"{name}/inside/tests/test_more.py": "",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},{_digest(text)},{len(text)}\n" for path, text in files.items()) + f"{info}/RECORD,,\n"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for path, text in {**files, f"{info}/RECORD": record}.items():
            wheel.writestr(path, text)


def _digest(text: str) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


#: What 3D Slicer 5.10 is built with, some of it, and what its extensions have added.
BUILT = {"numpy": "2.0.2", "scipy": "1.13.1", "SimpleITK": "2.5.2", "pydicom": "2.4.4", "pillow": "11.2.1"}
BROUGHT = {**BUILT, "torch": "2.6.0"}


def run_module(name: str, arguments: list[str]) -> None:
    """Runs a Python module by Slicer's own function, which until 5.10 had a private name."""
    public = getattr(slicer.util, "executePythonModule", None)
    (public or slicer.util._executePythonModule)(name, arguments)


class Scratch:
    """An environment that plays a packaged Slicer's Python; alpha and beta are wanted."""

    def __init__(self, python: Path, folder: Path) -> None:
        (site,) = (python.parent.parent / "lib").glob("python*/site-packages")
        self.site, self.wheels = site, folder / "some wheels"
        self.wheels.mkdir()
        self.requirements = folder / "requirements.txt"
        self.requirements.write_text("# ours\nalpha>=1.0\nbeta>=2.0\n", "utf-8")
        for name in (*BROUGHT, "alpha", "beta"):
            for left in site.glob(f"{name}*"):
                shutil.rmtree(left)
        for name, version in BROUGHT.items():
            self.put(name, version)
            if name in BUILT:  # the packaging leaves out tests, and leaves the lists of files as they were
                shutil.rmtree(site / name / "inside" / "tests")

    def put(self, name: str, version: str) -> None:
        """Unpacks a package where pip would."""
        make_wheel(self.wheels, name, version)
        with zipfile.ZipFile(self.wheels / f"{name}-{version}-py3-none-any.whl") as wheel:
            wheel.extractall(self.site)

    def dependencies(self) -> Dependencies:
        """Of this environment."""
        return Dependencies(self.requirements, [str(self.site)])

    def versions(self) -> dict[str, str]:
        """By name, as the folders say."""
        infos = [path.name.removesuffix(".dist-info").split("-") for path in self.site.glob("*.dist-info")]
        return {name: version for name, version in infos if name in (*BROUGHT, "alpha", "beta")}


@pytest.fixture(scope="module")
def fresh_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with nothing but pip."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    return folder / "bin" / "python"


@pytest.fixture
def scratch(a_scene: Any, fresh_python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scratch]:
    """The environment, with PythonSlicer on the PATH, and pip told to look into the folder of wheels alone."""
    (tmp_path / "bin").mkdir()
    launcher = tmp_path / "bin" / "PythonSlicer"
    launcher.write_text(f'#!/bin/sh\nunset PYTHONPATH\nexec "{fresh_python}" "$@"\n', "utf-8")
    launcher.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    made = Scratch(fresh_python, tmp_path)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", made.wheels.as_uri())
    monkeypatch.setenv("PIP_DISABLE_PIP_VERSION_CHECK", "1")
    return made


@pytest.mark.parametrize("needs", ["", "numpy>=9.0"])
def test_what_is_optional_comes_along_or_is_done_without(scratch: Scratch, needs: str) -> None:
    """One that asks for another numpy than Slicer's is left out, and what is needed is there all the same."""
    dependencies, lines = scratch.dependencies(), []
    scratch.requirements.with_name(OPTIONAL_NAME).write_text("gamma>=3.0\n", "utf-8")
    for name, version in (("alpha", "1.5"), ("beta", "2.0"), ("numpy", "9.0")):
        make_wheel(scratch.wheels, name, version)
    make_wheel(scratch.wheels, "gamma", "3.1", (needs,) if needs else ())
    assert dependencies.look().names_with_optional == "alpha, beta, gamma"
    dependencies.install(lines.append)
    assert scratch.versions() == {**BROUGHT, "alpha": "1.5", "beta": "2.0"}
    assert list(scratch.site.glob("gamma-*")) == ([] if needs else [scratch.site / "gamma-3.1.dist-info"])
    assert ("gamma cannot be installed here; the engine runs without it, slower." in lines) == bool(needs)
    dependencies.check()
    for left in scratch.site.glob("gamma*"):
        shutil.rmtree(left)


def test_what_is_missing_is_installed_and_nothing_else_is_touched(scratch: Scratch) -> None:
    dependencies, lines = scratch.dependencies(), []
    make_wheel(scratch.wheels, "alpha", "1.5", ("numpy>=1.0",))
    make_wheel(scratch.wheels, "beta", "2.0")
    make_wheel(scratch.wheels, "numpy", "9.0")
    assert dependencies.libraries().missing == ("alpha>=1.0", "beta>=2.0")
    with pytest.raises(DependencyError, match="not all installed: alpha, beta"):
        dependencies.check()
    assert dependencies.install(lines.append) == []
    assert scratch.versions() == {**BROUGHT, "alpha": "1.5", "beta": "2.0"}
    assert any(line.startswith("Successfully installed alpha-1.5 beta-2.0") for line in lines)
    dependencies.check()
    assert "PIP_CONSTRAINT" not in os.environ


def test_it_installs_with_the_slicer_that_has_no_packaging_module(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slicer 5.10's ``slicer.util.pip_install`` takes one argument and nothing else."""

    def pip_install(requirements: Any) -> None:
        assert isinstance(requirements, list)
        run_module("pip", ["install", *requirements])

    monkeypatch.setitem(sys.modules, "slicer.packaging", None)
    monkeypatch.setattr(slicer.util, "pip_install", pip_install)
    for name in ("alpha", "beta"):
        make_wheel(scratch.wheels, name, "2.0")
    scratch.dependencies().install()
    assert scratch.versions() == {**BROUGHT, "alpha": "2.0", "beta": "2.0"}


@pytest.mark.parametrize("name", BROUGHT)
def test_what_slicer_and_its_extension_bring_is_never_replaced(scratch: Scratch, name: str) -> None:
    make_wheel(scratch.wheels, "alpha", "1.5", (f"{name}>=99.0",))
    make_wheel(scratch.wheels, "beta", "2.0")
    make_wheel(scratch.wheels, name, "99.0")
    with pytest.raises(DependencyError, match=r"never replaced.*Still missing: alpha, beta"):
        scratch.dependencies().install()
    assert scratch.versions() == BROUGHT


def test_a_packaged_slicers_own_packages_are_whole_and_not_asked_for(scratch: Scratch) -> None:
    """Its numpy, scipy, pydicom and SimpleITK are here as they are installed, with empty files and without tests."""
    site = scratch.site / "packaged"
    for name in ("numpy", "scipy", "pydicom", "SimpleITK"):
        installed = importlib.metadata.distribution(name)
        for file in installed.files or ():
            if not {"test", "tests", ".."}.intersection(file.parts):
                (site / file).parent.mkdir(parents=True, exist_ok=True)
                (site / file).write_text((file.read_text() if ".dist-info" in file.parts[0] else "") or "", "utf-8")
    assert any("/tests/" in str(file) for file in importlib.metadata.files("scipy") or ())
    found = Dependencies(path=[str(site)]).look()
    assert (found.damaged, found.unfit) == ((), ())
    assert not {"numpy", "scipy", "pydicom", "SimpleITK"} & {text.split(">")[0] for text in found.missing}


@pytest.mark.parametrize("lost", ["METADATA", "RECORD"])
def test_what_slicer_brings_is_there_whatever_its_papers_say(scratch: Scratch, lost: str) -> None:
    (scratch.site / f"scipy-1.13.1.dist-info/{lost}").unlink()
    found = scratch.dependencies().look()
    assert (found.missing, found.damaged, found.unfit) == (("alpha>=1.0", "beta>=2.0"), (), ())


def test_a_slicer_built_without_a_library_is_told(scratch: Scratch) -> None:
    for left in scratch.site.glob("SimpleITK*"):
        shutil.rmtree(left)
    with pytest.raises(DependencyError, match=r"SimpleITK is missing, where SimpleITK>=2\.3 is needed"):
        scratch.dependencies().check()


def test_half_installed_it_says_what_is_missing_and_goes_on_from_there(scratch: Scratch) -> None:
    scratch.put("alpha", "1.0")
    dependencies = scratch.dependencies()
    with pytest.raises(DependencyError, match=r"nothing that fits\. Still missing: beta") as refusal:
        dependencies.install()
    assert "press" in refusal.value.remedy.lower()
    make_wheel(scratch.wheels, "beta", "2.1")
    dependencies.install()
    assert scratch.versions() == {**BROUGHT, "alpha": "1.0", "beta": "2.1"}


def test_without_a_connection_it_says_so(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    for name, value in (("INDEX_URL", "http://127.0.0.1:9/simple"), ("RETRIES", "1"), ("DEFAULT_TIMEOUT", "2")):
        monkeypatch.setenv(f"PIP_{name}", value)
    monkeypatch.delenv("PIP_FIND_LINKS")
    with pytest.raises(DependencyError, match=r"server cannot be reached\. Still missing: alpha, beta") as refusal:
        scratch.dependencies().install()
    assert "Connect to the internet" in refusal.value.remedy
    assert scratch.versions() == BROUGHT


@pytest.mark.parametrize("lost", ["alpha/more.py", "alpha-1.0.dist-info/METADATA", "alpha-1.0.dist-info/RECORD"])
def test_an_installation_that_was_cut_short_is_repaired(scratch: Scratch, lost: str) -> None:
    scratch.put("alpha", "1.0")
    scratch.put("beta", "2.0")
    (scratch.site / lost).unlink()
    dependencies = scratch.dependencies()
    assert dependencies.libraries().damaged == ("alpha>=1.0",)
    dependencies.install()
    assert dependencies.libraries().complete
    assert (scratch.site / lost).exists()


def test_a_version_that_is_not_ours_to_replace_is_refused(scratch: Scratch) -> None:
    shutil.rmtree(scratch.site / "numpy-2.0.2.dist-info")
    scratch.put("numpy", "1.20")
    dependencies = scratch.dependencies()
    for attempt in (dependencies.check, dependencies.install):
        with pytest.raises(DependencyError, match=r"numpy 1.20, where numpy>=1.26 is needed; RadGS-Reg does not"):
            attempt()


def test_torch_comes_with_its_extension_or_not_at_all(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    for left in scratch.site.glob("torch*"):
        shutil.rmtree(left)
    for name in ("alpha", "beta"):
        make_wheel(scratch.wheels, name, "2.0")
    with pytest.raises(DependencyError, match="the PyTorch extension that installs it is not there") as refusal:
        scratch.dependencies().install()
    assert "Extensions Manager" in refusal.value.remedy
    assert "alpha" not in scratch.versions()

    class PyTorchUtilsLogic:
        """The extension's own, but that pip takes the place of light-the-torch."""

        def installTorch(  # noqa: N802
            self,
            askConfirmation: bool = False,  # noqa: N803
            forceComputationBackend: str | None = None,  # noqa: N803
            torchVersionRequirement: str | None = None,  # noqa: N803
            torchvisionVersionRequirement: str | None = None,  # noqa: N803
        ) -> None:
            assert not askConfirmation
            run_module("pip", ["install", f"torch{torchVersionRequirement}"])
            import torch

            imported.append(torch.__name__)

    imported: list[str] = []
    loaded = sys.modules.pop("torch", None)
    extension = types.ModuleType("PyTorchUtils")
    extension.PyTorchUtilsLogic = PyTorchUtilsLogic  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "PyTorchUtils", extension)
    try:
        scratch.dependencies().install()
        assert not imported
        assert "torch" not in sys.modules
    finally:
        if loaded is not None:
            sys.modules["torch"] = loaded
    assert scratch.versions() == {**BROUGHT, "alpha": "2.0", "beta": "2.0"}


def test_torch_never_comes_in_by_the_back_door(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the extension installs nothing, as when it is told not to, pip must not choose a build of torch itself."""
    for left in scratch.site.glob("torch*"):
        shutil.rmtree(left)
    make_wheel(scratch.wheels, "alpha", "2.0", ("torch>=2.0",))
    for name in ("beta", "torch"):
        make_wheel(scratch.wheels, name, "2.7.0")
    extension = types.ModuleType("PyTorchUtils")
    logic = type("PyTorchUtilsLogic", (), {"installTorch": lambda self, **_options: None})
    extension.PyTorchUtilsLogic = logic  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "PyTorchUtils", extension)
    with pytest.raises(DependencyError, match=r"has not installed torch.*Still missing: PyTorch, alpha, beta"):
        scratch.dependencies().install()
    assert "torch" not in scratch.versions()


def test_the_list_is_that_of_the_package_without_what_slicer_brings() -> None:
    import tomllib

    listed = [line for line in REQUIREMENTS_FILE.read_text("utf-8").splitlines() if not line.startswith("#")]
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]
    assert sorted([*listed, *NEEDED]) == sorted(project["dependencies"])
    optional = REQUIREMENTS_FILE.with_name(OPTIONAL_NAME).read_text("utf-8").splitlines()
    assert [line for line in optional if not line.startswith("#")] == project["optional-dependencies"]["fast"]


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not here")
def test_where_everything_is_there_nothing_is_asked_for() -> None:
    assert Dependencies().libraries().complete


def test_everything_that_slicer_is_built_with_is_known() -> None:
    """Compared with a source tree of Slicer, where one is named."""
    folder = os.environ.get("SLICER_SOURCE")
    if not folder:
        pytest.skip("no source tree of Slicer here: set SLICER_SOURCE")
    files = sorted((Path(folder) / "SuperBuild").glob("External_python-*.cmake"))
    names = {name for file in files for name in re.findall(r"^ *([\w.-]+)==", file.read_text("utf-8"), re.MULTILINE)}
    tools = {"pip", "setuptools", "wheel"}
    assert {"numpy", "scipy", "pydicom"} <= names
    assert {name.lower().replace("_", "-") for name in names} - tools <= BUNDLED
