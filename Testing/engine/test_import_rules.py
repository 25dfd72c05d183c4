"""Who may import whom: engine and panel apart, and one direction through the engine's layers."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
MODULE_FOLDER = PROJECT / "RadGSReg"
ENGINE = MODULE_FOLDER / "radgs"

# The engine's packages, the lowest first. A package imports only from the rows below its own, for types too.
ROWS: tuple[tuple[str, ...], ...] = (
    ("child_processes", "colours", "errors", "filters", "ports", "rotations", "threads", "versions"),
    ("geometry",),
    ("anatomy", "io"),
    ("kernels",),
    ("drr", "gaussians", "phantom"),
    ("case",),
    ("vertebra",),
    ("simulation",),
    ("networks", "overlay", "refine"),
    ("calibration", "export", "report"),
    ("pipeline",),
    ("evaluation",),
    ("training",),
    ("experiments",),
    ("worker",),
    ("cli",),
    ("__init__", "__main__"),
)
ROW_OF = {name: height for height, names in enumerate(ROWS) for name in names}
# What the panel may use; Slicer's own process has no PyTorch.
WITHOUT_TORCH = (
    "anatomy",
    "case",
    "child_processes",
    "colours",
    "errors",
    "export",
    "geometry",
    "io",
    "ports",
    "versions",
)

SLICER_ONLY = {"slicer", "qt", "ctk", "vtk", "vtkmodules", "PythonQt", "mrml", "RadGSReg", "RadGSRegLib"}
# Where a distribution's import name is not its own name.
IMPORT_NAMES = {"scikit-image": "skimage"}


class _WithoutTypes(ast.NodeTransformer):
    """Takes out ``if TYPE_CHECKING:``, whose imports never run."""

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        names = {part.id for part in ast.walk(node.test) if isinstance(part, ast.Name)}
        return node.orelse if "TYPE_CHECKING" in names else self.generic_visit(node)


def imports_of(path: Path, at_run_time: bool = False) -> Iterator[tuple[str, int]]:
    """Every module a file imports, at its top or inside a function, with its line; ``from a import b`` is ``a.b``."""
    tree: ast.AST = ast.parse(path.read_text(encoding="utf-8"), str(path))
    for node in ast.walk(_WithoutTypes().visit(tree) if at_run_time else tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute here"
            for alias in node.names:
                yield f"{node.module}.{alias.name}", node.lineno


def engine_files() -> list[Path]:
    return sorted(ENGINE.rglob("*.py"))


def panel_files() -> list[Path]:
    return [*MODULE_FOLDER.glob("RadGSReg*.py"), *sorted((MODULE_FOLDER / "RadGSRegLib").rglob("*.py"))]


def module_name(path: Path) -> str:
    """``radgs.io.volumes`` for ``radgs/io/volumes.py``, ``radgs.io`` for ``radgs/io/__init__.py``."""
    return ".".join(path.relative_to(MODULE_FOLDER).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_name(path): path for path in engine_files()}


def package_of(module: str) -> str:
    """The engine's top-level name that a module belongs to; ``__init__`` for radgs itself."""
    return module.split(".")[1] if "." in module else "__init__"


def engine_imports(path: Path, at_run_time: bool = False) -> Iterator[tuple[str, int]]:
    """The engine's modules that a file imports, with the line."""
    for module, line in imports_of(path, at_run_time):
        if module.split(".")[0] == "radgs":
            while module not in MODULES:
                module = module.rpartition(".")[0]
            yield module, line


def where(path: Path, line: int) -> str:
    return f"{path.relative_to(PROJECT)}:{line}"


def test_the_engine_knows_nothing_of_slicer() -> None:
    wrong = [
        f"{where(path, line)} imports {module}"
        for path in engine_files()
        for module, line in imports_of(path)
        if module.split(".")[0] in SLICER_ONLY
    ]
    assert not wrong, "\n".join(wrong)


def test_every_package_of_the_engine_has_its_row() -> None:
    present = {package_of(module) for module in MODULES}
    assert present == set(ROW_OF), f"ROWS in {where(Path(__file__), 1)} names each once: {present ^ set(ROW_OF)}"
    assert len(ROW_OF) == sum(map(len, ROWS))


def test_the_engines_imports_run_one_way() -> None:
    wrong = []
    for module, path in MODULES.items():
        importer = package_of(module)
        for imported, line in engine_imports(path):
            package = package_of(imported)
            if package != importer and ROW_OF[package] >= ROW_OF[importer]:
                wrong.append(f"{where(path, line)}: {importer} imports {package}, which does not stand below it")
    assert not wrong, "\n".join(wrong)


