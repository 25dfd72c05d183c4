"""What the engine's packages offer, and what importing them costs."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import radgs

MODULE_FOLDER = Path(radgs.__file__).resolve().parents[1]
#: What Slicer's Python lacks until somebody presses Install.
INSTALLED_LATER = ("torch", "skimage", "matplotlib", "safetensors", "typer", "rich")


def loaded_by(code: str) -> set[str]:
    """The top-level modules that a fresh Python has loaded after some code."""
    before = f"import sys; sys.path.insert(0, {str(MODULE_FOLDER)!r})"
    after = "print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", f"{before}\n{code}\n{after}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_radgs_itself_is_light() -> None:
    assert not loaded_by("import radgs; radgs.__version__") & {"numpy", "scipy", "SimpleITK", *INSTALLED_LATER}


def test_the_command_line_is_light_until_it_has_something_to_do() -> None:
    assert not loaded_by("import radgs.cli") & {"numpy", "scipy", "SimpleITK", "torch"}


@pytest.mark.parametrize("name", ["anatomy", "case", "export", "geometry", "io"])
def test_what_the_panel_uses_needs_nothing_that_slicer_lacks(name: str) -> None:
    package = importlib.import_module(f"radgs.{name}")
    modules = [module.name for module in pkgutil.walk_packages(package.__path__, f"radgs.{name}.")]
    assert modules
    assert not loaded_by("import " + ", ".join(modules)) & set(INSTALLED_LATER)


def test_radgs_offers_what_most_programs_need() -> None:
    from radgs.case import RegistrationCase, RegistrationResult, load_case
    from radgs.pipeline import register

    assert radgs.register is register
    assert radgs.load_case is load_case
    assert radgs.RegistrationCase is RegistrationCase
    assert radgs.RegistrationResult is RegistrationResult
    with pytest.raises(AttributeError, match="no attribute 'deform'"):
        radgs.deform  # noqa: B018


def test_a_case_is_loaded_and_checked_by_one_function() -> None:
    case = radgs.load_case(MODULE_FOLDER / "radgs" / "data" / "demo")
    assert [level.name for level in case.levels] == ["L3"]


@pytest.mark.parametrize("name", [module.name for module in pkgutil.iter_modules(radgs.__path__) if module.ispkg])
def test_every_package_has_the_names_it_offers(name: str) -> None:
    package = importlib.import_module(f"radgs.{name}")
    assert package.__doc__
    for offered in getattr(package, "__all__", ()):
        assert hasattr(package, offered), offered
