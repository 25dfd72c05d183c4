"""docs/export.md, its part on 3D Slicer: every line of code, and that the screw of its example lands where it says."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exported_scene import bring_in
from slicer_fixtures import PROJECT

from radgs.case import LevelResult
from radgs.geometry import RigidTransform

PAGE = (PROJECT / "docs" / "export.md").read_text(encoding="utf-8")
NUMBER = r"(-?\d+(?:\.\d+)?)"


def snippet(name: str) -> str:
    return PAGE.split(f"```python {name}\n")[1].split("```")[0]


@pytest.fixture
def names(a_logic: Any, a_demo_case: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the code on the page finds: the example's pose as L3's in the scene."""
    rows = PAGE.split("ct_to_world = [")[1].split("```")[0]
    pose = RigidTransform.from_matrix(np.array(re.findall(NUMBER, rows), dtype=float).reshape(4, 4))
    bring_in(tmp_path / "result", a_demo_case, {"L3": LevelResult(pose, "accept", {"surface_p95": 0.8})})
    monkeypatch.chdir(tmp_path)
    return {"logic": a_logic, "inputs": a_demo_case}


def test_the_script_exports_and_the_screw_enters_where_the_page_says(names: dict[str, Any]) -> None:
    exec(snippet("slicer"), names)
    np.testing.assert_allclose(names["entry_world"], [54, -112, 80], atol=1e-9)
    assert sorted(path.name for path in names["files"]) == [
        "L3_ct_to_world.tfm",
        "L3_ct_to_world.tfm.about.txt",
        "ct_to_world.json",
    ]
    assert all(path.is_file() for path in names["files"])


def test_the_receiver_on_the_page_gets_the_screw_from_the_stream_on_the_page(
    names: dict[str, Any], host: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    pyigtl = pytest.importorskip("pyigtl", reason="pyigtl is not installed")
    exec(snippet("slicer-live").replace("18944", "0"), names)
    assert capsys.readouterr().out.strip() == "listening ('L3',)"
    assert "# listening ('L3',)" in snippet("slicer-live")

    class Client(pyigtl.OpenIGTLinkClient):
        """Waits as the page's does, while Slicer's event loop, which is on this thread too, runs on."""

        def wait_for_message(self, device_name: str, timeout: float = -1) -> Any:
            found: list[Any] = []

            def there() -> bool:
                message = pyigtl.OpenIGTLinkClient.wait_for_message(self, device_name, timeout=0)
                found.extend([] if message is None else [message])
                return bool(found)

            with suppress(TimeoutError):
                host.wait_until(there, 20)
            return found[0]

    receiver = snippet("igtl").replace("import pyigtl\n", "").replace("pyigtl.OpenIGTLinkClient", "Client")
    found: dict[str, Any] = {"Client": Client}
    exec(receiver.replace("18944", str(names["state"].target.port), 1), found)
    np.testing.assert_allclose(found["entry_world"][:3], [54, -112, 80], atol=1e-4)


def test_the_page_names_the_references_that_mrml_names() -> None:
    import slicer

    constants = slicer.vtkMRMLSubjectHierarchyConstants
    for name in (
        slicer.vtkMRMLTransformNode.GetMovingNodeReferenceRole(),
        slicer.vtkMRMLTransformNode.GetFixedNodeReferenceRole(),
        constants.GetDICOMReferencedInstanceUIDsAttributeName(),
    ):
        assert f"`{name}`" in PAGE
