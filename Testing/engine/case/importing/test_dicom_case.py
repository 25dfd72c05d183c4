"""A folder of DICOM becomes a case that registers; what its files do not say is asked, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK
from dicom_xray_files import STUDY, Exposure, write
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from radgs.case import RegistrationCase
from radgs.case.importing import write_plan
from radgs.case.importing.dicom_case import plan_dicom_case
from radgs.case.importing.request import DicomImport
from radgs.errors import CaseError, GeometryError, InputFileError
from radgs.geometry import RigidTransform
from radgs.io.calibrations import CalibratedView, Calibration
from radgs.io.calibrations.calibration import moved_view
from radgs.io.calibrations.calibration_file import write_calibration_file
from radgs.io.case_file import read_case_file
from radgs.io.dicom_geometry import Given, read_dicom_view
from radgs.io.dicom_versions import write_dicom_file

SPACING = 2.5
SHAPE = (60, 56, 56)  # slices, rows, columns
#: TotalSegmentator's labels of three levels, from the head down.
LABELS = {"L2": 30, "L3": 29, "L4": 28}
EXPOSURES = {
    "AP": Exposure("XA", 2.0, 3.0, 1100.0, 720.0, (0.8, 0.8), (320, 320)),
    "LAT": Exposure("XA", -88.0, -2.0, 1150.0, 750.0, (0.8, 0.8), (320, 320)),
}


def labels() -> np.ndarray:
    k, j, i = np.indices(SHAPE)
    found = np.zeros(SHAPE, dtype=np.uint8)
    for place, label in enumerate(LABELS.values()):
        inside = (np.abs(k - (44 - 14 * place)) < 5) & (np.abs(j - 28) < 7) & (np.abs(i - 28) < 8)
        found[inside] = label
    return found


def write_ct(folder: Path) -> None:
    """An axial series in LPS, its centre at the origin."""
    folder.mkdir()
    hu = np.where(labels() > 0, 350, 40).astype(np.int16)
    hu[:, :4], hu[:, -4:] = -1000, -1000
    series, frame = generate_uid(), generate_uid()
    corner = -(np.array(SHAPE[::-1]) - 1) / 2 * SPACING
    for number, values in enumerate(hu):
        dataset = pydicom.Dataset()
        dataset.file_meta = pydicom.dataset.FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = STUDY, series, frame
        dataset.Modality, dataset.PatientID, dataset.InstanceNumber = "CT", "C1", number + 1
        dataset.Rows, dataset.Columns = values.shape
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 1
        dataset.RescaleSlope, dataset.RescaleIntercept = "1", "0"
        dataset.PixelSpacing, dataset.SliceThickness = [SPACING, SPACING], SPACING
        dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        dataset.ImagePositionPatient = [corner[0], corner[1], corner[2] + number * SPACING]
        dataset.PixelData = values.tobytes()
        write_dicom_file(folder / f"{number:03d}.dcm", dataset)


def exposure_of_a_trunk(size: tuple[int, int]) -> bytes:
    y, x = np.mgrid[-1 : 1 : size[0] * 1j, -1 : 1 : size[1] * 1j]
    thickness = 4.0 * np.sqrt(np.clip(1 - (x / 0.95) ** 2, 0, None)) + (np.abs(x) < 0.2) * (np.cos(9 * y) > -0.5)
    return np.round(4000 * np.exp(-thickness)).astype(np.uint16).tobytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A CT series, an AP and a lateral X-ray of one study, and a label map numbered as TotalSegmentator does."""
    write_ct(tmp_path / "ct")
    for name, exposure in EXPOSURES.items():
        pixels = exposure_of_a_trunk(exposure.size)
        write(tmp_path / f"xray {name}.dcm", exposure, PixelData=pixels, PatientOrientation="")
    image = SimpleITK.GetImageFromArray(labels())
    image.SetSpacing([SPACING] * 3)
    image.SetOrigin((-(np.array(SHAPE[::-1]) - 1) / 2 * SPACING).tolist())
    SimpleITK.WriteImage(image, str(tmp_path / "segmentation.nii.gz"))
    return tmp_path


