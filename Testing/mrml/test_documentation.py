"""What the documentation says of the module is what the module does."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

from slicer_fixtures import PROJECT

DOCUMENT = (PROJECT / "docs" / "slicer-module.md").read_text(encoding="utf-8")


def test_the_documents_example_is_the_docstrings_which_a_test_runs(the_module: Any) -> None:
    example = the_module.RadGSRegLogic.__doc__.split("console::")[1].split("Args:")[0]
    assert textwrap.dedent(example).strip() in DOCUMENT


def test_every_role_and_attribute_is_documented(the_module: Any) -> None:
    from RadGSRegLib.scene import node_contract

    written = Path(node_contract.__file__).read_text(encoding="utf-8")
    names = set(re.findall(r'"RadGSReg\.(\w+)"', written)) | {"click", "start"}
    assert len(names) > 10
    undocumented = [name for name in sorted(names) if not re.search(rf"`(RadGSReg)?\.{name}\b", DOCUMENT)]
    assert undocumented == []
