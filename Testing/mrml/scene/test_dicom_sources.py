"""Volumes that Slicer loaded from DICOM are of one patient, or no case is made of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pydicom
import pytest
from exported_scene import load_into_database, write_ct_series

from radgs.errors import CaseError
from radgs.io.dicom_versions import write_dicom_file


def an_xray_of(folder: Path, template: Path, **patient: str) -> Path:
    """A DICOM file that says whose it is."""
    dataset = pydicom.dcmread(template)
    for keyword, value in patient.items():
        setattr(dataset, keyword, value)
    write_dicom_file(folder / "xray.dcm", dataset)
    return folder / "xray.dcm"


@pytest.mark.parametrize(
    ("patient", "why"),
    [
        ({}, None),
        ({"PatientID": "P2", "PatientName": "Other"}, "P1 against P2"),
        ({"PatientBirthDate": "19500101"}, None),  # the CT says nothing of it
    ],
)
def test_ct_and_xrays_of_two_patients_are_refused(
    a_logic: Any, a_demo_case: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, patient: dict[str, str], why: str
) -> None:
    from RadGSRegLib.engine.case_export import CaseExport
    from RadGSRegLib.scene.node_contract import DICOM_FILE_ATTRIBUTE

    files = write_ct_series(tmp_path / "ct", a_demo_case.ct, "1.2.3")
    load_into_database(monkeypatch, a_demo_case.ct, files)
    xray = an_xray_of(tmp_path, files[0], **patient)
    a_demo_case.xrays[0].SetAttribute(DICOM_FILE_ATTRIBUTE, f"{xray}#0")
    steps = CaseExport(tmp_path / "case").steps(a_demo_case, a_logic.getParameterNode().parameterNode)
    if why is None:
        assert list(steps)[-1] == tmp_path / "case" / "case.json"
    else:
        with pytest.raises(CaseError, match=why):
            list(steps)
        assert not (tmp_path / "case" / "case.json").exists()


def test_a_file_that_is_gone_says_nothing(a_logic: Any, a_demo_case: Any, tmp_path: Path) -> None:
    from RadGSRegLib.scene.dicom_sources import check_one_patient
    from RadGSRegLib.scene.node_contract import DICOM_FILE_ATTRIBUTE

    a_demo_case.xrays[0].SetAttribute(DICOM_FILE_ATTRIBUTE, f"{tmp_path / 'gone.dcm'}#0")
    check_one_patient(a_demo_case.ct, a_demo_case.xrays)