def centre_of(level: str) -> np.ndarray:
    """Of a level's label, RAS mm."""
    k, j, i = np.argwhere(labels() == LABELS[level]).mean(axis=0)
    lps = (np.array([i, j, k]) - (np.array(SHAPE[::-1]) - 1) / 2) * SPACING
    return lps * [-1, -1, 1]


def projected(point: np.ndarray, exposure: Exposure) -> tuple[float, float]:
    """By magnification about the isocentre, at which the film's middle lies: no view is built for it."""
    p, s = np.radians([exposure.primary, exposure.secondary])
    left, anterior, head = np.array([-1.0, 0, 0]), np.array([0, 1.0, 0]), np.array([0, 0, 1.0])
    beam = np.cos(s) * (np.cos(p) * anterior + np.sin(p) * left) + np.sin(s) * head
    right = np.cos(p) * left - np.sin(p) * anterior
    down = np.cross(right, beam) * np.sign(np.cross(right, beam) @ -head)
    magnification = exposure.sdd / (exposure.sod + point @ beam)
    rows, columns = exposure.size
    column = (columns - 1) / 2 + magnification * (point @ right) / exposure.spacing[1]
    row = (rows - 1) / 2 + magnification * (point @ down) / exposure.spacing[0]
    return float(column), float(row)


def test_a_folder_of_dicom_becomes_a_case(folder: Path) -> None:
    clicks = {name: projected(centre_of("L3"), exposure) for name, exposure in EXPOSURES.items()}
    plan = plan_dicom_case(DicomImport((folder,), levels=("L3",), clicks={"L3": clicks}))
    assert plan.questions == ()
    path = write_plan(plan, folder / "case" / "case.json")[-1]
    origins = [view.geometry_from for view in read_case_file(path).views]
    assert origins == [f"from xray {name}.dcm (DICOM)" for name in EXPOSURES]
    case = RegistrationCase.load(path)
    assert [view.name for view in case.views] == ["AP", "LAT"]
    assert case.levels[0].label == 29
    centre = case.triangulated_centre("L3")
    assert centre is not None
    np.testing.assert_allclose(centre, centre_of("L3"), atol=1e-6)
    assert any("as TotalSegmentator does: L2, L3, L4" in line for line in plan.understood)


def test_what_a_shutter_covers_is_not_measured(folder: Path) -> None:
    exposure = EXPOSURES["AP"]
    shutter = {
        "ShutterShape": "RECTANGULAR",
        "ShutterLeftVerticalEdge": "40",
        "ShutterRightVerticalEdge": "301",
        "ShutterUpperHorizontalEdge": "0",
        "ShutterLowerHorizontalEdge": "321",
    }
    write(folder / "xray AP.dcm", exposure, PixelData=exposure_of_a_trunk(exposure.size), **shutter)
    clicks = {name: projected(centre_of("L3"), exposure) for name, exposure in EXPOSURES.items()}
    plan = plan_dicom_case(DicomImport((folder,), levels=("L3",), clicks={"L3": clicks}))
    assert "    Measured: Shutter Shape (0018,1600) RECTANGULAR." in plan.understood
    case = RegistrationCase.load(write_plan(plan, folder / "case" / "case.json")[-1])
    measured = np.zeros((320, 320), dtype=bool)
    measured[:, 40:300] = True  # columns 41 to 300 as the standard counts
    np.testing.assert_array_equal(case.views[0].measured, measured)
    assert case.views[1].field is None


def test_only_what_the_files_do_not_say_is_asked(folder: Path) -> None:
    (level,) = plan_dicom_case(DicomImport((folder,))).questions
    assert level.missing == "No level was chosen."
    assert "L2, L3, L4" in level.answer
    (click,) = plan_dicom_case(DicomImport((folder,), levels=("L3",))).questions
    assert "--click L3:AP=COLUMN,ROW --click L3:LAT=COLUMN,ROW" in click.answer
    (folder / "segmentation.nii.gz").unlink()
    asked = plan_dicom_case(DicomImport((folder,))).questions
    assert [question.missing for question in asked][:1] == ["There are 0 label maps of the CT."]


