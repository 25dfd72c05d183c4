"""What the tree holds: its size, what Slicer installs of it, and that its several descriptions agree."""

from __future__ import annotations

import json
import re
import struct
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

import radgs

PROJECT = Path(__file__).resolve().parents[1]
MODULE_FOLDER = PROJECT / "RadGSReg"
MEBIBYTE = 2**20
MAX_TREE_BYTES = 28 * MEBIBYTE
MAX_FILE_BYTES = 8 * MEBIBYTE
# Folders of one machine, which no file of the tree may name.
MACHINE_PATH = re.compile(r"(?<![\w.:/$}>~-])/(?:root|work|tmp|home/\w+|Users/\w+)(?:/|\b)|[A-Z]:\\\\?Users|file:/{2}")


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    """The files git tracks; skips where the tree is not a git checkout."""
    command = ["git", "-C", str(PROJECT), "ls-files", "-z"]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [PROJECT / name for name in listed.split("\0") if name and (PROJECT / name).is_file()]


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_the_tree_stays_small_enough_to_travel(tracked: list[Path]) -> None:
    sizes = {path.relative_to(PROJECT).as_posix(): path.stat().st_size for path in tracked}
    assert sum(sizes.values()) <= MAX_TREE_BYTES, sorted(sizes.items(), key=lambda item: -item[1])[:10]
    assert {name: size for name, size in sizes.items() if size > MAX_FILE_BYTES} == {}


def test_no_file_names_a_folder_of_some_machine(tracked: list[Path]) -> None:
    found = []
    for path in tracked:
        content = path.read_bytes()
        if b"\0" in content:
            continue
        for number, line in enumerate(content.decode("utf-8").splitlines(), start=1):
            if MACHINE_PATH.search(line):
                found.append(f"{path.relative_to(PROJECT)}:{number}: {line.strip()}")
    assert not found, "\n".join(found)


@pytest.mark.parametrize("lock", ["dev.txt", "slicer-5.10.txt"])
def test_a_lock_pins_versions_and_files_and_names_no_place_to_get_them_from(lock: str) -> None:
    text = text_of(PROJECT / "requirements" / lock).replace(" \\\n    ", " ")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert lines
    pin = r"[a-z0-9-]+==[0-9][0-9a-z.]*( --hash=sha256:[0-9a-f]{64})+"
    assert [line for line in lines if not re.fullmatch(pin, line)] == []
    assert lines == sorted(lines, key=lambda line: line.split("==")[0])


def cmake_list(name: str) -> list[str]:
    """The entries of one ``set(NAME ...)`` in the module's CMakeLists.txt, comments left out."""
    text = re.sub(r"#.*", "", text_of(MODULE_FOLDER / "CMakeLists.txt"))
    match = re.search(rf"set\({name}\s+([^)]*)\)", text)
    assert match, f"RadGSReg/CMakeLists.txt sets no {name}"
    return match[1].replace("${MODULE_NAME}", "RadGSReg").split()


def assert_lists_agree(listed: list[str], present: set[str], name: str) -> None:
    missing, gone = sorted(present - set(listed)), sorted(set(listed) - present)
    advice = "\n  ".join(["add:", *missing]) + "\n" + "\n  ".join(["remove:", *gone])
    assert listed == sorted(present), f"{name} in RadGSReg/CMakeLists.txt is not the tree's list, sorted.\n{advice}"


def test_slicer_installs_every_python_file(tracked: list[Path]) -> None:
    present = {path.relative_to(MODULE_FOLDER).as_posix() for path in tracked if path.is_relative_to(MODULE_FOLDER)}
    assert_lists_agree(
        cmake_list("MODULE_PYTHON_SCRIPTS"), {path for path in present if path.endswith(".py")}, "MODULE_PYTHON_SCRIPTS"
    )


def test_slicer_installs_every_resource_and_every_data_file(tracked: list[Path]) -> None:
    folders = (MODULE_FOLDER / "Resources", MODULE_FOLDER / "radgs" / "data")
    present = {
        path.relative_to(MODULE_FOLDER).as_posix()
        for path in tracked
        if path.suffix != ".py" and any(path.is_relative_to(folder) for folder in folders)
    }
    assert_lists_agree(cmake_list("MODULE_PYTHON_RESOURCES"), present, "MODULE_PYTHON_RESOURCES")


def cmake_metadata() -> dict[str, str]:
    return dict(re.findall(r'set\(EXTENSION_(\w+) "([^"]*)"\)', text_of(PROJECT / "CMakeLists.txt")))


def s4ext_fields() -> dict[str, str]:
    lines = [line for line in text_of(PROJECT / "RadGSReg.s4ext").splitlines() if line and not line.startswith("#")]
    fields = dict((line.split(" ", 1) + [""])[:2] for line in lines)
    assert len(fields) == len(lines), "a keyword stands twice"
    return fields


def test_the_extension_description_has_the_keywords_slicer_reads() -> None:
    keywords = """scm scmurl scmrevision depends recommends build_subdirectory homepage contributors category iconurl
        status tier description screenshoturls enabled"""
    assert sorted(s4ext_fields()) == sorted(keywords.split())
    assert s4ext_fields()["scm"] == "git"


