"""The engine's libraries in Slicer's Python: what is missing, and how it comes in without harm to what is there.

Nothing is imported to find out: torch in Slicer's own process would hold its files and, perhaps, the GPU.
"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from importlib.machinery import PathFinder
from importlib.metadata import Distribution, DistributionFinder, MetadataPathFinder
from pathlib import Path
from typing import Any

from RadGSRegLib.engine.bundled_packages import BUNDLED, NEEDED
from RadGSRegLib.engine.pip_failures import DependencyError, explain_failure

try:
    from packaging.requirements import Requirement
except ImportError:  # pip is always there, and brings its own
    from pip._vendor.packaging.requirements import Requirement  # type: ignore[assignment]

MODULE_FOLDER = Path(__file__).resolve().parents[2]
REQUIREMENTS_FILE = MODULE_FOLDER / "Resources" / "requirements.txt"
#: Beside a requirements.txt: what is good to have.
OPTIONAL_NAME = "optional-requirements.txt"

#: Folders that are left out where 3D Slicer is packaged (CMake/SlicerBlockInstallPython.cmake).
STRIPPED = frozenset({"test", "tests"})

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Libraries:
    """What stands between Slicer's Python and the engine; every part empty where nothing does.

    Attributes:
        torch: Whether torch is missing.
        missing: Requirements that are not met, as pip reads them.
        damaged: Requirements whose packages are there by name, while some of their files are gone.
        unfit: Sentences about what is there in a version that cannot be used and is not ours to replace.
        optional: Requirements that are not met, and without which the engine runs all the same.
    """

    torch: bool
    missing: tuple[str, ...]
    damaged: tuple[str, ...]
    unfit: tuple[str, ...]
    optional: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether the engine can run."""
        return not (self.torch or self.missing or self.damaged or self.unfit)

    @property
    def names(self) -> str:
        """What the engine lacks, for people."""
        return ", ".join([*(["PyTorch"] if self.torch else []), *_names(self)])

    @property
    def names_with_optional(self) -> str:
        """What is to be installed, for people."""
        return ", ".join([self.names, *(Requirement(text).name for text in self.optional)])


class Dependencies:
    """Looks after the engine's libraries.

    Args:
        requirements: A requirements.txt; this module's by default.
        path: Folders to look for packages in; those of this interpreter by default.
    """

    def __init__(self, requirements: Path = REQUIREMENTS_FILE, path: Sequence[str] | None = None) -> None:
        self._requirements, self._path = requirements, path
        self._known: Libraries | None = None
        #: Whether an installation is under way.
        self.installing = False

    def libraries(self) -> Libraries:
        """What is missing, as it was when last looked at."""
        if self._known is None:
            self._known = self.look()
        return self._known

    def look(self) -> Libraries:
        """Looks again, at the file system and nothing else."""
        importlib.invalidate_caches()
        missing, damaged = self._unmet(self._requirements)
        optional = self._requirements.with_name(OPTIONAL_NAME)
        self._known = Libraries(
            torch=self._version("torch") is None,
            missing=tuple(missing),
            damaged=tuple(damaged),
            unfit=tuple(filter(None, map(self._unfit, map(Requirement, NEEDED)))),
            optional=tuple(self._unmet(optional)[0]) if optional.is_file() else (),
        )
        return self._known

    def _unmet(self, file: Path) -> tuple[list[str], list[str]]:
        """The requirements that are missing, and those whose packages are damaged."""
        missing, damaged = [], []
        for requirement in _read_requirements(file):
            found = self._distribution(requirement.name)
            version = _version_of(found)
            if found is not None and (version is None or _lacks_files(found)):
                damaged.append(str(requirement))
            elif version is None or not requirement.specifier.contains(version, prereleases=True):
                missing.append(str(requirement))
        return missing, damaged

    def check(self) -> None:
        """Refuses to start an engine that cannot run.

        Raises:
            DependencyError: Something is missing, or being installed.
        """
        if self.installing:
            raise DependencyError("The engine's libraries are being installed.", "Wait until that has finished.")
        libraries = self.libraries()
        if libraries.unfit:
            raise _refusal(libraries)
        if not libraries.complete:
            raise DependencyError(
                f"The engine's libraries are not all installed: {libraries.names}.",
                "Press Install at the top of the panel.",
            )

    def install(self, tell: Tell = lambda line: None) -> list[str]:
        """Installs what is missing; the user has agreed. The application's events are handled meanwhile.

        Args:
            tell: Called with pip's lines.

        Returns:
            Packages whose old versions are loaded already: Slicer has to be restarted for them.

        Raises:
            DependencyError: It could not be done; what could, has been, and the next call goes on from there.
        """
        wanted = self.look()
        if wanted.unfit:
            raise _refusal(wanted)
        if wanted.torch and _pytorch_utils() is None:
            raise DependencyError(
                "PyTorch is missing, and the PyTorch extension that installs it is not there.",
                "Install the extension PyTorch in the Extensions Manager, restart 3D Slicer, and press Install again.",
            )
        before = {name: self._version(name) for name in _names(wanted)}
        lines: list[str] = []

        def heard(line: str) -> None:
            lines.append(line)
            tell(line)

        self.installing = True
        try:
            with redirect_stdout(_Lines(sys.stdout, heard)):
                self._bring_in(wanted)
                self._bring_in_optional(wanted, heard)
        except Exception as problem:
            raise explain_failure(problem, lines, self.look().names) from problem
        finally:
            self.installing = False
        left = self.look()
        if not left.complete:
            raise explain_failure(None, lines, left.names)
        return [name for name, version in before.items() if version is not None and _import_name(name) in sys.modules]

    def _bring_in(self, wanted: Libraries) -> None:
        if wanted.torch:
            with self._nothing_replaced():
                _install_torch()
            if self.look().torch:  # else pip would bring a build of its own choice, because others depend on torch
                raise RuntimeError("the PyTorch extension has not installed torch")
        with self._nothing_replaced():
            if wanted.missing:
                _pip_install(list(wanted.missing))
            if wanted.damaged:  # pip cannot uninstall what has lost its list of files
                _pip_install(["--ignore-installed", "--no-deps", *wanted.damaged])

    def _bring_in_optional(self, wanted: Libraries, tell: Tell) -> None:
        """Each by itself: no version for this Python, or none that leaves alone what is not ours, is no failure."""
        for requirement in wanted.optional:
            try:
                with self._nothing_replaced():
                    _pip_install([requirement])
            except Exception:
                tell(f"{Requirement(requirement).name} cannot be installed here; the engine runs without it, slower.")

    def _unfit(self, requirement: Requirement) -> str | None:
        """What is wrong with one of the packages that are not ours; None where nothing is, or can be known."""
        name, version = requirement.name, self._version(requirement.name)
        if version is not None and not requirement.specifier.contains(version, prereleases=True):
            return f"{name} {version}, where {requirement} is needed"
        if version is None and name != "torch" and PathFinder.find_spec(name, self._path) is None:
            return f"{name} is missing, where {requirement} is needed"
        return None

    def _distribution(self, name: str) -> Distribution | None:
        options = {} if self._path is None else {"path": list(self._path)}
        context = DistributionFinder.Context(name=name, **options)
        return next(iter(MetadataPathFinder.find_distributions(context)), None)

    def _version(self, name: str) -> str | None:
        return _version_of(self._distribution(name))

    @contextmanager
    def _nothing_replaced(self) -> Iterator[None]:
        """Every pip that is started within it refuses to change what is not ours."""
        held = [(name, self._version(name)) for name in sorted({"torch", *BUNDLED})]
        with tempfile.TemporaryDirectory(prefix="RadGSReg-pip-") as folder:
            constraints = Path(folder) / "constraints.txt"
            constraints.write_text("".join(f"{name}=={version}\n" for name, version in held if version), "utf-8")
            former = os.environ.get("PIP_CONSTRAINT")
            # As a URL: pip takes a list here, and a path with a space would be two.
            os.environ["PIP_CONSTRAINT"] = " ".join([*([former] if former else []), constraints.as_uri()])
            try:
                yield
            finally:
                if former is None:
                    del os.environ["PIP_CONSTRAINT"]
                else:
                    os.environ["PIP_CONSTRAINT"] = former