def test_missing_tags_are_named_and_what_is_given_is_taken(folder: Path) -> None:
    lateral = EXPOSURES["LAT"]
    gone = dict.fromkeys(("PositionerPrimaryAngle", "PositionerSecondaryAngle", "DistanceSourceToPatient"))
    pixels = exposure_of_a_trunk(lateral.size)
    path = write(folder / "xray LAT.dcm", lateral, PixelData=pixels, PatientOrientation="", **gone)
    request = DicomImport((folder,), xrays={"AP": (folder / "xray AP.dcm", None), "LAT": (path, None)}, levels=("L3",))
    question = plan_dicom_case(request).questions[0]
    for tag in ("Positioner Primary Angle (0018,1510)", "Distance Source to Patient (0018,1111)"):
        assert tag in question.missing
    assert "--c-arm LAT=" in question.answer
    given = Given(lateral.primary, lateral.secondary, lateral.sdd, lateral.sod)
    clicks = {name: projected(centre_of("L3"), exposure) for name, exposure in EXPOSURES.items()}
    plan = plan_dicom_case(replace(request, given={"LAT": given}, clicks={"L3": clicks}))
    assert plan.questions == ()
    assert any("Angles: as stated" in line for line in plan.understood)


def test_a_preset_stands_in_for_what_nobody_says_and_that_is_told(folder: Path) -> None:
    lateral = EXPOSURES["LAT"]
    gone = dict.fromkeys(("PositionerPrimaryAngle", "PositionerSecondaryAngle", "DistanceSourceToPatient"))
    path = write(
        folder / "xray LAT.dcm",
        lateral,
        PixelData=exposure_of_a_trunk(lateral.size),
        PatientOrientation="",
        **gone,
    )
    usual = replace(lateral, primary=90.0, secondary=0.0, sod=785.0)  # the file says its SDD
    clicks = {"AP": projected(centre_of("L3"), EXPOSURES["AP"]), "LAT": projected(centre_of("L3"), usual)}
    request = DicomImport(
        (folder,),
        xrays={"AP": (folder / "xray AP.dcm", None), "LAT": (path, None)},
        levels=("L3",),
        clicks={"L3": clicks},
        preset="biplane-suite",
    )
    plan = plan_dicom_case(request)
    assert plan.questions == ()
    assert any("As on a usual C-arm: Positioner Primary Angle (0018,1510)" in line for line in plan.understood)
    case = RegistrationCase.load(write_plan(plan, folder / "case" / "case.json")[-1])
    assert case.views[1].geometry.source_to_detector_mm == pytest.approx(lateral.sdd)
    np.testing.assert_allclose(case.triangulated_centre("L3"), centre_of("L3"), atol=1e-6)
    given = plan_dicom_case(replace(request, given={"LAT": Given(source_to_isocentre_mm=700.0)}))
    assert given.views[1].view.geometry.source_ras[0] == pytest.approx(700.0)  # across from the patient's left
    with pytest.raises(GeometryError, match="no preset"):
        plan_dicom_case(replace(request, preset="toaster"))


