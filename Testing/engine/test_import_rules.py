"""Who may import whom: engine and panel apart, and one direction through the engine's layers."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
MODULE_FOLDER = PROJECT / "RadGSReg"
ENGINE = MODULE_FOLDER / "radgs"

# The engine's layers, the lowest first. A module imports its own layer and those below, never one above.
# A package (gaussians/, io/, ...) counts as one name. A new module takes its place here.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("errors", "threads", "versions"),
    ("geometry",),
    ("volume",),
    ("xray",),
    ("anatomy", "physics", "layers"),
    ("roi",),
    ("io", "igtl"),
    ("case", "checks", "result"),
    ("export",),
    ("gaussians", "drr"),
    ("bodies", "posed_vertebra"),
    ("vertebra_model",),
    ("refine", "quality", "overlay", "recm", "regm"),
    ("model_file",),
    ("networks",),
    ("reconstruction",),
    ("case_cache",),
    ("pipeline",),
    ("result_folder",),
    ("phantom",),
    ("evaluation",),
    ("console",),
    ("training", "export_session"),
    ("worker_requests",),
    ("worker_commands",),
    ("experiments",),
    ("cli", "worker"),
    ("__main__",),
)
LAYER_OF = {name: height for height, names in enumerate(LAYERS) for name in names}

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
    return [MODULE_FOLDER / "RadGSReg.py", *sorted((MODULE_FOLDER / "RadGSRegLib").rglob("*.py"))]


def name_in_engine(path: Path) -> str:
    """The top-level name a file belongs to: ``io`` for ``radgs/io/volumes.py``, ``""`` for radgs itself."""
    first = path.relative_to(ENGINE).parts[0].removesuffix(".py")
    return "" if first == "__init__" else first


def engine_imports(path: Path, at_run_time: bool = False) -> Iterator[tuple[str, int]]:
    """The top-level names of the engine that a file imports, with the line; ``""`` stands for ``radgs`` itself."""
    known = {name_in_engine(file) for file in engine_files()}
    for module, line in imports_of(path, at_run_time):
        parts = module.split(".")
        if parts[0] == "radgs":
            yield (parts[1] if len(parts) > 1 and parts[1] in known else ""), line


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


def test_every_module_of_the_engine_has_its_layer() -> None:
    homeless = sorted({name_in_engine(path) for path in engine_files()} - set(LAYER_OF) - {""})
    assert not homeless, f"give these modules of radgs a line in LAYERS ({where(Path(__file__), 1)}): {homeless}"


def test_the_engines_imports_run_one_way() -> None:
    wrong = []
    for path in engine_files():
        importer = name_in_engine(path)
        for imported, line in engine_imports(path):
            if not importer and imported:
                wrong.append(f"{where(path, line)}: radgs itself stays light and imports none of its modules")
            elif importer in LAYER_OF and LAYER_OF.get(imported, -1) > LAYER_OF[importer]:
                wrong.append(f"{where(path, line)}: {importer} imports {imported}, which stands above it")
    assert not wrong, "\n".join(wrong)


def test_no_two_modules_of_the_engine_need_each_other() -> None:
    graph: dict[str, set[str]] = {}
    for path in engine_files():
        importer = name_in_engine(path)
        imported = {name for name, _ in engine_imports(path, at_run_time=True)}
        graph.setdefault(importer, set()).update(imported - {"", importer})

    def walk(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, "imports in a circle: " + " -> ".join([*trail[trail.index(name) :], name])
        for other in sorted(graph.get(name, ())):
            walk(other, (*trail, name))

    for name in sorted(graph):
        walk(name, ())


def test_the_panel_never_brings_torch_into_slicer() -> None:
    """Neither by an import of its own, nor through a module of the engine that imports torch."""
    reached: dict[str, str] = {}
    waiting = [(path, where(path, 1)) for path in panel_files()]
    wrong = []
    while waiting:
        path, origin = waiting.pop()
        wrong += [
            f"{where(path, line)} imports {module} (reached from {origin})"
            for module, line in imports_of(path)
            if module.split(".")[0] == "torch"
        ]
        for name, _ in engine_imports(path):
            if name not in reached:
                reached[name] = origin
                files = [file for file in engine_files() if name_in_engine(file) == name]
                waiting += [(file, origin) for file in files]
    assert not wrong, "\n".join(wrong)


def declared_distributions(extra: str | None = None) -> set[str]:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = project["optional-dependencies"][extra] if extra else project["dependencies"]
    names = {line.split(";")[0].split(">")[0].split("=")[0].strip() for line in lines}
    return {IMPORT_NAMES.get(name, name) for name in names}


def test_what_the_engine_imports_is_what_its_package_asks_for() -> None:
    """A wheel installed elsewhere finds everything. Extras (gpu, train) are imported inside functions only."""
    needed = declared_distributions()
    optional = declared_distributions("gpu") | declared_distributions("train") | declared_distributions("igtl")
    wrong = []
    for path in engine_files():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        at_top = {node.lineno for node in tree.body}
        for module, line in imports_of(path):
            name = module.split(".")[0]
            if name == "radgs" or name in sys.stdlib_module_names or name in needed:
                continue
            if name in optional and line not in at_top:
                continue
            wrong.append(f"{where(path, line)} imports {name}")
    assert not wrong, "not among the dependencies in pyproject.toml:\n" + "\n".join(wrong)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import slicer.util as su", ["slicer.util"]),
        ("from qt import QWidget", ["qt.QWidget"]),
        ("def f():\n    import torch.nn", ["torch.nn"]),
        ("if True:\n    from radgs import drr, xray", ["radgs.drr", "radgs.xray"]),
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
