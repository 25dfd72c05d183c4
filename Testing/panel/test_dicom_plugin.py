"""DICOM X-rays from Slicer's DICOM browser arrive as X-rays with their geometry; two of a study are the inputs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from dialogs import answer, child, ok_button
from dicom_xray_files import Exposure, write
from slicer_fixtures import PROJECT, in_full_slicer

PLUGIN_FILE = PROJECT / "RadGSReg" / "RadGSRegDICOMPlugin.py"
FRONTAL = Exposure("XA", 12.0, -7.5, 1100.0, 720.0, (0.3, 0.3), (60, 50))
LATERAL = Exposure("XA", 95.0, 3.0, 1150.0, 700.0, (0.25, 0.25), (64, 48))


@pytest.fixture
def the_browser(host: Any, a_scene: Any, the_module: Any) -> Iterator[Any]:
    """Slicer's DICOM browser with its own way to load X-rays and ours."""
    if in_full_slicer():
        pytest.skip("the full Slicer has a DICOM database of its own")
    from slicerhost import dicom_library

    dicom_library.install()
    dicom_library.load_plugin(PLUGIN_FILE)
    yield dicom_library
    del slicer.dicomDatabase, slicer.modules.dicomPlugins, sys.modules["DICOMLib"]


def offers(offered: dict[Any, list[Any]]) -> list[Any]:
    """What our plugin offers."""
    return next(several for plugin, several in offered.items() if "RadGS-Reg" in plugin.loadType)


def xrays() -> list[Any]:
    volumes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    return [volume for volume in volumes if volume.GetAttribute("RadGSReg.study")]


def parameters() -> Any:
    import RadGSReg

    logic = RadGSReg.RadGSRegLogic()
    try:
        return logic.getParameterNode()
    finally:
        logic.cleanup()


def expected_source(exposure: Exposure) -> np.ndarray:
    """By the standard's text (PS3.3 C.8.7.5.1.2): longitude and latitude of the detector, the source across from it."""
    primary, secondary = np.radians([exposure.primary, exposure.secondary])
    left, front, head = np.array([-1.0, 0, 0]), np.array([0, 1.0, 0]), np.array([0, 0, 1.0])
    detector = np.cos(secondary) * (np.sin(primary) * left + np.cos(primary) * front) + np.sin(secondary) * head
    return -exposure.sod * detector


def test_two_xrays_of_a_study_arrive_as_the_module_s_inputs(the_browser: Any, tmp_path: Path) -> None:
    from RadGSRegLib.scene.xray_nodes import geometry_of, pixels_of, view_name

    files = [write(tmp_path / "ap.dcm", FRONTAL), write(tmp_path / "lat.dcm", LATERAL)]
    offered = the_browser.examine([[file] for file in files])
    assert [offer.confidence for offer in offers(offered)] == [0.8, 0.8]
    assert all(offer.selected for offer in offers(offered))
    assert "Positioner Primary Angle (0018,1510)" in offers(offered)[0].tooltip
    assert the_browser.load(offered) == []
    first, second = xrays()
    assert [view_name(first), view_name(second)] == ["AP", "LAT"]
    for volume, exposure in ((first, FRONTAL), (second, LATERAL)):
        np.testing.assert_allclose(geometry_of(volume).source_ras, expected_source(exposure), atol=1e-3)
        assert geometry_of(volume).source_to_detector_mm == pytest.approx(exposure.sdd)
        assert pixels_of(volume).shape == exposure.size
    assert parameters().xray1 is first
    assert parameters().xray2 is second
    assert first.GetAttribute("RadGSReg.pixel_type") == "attenuation"
    assert "DICOM says linear" in first.GetAttribute("RadGSReg.conversion")
    assert first.GetAttribute("DICOM.instanceUIDs")


def test_the_table_s_motion_between_them_moves_the_second_isocentre(the_browser: Any, tmp_path: Path) -> None:
    """20 mm to the table's head: the patient moved 20 mm up, so that the isocentre is 20 mm nearer to the feet."""
    from dataclasses import replace

    from RadGSRegLib.scene.xray_nodes import geometry_of

    enhanced = replace(FRONTAL, kind="EnhancedXA", table=(0.0, 0.0, 0.0))
    moved = replace(LATERAL, kind="EnhancedXA", table=(0.0, 0.0, 20.0))
    files = [write(tmp_path / "ap.dcm", enhanced), write(tmp_path / "lat.dcm", moved)]
    the_browser.load(the_browser.examine([[file] for file in files]))
    first, second = xrays()
    np.testing.assert_allclose(geometry_of(first).source_ras, expected_source(FRONTAL), atol=1e-3)
    shifted = expected_source(LATERAL) + [0.0, 0.0, -20.0]
    np.testing.assert_allclose(geometry_of(second).source_ras, shifted, atol=1e-3)
    # Whichever is read again, and in whatever order, both stay in the world that the first one made.
    from RadGSRegLib.scene.dicom_xrays import connect_to_file, put_dicom_geometry

    for volume, file, source in ((first, files[0], expected_source(FRONTAL)), (second, files[1], shifted)):
        put_dicom_geometry(volume, connect_to_file(volume, file, 0))
        np.testing.assert_allclose(geometry_of(volume).source_ras, source, atol=1e-3)


