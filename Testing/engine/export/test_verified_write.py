"""A file has its name only once it has been read back the same; its sidecar says what it is."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from radgs.case import LevelResult, RegistrationResult
from radgs.errors import ExportError, OutputError
from radgs.export import FILE_FORMATS, ExportFormat, ReleasePolicy, export_files, format_named, release
from radgs.export.matrix_table import MATRIX_TABLE
from radgs.export.released_poses import ReleasedPoses
from radgs.geometry import RigidTransform

PROJECT = Path(__file__).resolve().parents[3]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("chosen", FILE_FORMATS, ids=lambda chosen: chosen.name)
def test_every_file_that_cannot_say_so_itself_has_a_sidecar(
    chosen: ExportFormat, result: RegistrationResult, tmp_path: Path
) -> None:
    released = release(result, ReleasePolicy(check=True), ["L3", "L4"], "cd" * 32)
    files = export_files(released, chosen, tmp_path / "out")
    assert sorted(path.name for path in files) == names(tmp_path / "out"), "nothing else is left behind"
    if chosen.name == "json":
        assert names(tmp_path / "out") == ["ct_to_world.json"]
        return
    assert len(files) == 4
    file = next(path for path in files if path.name.startswith("L4") and not path.name.endswith(".about.txt"))
    about = file.with_name(file.name + ".about.txt").read_text(encoding="utf-8")
    said = " ".join(about.split())
    for phrase in (
        "Verdict on L4: check",
        "confirmed by a person; no predicted error.",
        "The views disagree by 3 mm.",
        "x_world = ct_to_world @ x_ct, RAS, mm",
        "Try it:",
        "Research use only, not a medical device.",
        hashlib.sha256(file.read_bytes()).hexdigest(),
        "ab" * 32 + " the case",
        "cd" * 32 + " result.json",
    ):
        assert phrase in said, phrase
    assert ("LPS" in said) == (chosen.name != "csv")
    printed = about.split("x_ct, RAS, mm\n")[1].split("\n\n")[0]
    matrix = released.poses[1].ct_to_world.matrix
    np.testing.assert_allclose(np.array(printed.split(), dtype=float).reshape(4, 4), matrix, atol=1e-11)


def test_the_record_holds_frame_direction_unit_verdicts_and_hashes(result: RegistrationResult, tmp_path: Path) -> None:
    released = release(result, ReleasePolicy(check=True), ["L3", "L4"], "cd" * 32)
    (path,) = export_files(released, format_named("json"), tmp_path)
    record = json.loads(path.read_text(encoding="utf-8"))
    assert record["schema"] == "radgs.transforms/1"
    assert (record["frame"], record["unit"], record["direction"]) == ("RAS", "mm", "x_world = ct_to_world @ x_ct")
    assert record["inputs"] == {"result_sha256": "cd" * 32, "case_sha256": "ab" * 32}
    assert {name: level["verdict"] for name, level in record["levels"].items()} == {"L3": "accept", "L4": "check"}
    assert record["levels"]["L4"]["predicted_error_mm"] == {"surface_p95": None}
    assert record["levels"]["L4"]["reasons"][0]["code"] == "views-disagree"
    trial = record["levels"]["L3"]["trial"]
    moved = np.array(record["levels"]["L3"]["ct_to_world"]) @ [*trial["x_ct"], 1.0]
    np.testing.assert_allclose(moved[:3], trial["x_world"], atol=1e-9)


def test_levels_of_two_registrations_leave_together_and_each_says_which_it_is_of(
    result: RegistrationResult, other_pose: RigidTransform, tmp_path: Path
) -> None:
    later = RegistrationResult({"L1": LevelResult(other_pose, "accept")}, case_sha256="12" * 32)
    several = release(result, levels=["L3"], result_sha256="cd" * 32), release(later, result_sha256="34" * 32)
    together = ReleasedPoses(tuple(pose for released in several for pose in released.poses))
    (path,) = export_files(together, format_named("json"), tmp_path)
    record = json.loads(path.read_text(encoding="utf-8"))
    assert record["inputs"] is record["versions"] is None
    assert {name: level["inputs"]["case_sha256"] for name, level in record["levels"].items()} == {
        "L3": "ab" * 32,
        "L1": "12" * 32,
    }
    export_files(together, format_named("csv"), tmp_path)
    about = (tmp_path / "L1_ct_to_world.csv.about.txt").read_text(encoding="utf-8")
    assert f"{'34' * 32}  result.json" in about
    assert "cd" * 32 not in about


def rounded(path: Path, ct_to_world: RigidTransform) -> None:
    np.savetxt(path, ct_to_world.matrix, delimiter=",", fmt="%.4f")


def turned_round(path: Path, ct_to_world: RigidTransform) -> None:
    np.savetxt(path, ct_to_world.inverse().matrix, delimiter=",", fmt="%.17g")


def garbage(path: Path, ct_to_world: RigidTransform) -> None:
    path.write_text("nothing to see here")


@pytest.mark.parametrize(
    ("write", "said"),
    [(rounded, "another pose"), (turned_round, "another pose"), (garbage, "cannot be read back")],
)
def test_a_file_that_reads_back_otherwise_never_gets_its_name(
    write: object, said: str, result: RegistrationResult, tmp_path: Path
) -> None:
    (tmp_path / "L3_ct_to_world.csv").write_text("from before")
    faulty = replace(MATRIX_TABLE, write_pose=write)
    with pytest.raises(ExportError, match=said):
        export_files(release(result, levels=["L3"]), faulty, tmp_path)
    assert names(tmp_path) == ["L3_ct_to_world.csv"]
    assert (tmp_path / "L3_ct_to_world.csv").read_text() == "from before"


def test_an_export_replaces_the_one_before(result: RegistrationResult, pose: RigidTransform, tmp_path: Path) -> None:
    (tmp_path / "L3_ct_to_world.csv").write_text("from before")
    export_files(release(result, levels=["L3"]), MATRIX_TABLE, tmp_path)
    np.testing.assert_array_equal(np.loadtxt(tmp_path / "L3_ct_to_world.csv", delimiter=","), pose.matrix)


def test_a_place_that_takes_no_files_is_told(result: RegistrationResult, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("keep me")
    (tmp_path / "out" / "L3_ct_to_world.csv").mkdir(parents=True)
    for folder in ("file", "out"):
        with pytest.raises(OutputError, match="cannot be written"):
            export_files(release(result, levels=["L3"]), MATRIX_TABLE, tmp_path / folder)
    assert (tmp_path / "file").read_text() == "keep me"
