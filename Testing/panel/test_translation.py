"""Every word of the panel can be translated: it is in the form, or went through ``slicer.i18n.tr`` as a literal."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest
from slicer_fixtures import PROJECT, in_full_slicer

MODULE_FOLDER = PROJECT / "RadGSReg"

#: Choices that show values of the engine's as they are.
VALUES = ("QComboBox deviceComboBox, item", "QComboBox pixelTypeComboBox, item")
#: Names of the user's files.
FILES = ("QLabel calibrationFilesLabel.text", "QLabel calibrationFilesLabel.toolTip")

STATES = {"empty", "loaded", "confirmed", "edit geometry", "load geometry", "registered"}


@pytest.fixture(scope="module")
def said() -> list[tuple[str, str, str]]:
    """State, place and text; the last entry holds names of nodes and what else is the user's own."""
    if in_full_slicer():
        pytest.skip("the full Slicer has its own translations")
    command = [sys.executable, str(PROJECT / "Testing" / "panel" / "every_word.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]


def without_translated(text: str) -> str:
    """What is left of a text without what went through ``tr``, one inside the other."""
    while (shorter := re.sub("«[^«»]*»", "", text)) != text:
        text = shorter
    return text


def test_every_word_can_be_translated(said: list[tuple[str, str, str]]) -> None:
    *words, (_, _, data) = said
    form = ElementTree.parse(MODULE_FOLDER / "Resources" / "UI" / "RadGSReg.ui").getroot()
    in_form = {entry.text for entry in form.iter("string") if entry.text}
    assert {state for state, _, _ in words} == STATES
    left = set()
    for _state, place, text in words:
        rest = re.sub(r" \(Ctrl[^)]*\)$", "", text)  # keys are appended to the form's words
        if place in (*VALUES, *FILES) or rest in in_form:
            continue
        rest = re.sub("<[^>]*>", "", without_translated(rest))  # markup
        for known in data:
            rest = rest.replace(known, "")
        if re.search("[A-Za-z]{3}", rest):
            left.add(f"{place}: {text}")
    assert not left, "\n".join(sorted(left))


def test_what_is_translated_is_written_where_the_translators_tool_finds_it() -> None:
    """It reads the source: what is passed to ``_`` has to be a literal."""
    wrong = [
        f"{path.relative_to(PROJECT)}:{node.lineno}: {ast.unparse(node)}"
        for path in [*MODULE_FOLDER.glob("RadGSReg*.py"), *sorted((MODULE_FOLDER / "RadGSRegLib").rglob("*.py"))]
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_"
        if not all(isinstance(argument, ast.Constant) for argument in node.args)
    ]
    assert not wrong, "\n".join(wrong)


def test_the_formats_offered_are_those_there_are(host: Any) -> None:
    from radgs.export import FILE_FORMATS
    from RadGSRegLib.sections.export_texts import format_titles

    assert format_titles() == {known.name: known.title for known in FILE_FORMATS}