def test_xrays_of_two_studies_make_no_pair(the_browser: Any, a_panel: Any, tmp_path: Path) -> None:
    files = [
        write(tmp_path / "ap.dcm", FRONTAL),
        write(tmp_path / "lat.dcm", LATERAL, StudyInstanceUID="1.2.3.4"),
    ]
    the_browser.load(the_browser.examine([[file] for file in files]))
    chosen = a_panel.logic.getParameterNode()
    assert chosen.xray1 is xrays()[0]
    assert chosen.xray2 is None
    chosen.xray2 = xrays()[1]  # the user may; it is told what that means
    slicer.app.processEvents()
    assert "Of another study" in a_panel.ui.geometry2Label.text


def test_what_the_user_chose_stays(the_browser: Any, a_panel: Any, user: Any, tmp_path: Path) -> None:
    user.press(a_panel.ui.demoButton)
    before = (a_panel.ui.xray1Selector.currentNode(), a_panel.ui.xray2Selector.currentNode())
    the_browser.load(the_browser.examine([[write(tmp_path / "ap.dcm", FRONTAL)]]))
    assert (a_panel.ui.xray1Selector.currentNode(), a_panel.ui.xray2Selector.currentNode()) == before


def test_missing_attributes_are_named_and_slicer_s_own_way_is_kept(the_browser: Any, tmp_path: Path) -> None:
    file = write(
        tmp_path / "cr.dcm",
        Exposure("CR", 0.0, 0.0, 1100.0, 700.0, (0.3, 0.3), (60, 50)),
        PositionerPrimaryAngle=None,
        PositionerSecondaryAngle=None,
        DistanceSourceToPatient=None,
    )
    offered = the_browser.examine([[file]])
    (offer,) = offers(offered)
    assert "Positioner Primary Angle (0018,1510)" in offer.warning
    assert "Distance Source to Patient (0018,1111)" in offer.warning
    assert "Detector" not in offer.warning
    assert not offer.selected
    offer.selected = True  # the user takes it for an X-ray all the same
    assert the_browser.load({plugin: several for plugin, several in offered.items() if offer in several}) == []
    (volume,) = xrays()
    assert volume.GetNodeReference("RadGSReg.source") is None
    assert "Positioner Primary Angle (0018,1510)" in volume.GetAttribute("RadGSReg.missing")


def test_a_frame_of_a_run_is_asked_for(the_browser: Any, user: Any, tmp_path: Path) -> None:
    from dataclasses import replace

    from RadGSRegLib.scene.xray_nodes import geometry_of

    run = replace(FRONTAL, kind="EnhancedXA", frames=5, frame=3, per_frame=True)
    offered = the_browser.examine([[write(tmp_path / "run.dcm", run)]])
    (offer,) = offers(offered)
    assert "5 frames" in offer.name
    assert not offer.selected  # Slicer's image sequence shows all of them
    offer.selected = True
    ours = {plugin: several for plugin, several in offered.items() if offer in several}
    answer(lambda dialog: dialog.reject())
    assert the_browser.load(ours) == [f"Could not load: {offer.name} as a X-ray with geometry (RadGS-Reg)"]
    assert xrays() == []

    def act(dialog: Any) -> None:
        child(dialog, "framesList").setCurrentRow(3)
        user.press(ok_button(dialog))

    answer(act)
    assert the_browser.load(ours) == []
    np.testing.assert_allclose(geometry_of(xrays()[0]).source_ras, expected_source(run), atol=1e-3)


def test_what_is_no_cone_beam_or_no_xray_is_not_offered(the_browser: Any, tmp_path: Path) -> None:
    scanner = write(tmp_path / "eos.dcm", FRONTAL, Manufacturer="EOS imaging")
    slices = write(tmp_path / "ct.dcm", FRONTAL, Modality="CT")
    broken = write(tmp_path / "zero.dcm", FRONTAL, DetectorPrimaryAngle="20")
    assert offers(the_browser.examine([[scanner], [slices], [broken]])) == []


