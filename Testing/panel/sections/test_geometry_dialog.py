"""Edit...: a C-arm's numbers become source and film, a sketch follows, and what is missing of a DICOM file is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from dialogs import child, ok_button, open_dialog
from thumbnails import alike


@pytest.fixture
def a_filled_panel(a_panel: Any, user: Any) -> Any:
    """The demo case, not yet confirmed."""
    user.press(a_panel.ui.demoButton)
    return a_panel


@pytest.fixture
def an_image(a_panel: Any) -> Any:
    """An X-ray 1 of which nothing is known, as a PNG comes in."""
    image = np.random.default_rng(2).random((1, 500, 400)).astype(np.float32)
    volume = slicer.util.addVolumeFromArray(image, name="film")
    a_panel.logic.getParameterNode().xray1 = volume
    slicer.app.processEvents()
    return volume


def edit(panel: Any, user: Any, number: int = 1) -> Any:
    """Opens the dialog of an X-ray."""
    user.press(getattr(panel.ui, f"editGeometry{number}Button"))
    dialog = open_dialog()
    assert dialog is not None
    return dialog


def sketches() -> list[str]:
    models = slicer.util.getNodesByClass("vtkMRMLModelNode")
    return sorted(model.GetName() for model in models if model.GetHideFromEditors() and "Slice" not in model.GetName())


def test_the_source_is_typed_in_and_the_xray_renamed(a_filled_panel: Any, user: Any) -> None:
    from RadGSRegLib.scene.xray_nodes import geometry_of, view_name

    ui, parameters = a_filled_panel.ui, a_filled_panel.logic.getParameterNode()
    dialog = edit(a_filled_panel, user)
    child(dialog, "geometryModeComboBox").setCurrentIndex(1)
    child(dialog, "sourceASpinBox").value = 950.5
    child(dialog, "viewNameEdit").text = "PA"
    user.press(ok_button(dialog))
    assert geometry_of(parameters.xray1).source_ras[1] == pytest.approx(950.5)
    assert view_name(parameters.xray1) == "PA"
    assert ui.geometry1Label.text.startswith("source typed in")


def test_ok_without_a_change_moves_nothing(a_filled_panel: Any, user: Any) -> None:
    from RadGSRegLib.scene.xray_nodes import geometry_of

    xray = a_filled_panel.logic.getParameterNode().xray1
    before = geometry_of(xray)
    user.press(ok_button(edit(a_filled_panel, user)))
    np.testing.assert_array_equal(geometry_of(xray).detector_to_ras, before.detector_to_ras)
    assert a_filled_panel.ui.geometry1Label.text.startswith("from case.json")


def test_a_closed_dialog_leaves_nothing_behind(a_filled_panel: Any, user: Any) -> None:
    import qt

    ui = a_filled_panel.ui
    for _time in range(3):
        edit(a_filled_panel, user).reject()
    slicer.app.processEvents()
    qt.QCoreApplication.sendPostedEvents(None, qt.QEvent.DeferredDelete)
    assert ui.editGeometry1Button.findChildren(qt.QDialog) == []
    assert sketches() == []


def test_a_c_arm_s_numbers_place_source_and_film(a_panel: Any, an_image: Any, user: Any) -> None:
    """LAO 30: the detector 360 mm from the isocentre, half of it to the left (PS3.3 C.8.7.5.1.2)."""
    from RadGSRegLib.scene.xray_nodes import geometry_of

    assert a_panel.ui.geometry1Label.text == "The X-ray film has no source."
    dialog = edit(a_panel, user)
    assert "Nothing is known" in child(dialog, "geometryNoteLabel").text
    child(dialog, "primaryAngleSpinBox").value = 30.0
    assert child(dialog, "primaryAngleSpinBox").suffix == "° LAO (left)"
    child(dialog, "sourceToDetectorSpinBox").value = 980.0
    child(dialog, "sourceToIsocentreSpinBox").value = 620.0
    child(dialog, "pixelWidthSpinBox").value = child(dialog, "pixelHeightSpinBox").value = 0.5
    words = child(dialog, "exposureWordsLabel").text
    assert words == (
        "The detector is in front of the patient, to the patient's left, 360 mm from the isocentre; the source "
        "620 mm beyond it."
    )
    user.press(ok_button(dialog))
    geometry = geometry_of(an_image)
    np.testing.assert_allclose(geometry.source_ras, [310.0, -620.0 * np.sqrt(0.75), 0.0], atol=1e-6)
    np.testing.assert_allclose(geometry.centre_ras, [-180.0, 360.0 * np.sqrt(0.75), 0.0], atol=1e-6)
    assert geometry.pixel_spacing == pytest.approx((0.5, 0.5))
    assert a_panel.ui.geometry1Label.text == "C-arm typed in (30, 0 degrees); SDD 980 mm"


def test_angles_read_off_the_machine_follow_how_the_patient_lies(a_panel: Any, an_image: Any, user: Any) -> None:
    """Feet first on the back, the machine's left is the patient's right; the front stays."""
    from RadGSRegLib.scene.xray_nodes import geometry_of

    dialog = edit(a_panel, user)
    child(dialog, "primaryAngleSpinBox").value = 30.0
    child(dialog, "secondaryAngleSpinBox").value = 10.0
    child(dialog, "patientComboBox").setCurrentIndex(2)
    assert "on the back, feet first" in child(dialog, "patientComboBox").currentText
    words = child(dialog, "exposureWordsLabel").text
    assert "in front of the patient, to the patient's right, towards the feet" in words
    user.press(ok_button(dialog))
    right, front, head = geometry_of(an_image).normal
    beam = np.cos(np.radians(10)) * np.array([np.sin(np.radians(30)), np.cos(np.radians(30))])
    np.testing.assert_allclose([right, front, head], [beam[0], beam[1], -np.sin(np.radians(10))], atol=1e-9)


def test_a_preset_keeps_the_film_s_size_whatever_the_image_s(a_panel: Any, an_image: Any, user: Any) -> None:
    dialog = edit(a_panel, user)
    presets = child(dialog, "presetComboBox")
    presets.setCurrentIndex(presets.findText("Biplane suite, lateral"))
    assert child(dialog, "primaryAngleSpinBox").value == 90.0
    assert child(dialog, "sourceToDetectorSpinBox").value == 1200.0
    # 960 pixels of 0.308 mm: the film is 295.68 mm along its longer side, here 500 pixels.
    assert child(dialog, "pixelHeightSpinBox").value == pytest.approx(0.308 * 960 / 500, abs=1e-4)
    dialog.reject()


def test_impossible_distances_are_told_and_cannot_be_taken(a_panel: Any, an_image: Any, user: Any) -> None:
    dialog = edit(a_panel, user)
    child(dialog, "sourceToIsocentreSpinBox").value = 1500.0
    assert "is impossible" in child(dialog, "geometryNoteLabel").text
    assert not ok_button(dialog).enabled
    child(dialog, "sourceToIsocentreSpinBox").value = 600.0
    assert ok_button(dialog).enabled
    dialog.reject()


def test_the_sketch_follows_and_goes_with_the_dialog(a_filled_panel: Any, user: Any) -> None:
    dialog = edit(a_filled_panel, user)
    assert sketches() == ["AP exposure", "LAT exposure", "Patient"]
    model = slicer.util.getFirstNodeByName("AP exposure")
    assert not model.GetSaveWithScene()

    def source() -> Any:
        """The corner at which the rays of the sketch begin."""
        data = model.GetPolyData()
        ray = data.GetCell(0) if data.GetCell(0).GetNumberOfPoints() == 2 else data.GetCell(1)
        return np.array(ray.GetPoints().GetPoint(0))

    before = source()
    child(dialog, "primaryAngleSpinBox").value -= 20.0
    assert np.linalg.norm(source() - before) > 100.0
    dialog.reject()
    assert sketches() == []


def test_a_drr_follows_what_is_typed(a_filled_panel: Any, user: Any, host: Any, tmp_path: Path) -> None:
    """The X-ray beside the CT as the geometry would show it: alike where it is right, and unlike 40 degrees away."""
    dialog = edit(a_filled_panel, user)
    picture, logic = child(dialog, "exposurePictureLabel"), a_filled_panel.logic
    host.wait_until(lambda: not logic.drawingExposures, 400)
    assert picture.isVisible()
    right = alike(picture.pixmap, tmp_path / "picture.png")
    assert right > 0.45
    assert "not registered" in child(dialog, "exposureCaptionLabel").text
    child(dialog, "primaryAngleSpinBox").value -= 40.0
    host.wait_until(lambda: not logic.drawingExposures, 400)
    assert alike(picture.pixmap, tmp_path / "picture.png") < right - 0.1
    child(dialog, "sourceToIsocentreSpinBox").value = 1500.0
    assert picture.isHidden()
    dialog.reject()
    host.wait_until(lambda: not logic.worker.busy, 400)


def test_the_dialog_closes_when_its_xray_goes_or_the_module_is_left(
    a_filled_panel: Any, user: Any, a_scene: Any
) -> None:
    edit(a_filled_panel, user)
    parameters = a_filled_panel.logic.getParameterNode()
    parameters.xray1 = None
    slicer.app.processEvents()
    assert open_dialog() is None
    edit(a_filled_panel, user, 2)
    a_scene.Clear(0)
    assert open_dialog() is None
    assert sketches() == []


def test_what_a_dicom_file_lacks_is_named_and_asked_for(a_panel: Any, user: Any, tmp_path: Path) -> None:
    from dicom_xray_files import Exposure, write

    from RadGSRegLib.scene.dicom_xrays import add_dicom_xray
    from RadGSRegLib.scene.xray_nodes import geometry_of

    exposure = Exposure("CR", 25.0, 5.0, 1100.0, 700.0, (0.3, 0.3), (60, 50))
    path = write(tmp_path / "cr.dcm", exposure, DistanceSourceToPatient=None)
    xray = add_dicom_xray(path)
    a_panel.logic.getParameterNode().xray1 = xray
    slicer.app.processEvents()
    assert a_panel.ui.geometry1Label.text.startswith(
        "Its DICOM file does not say: Distance Source to Patient (0018,1111)"
    )
    dialog = edit(a_panel, user)
    assert "Distance Source to Patient (0018,1111)" in child(dialog, "geometryNoteLabel").text
    assert child(dialog, "primaryAngleSpinBox").value == 25.0  # what the file says stays
    child(dialog, "sourceToIsocentreSpinBox").value = 700.0
    user.press(ok_button(dialog))
    whole = write(tmp_path / "whole.dcm", exposure)
    np.testing.assert_allclose(geometry_of(xray).source_ras, geometry_of(add_dicom_xray(whole)).source_ras, atol=1e-6)
    assert "DICOM, completed by hand" in a_panel.ui.geometry1Label.text