def test_the_catalogue_entry_is_one_of_schema_1_0_2() -> None:
    entry = json.loads(text_of(PROJECT / "RadGSReg.json"))
    texts = ("$schema", "category", "scm_url", "scm_revision", "scm_type", "dicom_support_rule", "build_subdirectory")
    kinds = {**dict.fromkeys(texts, str), "build_dependencies": list, "enabled": bool, "tier": int}
    assert entry["$schema"].endswith("/slicer-extension-catalog-entry-schema-v1.0.2.json#")
    assert {"$schema", "category", "scm_url"} <= set(entry) <= set(kinds)
    assert all(type(value) is kinds[key] for key, value in entry.items())
    assert entry["scm_type"] in ("git", "local")
    assert 1 <= entry["tier"] <= 5


def test_cmake_catalogue_entry_and_description_say_the_same() -> None:
    cmake, s4ext, entry = cmake_metadata(), s4ext_fields(), json.loads(text_of(PROJECT / "RadGSReg.json"))
    for key in ("HOMEPAGE", "CONTRIBUTORS", "CATEGORY", "ICONURL", "DESCRIPTION", "DEPENDS", "STATUS"):
        assert s4ext[key.lower()] == cmake[key], key
    assert s4ext.get("screenshoturls", "") == cmake.get("SCREENSHOTURLS", "")
    assert cmake["DEPENDS"] == "PyTorch"
    assert entry["build_dependencies"] == s4ext["depends"].split()
    assert entry["category"] == s4ext["category"]
    assert entry["scm_url"] == s4ext["scmurl"]
    assert entry["scm_revision"] == s4ext["scmrevision"]
    assert entry["tier"] == int(s4ext["tier"])


@pytest.mark.parametrize("icon", ["Resources/RadGSReg.png", "RadGSReg/Resources/Icons/RadGSReg.png"])
def test_the_icons_are_128_pixels_square(icon: str) -> None:
    header = (PROJECT / icon).read_bytes()[:24]
    assert header.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", header[16:24]) == (128, 128)


def test_what_the_catalogue_shows_are_pictures_of_the_tree() -> None:
    screenshots = cmake_metadata()["SCREENSHOTURLS"].split()
    assert screenshots
    for address in (cmake_metadata()["ICONURL"], *screenshots):
        raw, path = address.split("/main/", 1)
        assert raw == "https://raw.githubusercontent.com/RadGSReg/RadGSReg"
        assert (PROJECT / path).read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_the_extensions_index_can_take_the_entry() -> None:
    """What its own checks ask (scripts/check_description_files.py), as far as the tree can answer."""
    file = PROJECT / "RadGSReg.json"
    entry, cmake = json.loads(text_of(file)), text_of(PROJECT / "CMakeLists.txt")
    assert b"\r" not in file.read_bytes()
    assert entry["scm_url"].startswith(("https://", "git://"))
    assert re.findall(r"project\(\s*(\w+)", cmake) == [file.stem]
    assert not file.stem.lower().startswith("slicer")
    assert entry["category"] == "Registration"  # one of those that the index knows
    assert (PROJECT / "LICENSE").is_file()


def test_the_extensions_page_says_what_the_index_asks() -> None:
    readme = text_of(PROJECT / "README.md")
    for asked in (
        "# RadGSReg",
        "## The extension's module",
        "## Limitations",
        "Patents:",
        "Apache-2.0",
        "arXiv",
        "![",
        "make demo",
    ):
        assert asked in readme, asked


def test_one_version_is_told_everywhere() -> None:
    assert f"\nversion: {radgs.__version__}\n" in text_of(PROJECT / "CITATION.cff")
    assert f"\n## [{radgs.__version__}]" in text_of(PROJECT / "CHANGELOG.md")


def test_the_panels_form_names_every_widget_once() -> None:
    form = ElementTree.parse(MODULE_FOLDER / "Resources" / "UI" / "RadGSReg.ui").getroot()
    names = [widget.attrib["name"] for widget in form.iter("widget")]
    assert form.findtext("class") == "RadGSReg"
    assert len(names) == len(set(names))
    declared = {entry.findtext("class") for entry in form.iter("customwidget")}
    custom = {
        w.attrib["class"] for w in form.iter("widget") if w.attrib["class"].startswith(("ctk", "qMRML", "qSlicer"))
    }
    assert custom == declared


def test_the_panel_uses_only_widgets_its_form_has() -> None:
    form = ElementTree.parse(MODULE_FOLDER / "Resources" / "UI" / "RadGSReg.ui").getroot()
    names = {widget.attrib["name"] for widget in form.iter("widget")}
    sources = [*MODULE_FOLDER.glob("RadGSReg*.py"), *(MODULE_FOLDER / "RadGSRegLib").rglob("*.py")]
    used = {name for path in sources for name in re.findall(r"\bui\.(\w+)", text_of(path))}
    assert used <= names