def test_pictures_without_any_geometry_stand_as_a_preset_has_them(folder: Path) -> None:
    """PNGs of 320 pixels on a mobile C-arm's film of 305 mm."""
    spacing, xrays, clicks = 305.0 / 320, {}, {}
    for name, angle in (("AP", 0.0), ("LAT", 90.0)):
        (folder / f"xray {name}.dcm").unlink()
        image = np.frombuffer(exposure_of_a_trunk((320, 320)), np.uint16).reshape(320, 320)
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(image), str(folder / f"{name}.png"))
        xrays[name] = (folder / f"{name}.png", None)
        exposure = Exposure("XA", angle, 0.0, 980.0, 620.0, (spacing, spacing), (320, 320))
        clicks[name] = projected(centre_of("L3"), exposure)
    request = DicomImport((folder,), xrays=xrays, levels=("L3",), clicks={"L3": clicks})
    with pytest.raises(InputFileError, match=r"says nothing of its geometry\. Give --calibration.*or --preset"):
        plan_dicom_case(request)
    plan = plan_dicom_case(replace(request, preset="mobile-c-arm"))
    assert plan.questions == ()
    assert any("not turned, not mirrored" in line for line in plan.understood)
    case = RegistrationCase.load(write_plan(plan, folder / "case" / "case.json")[-1])
    np.testing.assert_allclose(case.triangulated_centre("L3"), centre_of("L3"), atol=1e-6)


def test_a_frame_of_a_run_becomes_an_image_of_its_own(folder: Path) -> None:
    run = replace(EXPOSURES["LAT"], frames=3)
    pixels = exposure_of_a_trunk(run.size)
    dark = bytes(len(pixels))
    path = write(folder / "xray LAT.dcm", run, PixelData=dark + pixels + dark, PatientOrientation="")
    clicks = {name: projected(centre_of("L3"), exposure) for name, exposure in EXPOSURES.items()}
    request = DicomImport((folder,), levels=("L3",), clicks={"L3": clicks})
    asked = plan_dicom_case(request).questions
    assert any("a run of 3 frames" in question.missing for question in asked)
    chosen = {"AP": (folder / "xray AP.dcm", None), "LAT": (path, 1)}
    plan = plan_dicom_case(replace(request, xrays=chosen))
    assert plan.questions == ()
    files = write_plan(plan, folder / "case" / "case.json")
    assert "LAT.nrrd" in [file.name for file in files]
    case = RegistrationCase.load(files[-1])
    assert "frame 1" in case.views[1].conversion
    assert case.views[1].image.std() > 0.5


def test_levels_that_are_not_there_are_told(folder: Path) -> None:
    for level, said in (("T9", "no level T9"), ("L3=x", "not a level")):
        with pytest.raises(CaseError, match=said):
            plan_dicom_case(DicomImport((folder,), levels=(level,)))


def relabel(folder: Path, by_level: dict[str, int], beside: dict[str, int]) -> None:
    """Other numbers for the levels, and for a slice below each of some."""
    path = folder / "segmentation.nii.gz"
    image = SimpleITK.ReadImage(str(path))
    old = SimpleITK.GetArrayFromImage(image)
    new = np.zeros_like(old)
    for level, label in by_level.items():
        new[old == LABELS[level]] = label
    for level, label in beside.items():
        below = np.argwhere(old == LABELS[level])[:, 0].min() - 2
        new[below : below + 2, 22:34, 22:34] = label
    made = SimpleITK.GetImageFromArray(new)
    made.CopyInformation(image)
    SimpleITK.WriteImage(made, str(path))


def test_discs_and_endplates_of_spineps_are_no_vertebrae(folder: Path) -> None:
    relabel(folder, {"L2": 21, "L3": 22, "L4": 23}, {"L2": 121, "L3": 222})
    plan = plan_dicom_case(DicomImport((folder,), levels=("L3",)))
    assert plan.levels == (("L3", 22),)
    assert "Labels are numbered as VerSe does: L2, L3, L4." in plan.understood
    assert any(line.startswith("Discs") and "SPINEPS" in line for line in plan.understood)
    for text, said in (("L2=121", "the disc of L2"), ("L3=222", "the endplates of L3")):
        with pytest.raises(CaseError, match=f"is {said}, no vertebra"):
            plan_dicom_case(DicomImport((folder,), levels=(text,)))


def test_a_mask_of_the_parts_of_vertebrae_is_refused(folder: Path) -> None:
    """SPINEPS' semantic mask; 41, 42 and 43 are T3, T2 and T1 to TotalSegmentator, and would be in order here."""
    relabel(folder, {"L2": 43, "L3": 42, "L4": 41}, {"L2": 100, "L3": 49})
    with pytest.raises(CaseError, match="mask of the parts of vertebrae"):
        plan_dicom_case(DicomImport((folder,), levels=("T2",)))