@pytest.mark.parametrize(("version", "plugins"), [(10, ["RadGSRegDICOMPlugin"]), (8, [])])
def test_the_plugin_is_hidden_and_costs_nothing_at_start(version: int, plugins: list[str]) -> None:
    """Slicer reads it at each start: no numerical library, no pydicom, no torch. One too old is told nothing."""
    code = f"""
import importlib.util, sys, types
slicer = types.ModuleType("slicer"); slicer.modules = types.SimpleNamespace()
slicer.app = types.SimpleNamespace(majorVersion=5, minorVersion={version})
sys.modules["qt"] = types.ModuleType("qt")
sys.path.insert(0, {str(PLUGIN_FILE.parent)!r})
i18n = types.ModuleType("slicer.i18n"); i18n.tr = lambda text: text
library = types.ModuleType("DICOMLib")
library.DICOMPlugin, library.DICOMLoadable = type("DICOMPlugin", (), {{}}), type("DICOMLoadable", (), {{}})
sys.modules.update({{"slicer": slicer, "slicer.i18n": i18n, "DICOMLib": library}})
spec = importlib.util.spec_from_file_location("RadGSRegDICOMPlugin", {str(PLUGIN_FILE)!r})
module = importlib.util.module_from_spec(spec); spec.loader.exec_module(module)
parent = types.SimpleNamespace()
module.RadGSRegDICOMPlugin(parent)
assert parent.hidden is True
assert list(getattr(slicer.modules, "dicomPlugins", ())) == {plugins}
print(sorted(name for name in ("numpy", "scipy", "pydicom", "torch", "radgs") if name in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.slow
def test_from_dicom_to_a_verdict(the_browser: Any, a_panel: Any, user: Any, host: Any, tmp_path: Path) -> None:
    """The demo's X-rays as a C-arm writes them, CT and segmentation at hand: loaded, clicked, registered."""
    from RadGSRegLib.scene.xray_nodes import click_pixel, geometry_of, set_click_pixel, view_name

    demo = a_panel.logic.loadCase(a_panel.logic.demoCase())
    parameters = a_panel.logic.getParameterNode()
    files, geometries, pixels = [], [], {}
    for xray in demo.xrays:
        geometries.append(geometry_of(xray))
        pixels[view_name(xray)] = click_pixel(parameters.parameterNode, "L3", xray)
        files.append(write_as_c_arm(tmp_path / f"{view_name(xray)}.dcm", xray))
    parameters.xray1 = parameters.xray2 = None
    for xray in demo.xrays:
        slicer.mrmlScene.RemoveNode(xray)
    the_browser.load(the_browser.examine([[file] for file in files]))
    inputs = a_panel.logic.inputs()
    for xray, geometry in zip(inputs.xrays, geometries, strict=True):
        np.testing.assert_allclose(geometry_of(xray).source_ras, geometry.source_ras, atol=1e-3)
        np.testing.assert_allclose(geometry_of(xray).centre_ras, geometry.centre_ras, atol=1e-3)
        set_click_pixel(parameters.parameterNode, "L3", xray, pixels[view_name(xray)])
    slicer.app.processEvents()
    if not a_panel.ui.confirmLevelsCheckBox.checked:
        user.press(a_panel.ui.confirmLevelsCheckBox)
    user.press(a_panel.ui.applyButton)
    host.wait_until(lambda: not a_panel.logic.running, 240)
    assert "accept" in a_panel.ui.resultsTable.item(0, 1).text().lower(), a_panel.ui.messageLabel.text


def write_as_c_arm(path: Path, xray: Any) -> Path:
    """An X-ray of line integrals as the exposure that a C-arm measures and describes, 16 bits."""
    from radgs.geometry.c_arm import c_arm_of
    from RadGSRegLib.scene.xray_nodes import geometry_of, pixels_of

    exposure = c_arm_of(geometry_of(xray))
    assert exposure is not None
    c_arm, isocentre = exposure
    np.testing.assert_allclose(isocentre, 0.0, atol=1e-3)
    numbers = [round(number, 6) for number in (c_arm.primary_deg, c_arm.secondary_deg)]
    distances = [round(number, 6) for number in (c_arm.source_to_detector_mm, c_arm.source_to_isocentre_mm)]
    spacing = (round(c_arm.spacing_mm[1], 6), round(c_arm.spacing_mm[0], 6))
    stated = Exposure(
        "XA", *numbers, *distances, spacing, c_arm.size[::-1], 90 * c_arm.turn.quarters, c_arm.turn.flipped
    )
    counts = np.round(65535 * np.exp(-pixels_of(xray))).astype(np.uint16)
    return write(path, stated, PixelData=counts.tobytes(), BitsStored=16, HighBit=15)