def test_no_modules_of_the_engine_import_each_other_in_a_circle() -> None:
    """Neither at run time nor for types; a package's face, its ``__init__.py``, counts as a module."""
    circle = circle_in({module: {name for name, _ in engine_imports(path)} for module, path in MODULES.items()})
    assert not circle, " -> ".join(circle)


def circle_in(graph: dict[str, set[str]]) -> list[str]:
    """Some modules that import each other in a circle, importers first; empty where there are none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []


def test_a_circle_is_found() -> None:
    assert circle_in({"a": {"b"}, "b": {"c"}, "c": set()}) == []
    assert circle_in({"a": {"b"}, "b": {"c"}, "c": {"b"}}) in (["b", "c", "b"], ["c", "b", "c"])
    assert circle_in({"a": {"a"}}) == ["a", "a"]


def test_what_the_panel_uses_never_brings_torch_into_slicer() -> None:
    """Neither the panel nor an engine's module that it may use imports torch, at any remove."""
    offered = [path for module, path in MODULES.items() if package_of(module) in WITHOUT_TORCH]
    waiting = [(path, where(path, 1)) for path in [*panel_files(), *offered, MODULES["radgs"]]]
    seen = {path for path, _ in waiting}
    wrong = []
    while waiting:
        path, origin = waiting.pop()
        for module, line in imports_of(path, at_run_time=True):
            if module.split(".")[0] == "torch":
                wrong.append(f"{where(path, line)} imports {module} (reached from {origin})")
        for module, _ in engine_imports(path, at_run_time=True):
            parts = module.split(".")
            # A module's packages are imported before it.
            reached = {MODULES[".".join(parts[:count])] for count in range(1, len(parts) + 1)} - seen
            seen |= reached
            waiting += [(file, origin) for file in reached]
    assert not wrong, "\n".join(wrong)


#: Triton reads its kernels' names where they are written: these modules import it, and are imported in functions only.
TRITON_MODULES = {"fused_ray_kernels.py", "splat_fused_kernels.py", "voxel_fused_kernels.py"}


def declared_distributions(extra: str | None = None) -> set[str]:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = project["optional-dependencies"][extra] if extra else project["dependencies"]
    names = {line.split(";")[0].split(">")[0].split("=")[0].strip() for line in lines}
    return {IMPORT_NAMES.get(name, name) for name in names}


def test_what_the_engine_imports_is_what_its_package_asks_for() -> None:
    """A wheel installed elsewhere finds everything at run time. Extras are imported in functions only, and all are."""
    needed = declared_distributions()
    extras = ("paper", "igtl", "fast", "gold", "gpu")
    optional = set().union(*(declared_distributions(extra) for extra in extras))
    wrong, used = [], set()
    for path in engine_files():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        at_top = {node.lineno for node in tree.body}
        for module, line in imports_of(path, at_run_time=True):
            name = module.split(".")[0]
            if name == "radgs" or name in sys.stdlib_module_names or name in needed:
                continue
            if name in optional and (line not in at_top or path.name in TRITON_MODULES):
                used.add(name)
                continue
            wrong.append(f"{where(path, line)} imports {name}")
        for node in tree.body:
            named = {alias.name for alias in node.names} if isinstance(node, ast.Import | ast.ImportFrom) else set()
            if any(f"{name.split('.')[-1]}.py" in TRITON_MODULES for name in named):
                wrong.append(f"{where(path, node.lineno)} imports a module that imports triton")
    assert not wrong, "not among the dependencies in pyproject.toml:\n" + "\n".join(wrong)
    assert used == optional, "an extra that nothing imports"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import slicer.util as su", ["slicer.util"]),
        ("from qt import QWidget", ["qt.QWidget"]),
        ("def f():\n    import torch.nn", ["torch.nn"]),
        ("if True:\n    from radgs import drr, io", ["radgs.drr", "radgs.io"]),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import vtk", ["typing.TYPE_CHECKING", "vtk"]),
    ],
)
def test_no_form_of_import_escapes_these_rules(tmp_path: Path, text: str, expected: list[str]) -> None:
    path = tmp_path / "module.py"
    path.write_text(text, encoding="utf-8")
    assert [module for module, _ in imports_of(path)] == expected


def test_an_import_for_types_alone_is_told_from_one_that_runs(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text("import os\nif TYPE_CHECKING:\n    import vtk\nelse:\n    import sys\n", encoding="utf-8")
    assert [module for module, _ in imports_of(path, at_run_time=True)] == ["os", "sys"]