def test_a_calibration_gives_the_views_where_dicom_does_not(folder: Path) -> None:
    """A phantom's world, whose z is the patient's superior and -x the anterior; the case is the patient's again."""
    to_phantom = RigidTransform(np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]), np.array([5.0, -6.0, 7.0]))
    views = tuple(
        CalibratedView(
            name, moved_view(read_dicom_view(folder / f"xray {name}.dcm").calibrated(name).geometry, to_phantom)
        )
        for name in EXPOSURES
    )
    write_calibration_file(folder / "calibration.json", Calibration("phantom", views))
    clicks = {name: projected(centre_of("L3"), exposure) for name, exposure in EXPOSURES.items()}
    request = DicomImport(
        (folder,),
        xrays={name: (folder / f"xray {name}.dcm", None) for name in EXPOSURES},
        levels=("L3",),
        clicks={"L3": clicks},
        calibrations=(folder / "calibration.json",),
    )
    (question,) = plan_dicom_case(request).questions
    assert "--superior and --anterior" in question.answer
    plan = plan_dicom_case(replace(request, superior="+z", anterior="-x"))
    assert plan.questions == ()
    case = RegistrationCase.load(write_plan(plan, folder / "case" / "case.json")[-1])
    centre = case.triangulated_centre("L3")
    assert centre is not None
    np.testing.assert_allclose(centre, centre_of("L3") + to_phantom.rotation.T @ to_phantom.translation, atol=1e-6)
    with pytest.raises(CaseError, match="1 X-rays and 2 calibrated views"):
        plan_dicom_case(replace(request, xrays={"AP": (folder / "xray AP.dcm", None)}))


def loaded(folder: Path) -> RegistrationCase:
    clicks = {name: projected(centre_of("L3"), exposure) for name, exposure in EXPOSURES.items()}
    plan = plan_dicom_case(DicomImport((folder,), levels=("L3",), clicks={"L3": clicks}))
    return RegistrationCase.load(write_plan(plan, folder / "case" / "case.json")[-1])


def rewrite(path: Path, **attributes: object) -> None:
    dataset = pydicom.dcmread(path)
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    write_dicom_file(path, dataset)


def name_the_patient(folder: Path) -> None:
    for path in (*(folder / "ct").iterdir(), *folder.glob("*.dcm")):
        rewrite(path, PatientID="C1", PatientBirthDate="19600101", PatientSex="F", StudyDate="20260301")


def test_an_x_ray_of_another_patient_is_refused(folder: Path) -> None:
    name_the_patient(folder)
    assert loaded(folder).cautions == ()
    rewrite(folder / "xray LAT.dcm", PatientID="C2", PatientBirthDate="19700101")
    with pytest.raises(CaseError, match="The CT and view LAT differ in whose they are: Patient ID C1 against C2"):
        loaded(folder)


def test_a_case_that_contradicts_a_header_is_told(folder: Path) -> None:
    name_the_patient(folder)
    loaded(folder)
    rewrite(folder / "xray AP.dcm", DistanceSourceToDetector=980)
    (caution,) = RegistrationCase.load(folder / "case").cautions
    assert caution.code == "header"
    assert "1100 mm by case.json and 980 mm by the DICOM header" in caution.message


def test_a_cropped_image_is_refused_for_it_was_not_calibrated_so(folder: Path) -> None:
    loaded(folder)
    path = folder / "xray AP.dcm"
    dataset = pydicom.dcmread(path)
    dataset.PixelData = dataset.pixel_array[:, 40:].tobytes()
    dataset.Columns = 280
    write_dicom_file(path, dataset)
    with pytest.raises(GeometryError, match="280 x 320 columns and rows, and a calibration of 320 x 320"):
        RegistrationCase.load(folder / "case")