class _Lines:
    """A stream that hands on what is written, and tells of every line."""

    def __init__(self, stream: Any, tell: Tell) -> None:
        self._stream, self._tell, self._rest = stream, tell, ""

    def write(self, text: str) -> int:
        self._stream.write(text)
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            if line.strip():
                self._tell(line.strip())
        return len(text)

    def flush(self) -> None:
        self._stream.flush()


def _pip_install(arguments: list[str]) -> None:
    """Slicer's own installer: with a progress dialog from 5.12 on, in the Python console before."""
    import slicer

    try:
        from slicer.packaging import pip_install
    except ImportError:
        slicer.util.pip_install(arguments)
    else:
        pip_install(arguments, requester="RadGS-Reg")


def _pytorch_utils() -> Any:
    """The PyTorch extension's module; None where the extension is not installed."""
    try:
        return importlib.import_module("PyTorchUtils")
    except ImportError:
        return None


def _install_torch() -> None:
    """The PyTorch extension's own installer, which chooses the build for the graphics card.

    It ends with importing torch; that is held back, because files that a process has open cannot be repaired.
    """
    held_back = "torch" not in sys.modules
    if held_back:
        sys.modules["torch"] = None  # type: ignore[assignment]
    try:
        _pytorch_utils().PyTorchUtilsLogic().installTorch(torchVersionRequirement=_specifier("torch"))
    except ModuleNotFoundError as problem:
        if not (held_back and problem.name == "torch"):
            raise
    finally:
        if held_back:
            del sys.modules["torch"]


def _read_requirements(path: Path) -> list[Requirement]:
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    return [Requirement(line) for line in lines if line and not line.startswith(("#", "-"))]


def _version_of(found: Distribution | None) -> str | None:
    """The version of an installation; None where there is none, or where it was cut short before its metadata."""
    try:
        return None if found is None else found.metadata["Version"] or None
    except Exception:  # whatever half a file makes of its reader
        return None


def _lacks_files(found: Distribution) -> bool:
    """Whether an installation was cut short: files that it lists are gone."""
    try:
        files = found.files
    except Exception:  # whatever half a file makes of its reader
        return True
    if files is None:
        return found.read_text("WHEEL") is not None  # whose list of files is the last thing that pip writes
    needed = (file for file in files if file.suffix == ".py" and not STRIPPED.intersection(file.parts))
    return any(not Path(str(file.locate())).exists() for file in needed)


def _names(libraries: Libraries) -> list[str]:
    return [Requirement(text).name for text in (*libraries.missing, *libraries.damaged)]


def _import_name(distribution: str) -> str:
    return {"scikit-image": "skimage"}.get(distribution, distribution)


def _specifier(name: str) -> str:
    return next(str(one.specifier) for one in map(Requirement, NEEDED) if one.name == name)


def _refusal(libraries: Libraries) -> DependencyError:
    return DependencyError(
        f"3D Slicer has {'; '.join(libraries.unfit)}; RadGS-Reg does not replace it.",
        "Use a newer 3D Slicer, or update torch with the PyTorch extension's own module.",
    )
