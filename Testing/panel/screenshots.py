"""Pictures of every state of the panel, on the test host, with the real engine: ``make screenshots``.

    python Testing/panel/screenshots.py [FOLDER]

The column is as wide as Slicer's module panel; the sections are those of the module; the widgets that only Slicer has
are the host's stand-ins. The views are drawn by MRML's own displayable managers, as Slicer draws them.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

PROJECT = Path(__file__).resolve().parents[2]
TESTING = PROJECT / "Testing"
sys.path[:0] = [str(TESTING / folder) for folder in ("host", "panel", "panel/sections", "engine", "engine/io")]
sys.path.insert(0, str(PROJECT / "RadGSReg"))

import slicerhost  # noqa: E402
from column import lay_out, place_of  # noqa: E402
from slicer_fixtures import MODULE_FILE, write_launcher  # noqa: E402
from view_sheets import THREE_D_SIZE, take_the_views  # noqa: E402

FOLDER = PROJECT / "docs" / "pictures" / "panel"


class Photographer:
    """Takes the panel through its states, and two pictures of each: Slicer's light theme, and in "dark" its dark one.

    Args:
        folder: Where the pictures go.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host = slicerhost.start()
        self.user = self.host.user
        self.panel = self.host.open_panel(self.host.load(MODULE_FILE))
        self.ui = self.panel.ui

    def take(self, name: str, first: str | None = None, last: str = "researchLabel") -> None:
        """Saves the whole panel, or its part from the top of one widget to the bottom of another."""
        for theme, folder in (("dark", self.folder / "dark"), ("light", self.folder)):
            self.host.use_theme(theme)
            self.panel.panel.refresh()
            picture = lay_out(self.panel).grab()
            top, bottom = 0 if first is None else place_of(self.panel, first)[0], place_of(self.panel, last)[1]
            picture.copy(0, max(top - 6, 0), picture.width(), bottom - top + 12).save(str(folder / f"{name}.png"))
        print(f"{name}.png", flush=True)

    def accept(self, name: str = "") -> None:
        """Presses Accept, and answers what it asks with yes; with a name, the question is pictured."""

        def answer(question: str, title: str) -> bool:
            if name:
                self.take_dialog(name, lambda: _question_box(question, title))
            return True

        with patch("slicer.util.confirmYesNoDisplay", answer):
            self.user.press(self.ui.acceptButton)

    def take_dialog(self, name: str, show: Callable[[], Any]) -> None:
        """Saves a dialog in both themes, in each as if it had been opened there.

        Args:
            name: The picture's name.
            show: Opens the dialog and returns it.
        """
        for theme, folder in (("dark", self.folder / "dark"), ("light", self.folder)):
            self.host.use_theme(theme)
            dialog = show()
            self.wait(lambda: not self.panel.logic.drawingExposures)
            self.settle()
            dialog.grab().save(str(folder / f"{name}.png"))
            dialog.reject()
            self.settle()
        print(f"{name}.png", flush=True)

    def wait(self, condition: Callable[[], Any]) -> None:
        """Lets time pass until a condition holds."""
        self.host.wait_until(condition, 1200)

    def settle(self) -> None:
        """Lets layouts and timers come to rest."""
        import slicer

        for _turn in range(5):
            slicer.app.processEvents()


def _question_box(question: str, title: str) -> Any:
    """What ``slicer.util.confirmYesNoDisplay`` shows, open."""
    import slicer
    from PySide6 import QtWidgets

    box = QtWidgets.QMessageBox(slicer.util.mainWindow())
    box.setIcon(QtWidgets.QMessageBox.Icon.Question)
    box.setWindowTitle(title)
    box.setText(question)
    box.setStandardButtons(QtWidgets.QMessageBox.StandardButton.Yes | QtWidgets.QMessageBox.StandardButton.No)
    box.show()
    return box


@contextmanager
def a_folder(name: str) -> Iterator[Path]:
    """A folder for a moment, whose name looks well in a picture."""
    folder = Path(tempfile.gettempdir()) / name
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def take_inputs(photo: Photographer) -> None:
    """From an empty scene to inputs that lack nothing but a word, and some that lack more."""
    import slicer
    from placing import interaction, place_button

    from RadGSRegLib.scene.node_contract import SOURCE_ROLE

    ui, user = photo.ui, photo.user
    photo.take("01_empty")
    user.press(ui.demoButton)
    photo.take("02_confirm_the_level")
    xray = ui.xray2Selector.currentNode()
    geometry = xray.GetNodeReference(SOURCE_ROLE)
    xray.SetNodeReferenceID(SOURCE_ROLE, None)
    photo.take("03_geometry_missing", last="initializationCollapsibleButton")
    xray.SetNodeReferenceID(SOURCE_ROLE, geometry.GetID())
    slicer.app.processEvents()
    user.press(place_button(photo.panel, 0, 1))
    photo.take("04_placing_a_click", "initializationCollapsibleButton", "initializationCollapsibleButton")
    interaction().SwitchToViewTransformMode()
    slicer.app.processEvents()


def take_a_registration(photo: Photographer) -> None:
    """The start, a registration, and its acceptance."""
    ui, user, logic = photo.ui, photo.user, photo.panel.logic
    user.press(ui.showStartButton)
    photo.wait(ui.pictureLabel1.isVisible)
    user.press(ui.confirmLevelsCheckBox)
    photo.take("05_start")
    user.press(ui.applyButton)
    photo.wait(lambda: ui.progressBar.value > ui.progressBar.maximum // 3)
    photo.take("06_running")
    user.press(ui.applyButton)
    photo.wait(lambda: not logic.running)
    photo.take("08_cancelled", "applyButton", "resultsCollapsibleButton")
    user.press(ui.applyButton)
    photo.wait(lambda: not logic.running)
    photo.wait(ui.resultRadioButton.isEnabled)
    photo.take("09_result")
    take_a_nudge(photo)
    photo.accept("28_accept_question")
    photo.take("10_accepted", "resultsCollapsibleButton", "resultsCollapsibleButton")


def take_a_nudge(photo: Photographer) -> None:
    """The result's vertebra, moved by hand."""
    ui, user, logic = photo.ui, photo.user, photo.panel.logic
    user.press(ui.nudgeButton)
    ui.nudgeStepComboBox.setCurrentIndex(3)
    for button in (ui.nudgeShiftIButton, ui.nudgeShiftRButton, ui.nudgeTurnTiltRButton):
        user.press(button)
    photo.wait(lambda: not logic.worker.busy)
    photo.settle()
    photo.take("25_nudge", "resultsCollapsibleButton", "visualQaCollapsibleButton")
    user.press(ui.nudgeButton)


def take_a_preparation(photo: Photographer) -> None:
    """Networks being prepared for the level, and what Apply says meanwhile."""
    ui, user, logic = photo.ui, photo.user, photo.panel.logic
    ui.patientModelCollapsibleButton.collapsed = False
    with a_folder("models") as folder:
        ui.preparationFolderEdit.currentPath = str(folder)
        user.press(ui.prepareButton)
        photo.wait(lambda: "simulated" in ui.preparationLabel.text)
        photo.take("15_preparing", "patientModelCollapsibleButton", "applyButton")
        user.press(ui.prepareButton)
        photo.wait(lambda: not logic.preparing)
        photo.panel.panel.say("")
        ui.preparationFolderEdit.currentPath = ""
    ui.patientModelCollapsibleButton.collapsed = True


def take_an_export(photo: Photographer) -> None:
    """L3 written to files; and what stands beside it under Advanced."""
    ui, user = photo.ui, photo.user
    ui.exportCollapsibleButton.collapsed = False
    with a_folder("to-navigation") as folder:
        ui.exportFolderEdit.currentPath = str(folder)
        user.tick(ui.exportLevelsList.item(0))
        user.press(ui.exportButton)
        photo.take("16_exported", "exportCollapsibleButton", "exportCollapsibleButton")
    ui.exportCollapsibleButton.collapsed, ui.advancedCollapsibleButton.collapsed = True, False
    photo.take("30_advanced", "advancedCollapsibleButton", "advancedCollapsibleButton")
    ui.advancedCollapsibleButton.collapsed = True


def take_two_runs(photo: Photographer) -> None:
    """A second run that ended beside the first, brought in like the engine's: its reason shown, and both compared."""
    import json
    import re

    import slicer

    from radgs.case import LevelResult, Reason, RegistrationResult
    from radgs.geometry import RigidTransform
    from RadGSRegLib.engine.result_import import import_steps

    ui, logic = photo.ui, photo.panel.logic
    first = json.loads(slicer.util.getNode("L3CTToWorld").GetAttribute("RadGSReg.result"))
    pose, start = (RigidTransform.from_matrix(matrix) for matrix in (first["ct_to_world"], first["stages"]["start"]))
    beside = RigidTransform(pose.rotation, pose.translation + [1.0, -0.5, 2.5])
    reason = Reason("dissimilar", "The model explains view LAT poorly: gradient correlation 0.61 on the vertebra.")
    similarity = {"AP": {"start": 0.29, "result": 0.71}, "LAT": {"start": 0.4, "result": 0.61}}
    stages = {"start": start, "refined": beside}
    level = LevelResult(beside, "check", {"surface_p95": 2.0}, (reason,), similarity, stages)
    with tempfile.TemporaryDirectory() as folder:
        RegistrationResult({"L3": level}).save(folder)
        list(import_steps(Path(folder), logic.inputs()))
    photo.settle()
    photo.wait(lambda: ui.nudgeButton.isEnabled() and not logic.worker.busy)
    ui.reasonsLabel.linkActivated.emit(re.findall('href="([^"]*)"', ui.reasonsLabel.text)[0])
    photo.settle()
    photo.take("26_show_a_reason", "resultsCollapsibleButton", "visualQaCollapsibleButton")
    ui.modeComboBox.setCurrentIndex(0)
    ui.contourCheckBox.checked = True
    ui.compareComboBox.setCurrentIndex(1)
    photo.settle()
    photo.wait(lambda: not logic.worker.busy)
    photo.settle()
    photo.take("27_two_runs", "resultsCollapsibleButton", "visualQaCollapsibleButton")
    ui.runsComboBox.setCurrentIndex(0)
    photo.settle()
    photo.wait(lambda: ui.nudgeButton.isEnabled() and not logic.worker.busy)
    photo.accept()


def take_doubts(photo: Photographer) -> None:
    """Verdicts other than accept, brought in like the engine's; and an error with its way out."""
    from radgs.case import LevelResult, Reason, RegistrationResult
    from radgs.geometry import RigidTransform
    from RadGSRegLib.engine.result_import import import_steps

    ui, user, logic = photo.ui, photo.user, photo.panel.logic
    parameters = logic.getParameterNode()
    segments = logic.levels(parameters.segmentation)
    parameters.segments = {level: segments[level] for level in ("L3", "L4", "L5")}
    pose = RigidTransform.from_rotation_vector([0.02, -0.01, 0.03], [-16.0, -9.0, 12.0])
    doubt = Reason(
        "level", "The result lies 34 mm from the start, where the next level is 35 mm away: confirm the level."
    )
    poor = Reason("dissimilar", "The model explains view LAT poorly: gradient correlation 0.58 on the vertebra.")
    refusal = Reason(
        "indistinct",
        "The pose barely stands out: moved by 4 mm, the vertebra leaves only 1% more of the X-rays unexplained.",
    )
    similarity = {"AP": {"start": 0.34, "result": 0.73}, "LAT": {"start": 0.76, "result": 0.87}}
    levels = {
        "L4": LevelResult(pose, "check", {"surface_p95": 1.0}, (poor, doubt), similarity),
        "L5": LevelResult(pose, "reject", {"surface_p95": 6.2}, (refusal,), similarity),
    }
    with tempfile.TemporaryDirectory() as folder:
        RegistrationResult(levels).save(folder)
        list(import_steps(Path(folder), logic.inputs()))
    photo.settle()
    ui.exportCollapsibleButton.collapsed = False
    for row, name in ((1, "12_check"), (2, "13_reject")):
        user.choose_row(ui.resultsTable, row)
        photo.take(name, "resultsCollapsibleButton", "resultsCollapsibleButton")
    take_a_level_never_found(photo)
    user.tick(ui.exportLevelsList.item(1))
    user.press(ui.exportButton)
    photo.take("17_export_question", "exportCollapsibleButton", "exportCollapsibleButton")
    user.press(ui.exportNoButton)
    parameters.segments = {"L3": segments["L3"]}
    user.press(ui.confirmLevelsCheckBox)
    ui.deviceComboBox.setCurrentText("cuda")
    ui.advancedCollapsibleButton.collapsed = False
    user.press(ui.applyButton)
    photo.wait(lambda: not logic.running)
    photo.take("14_error", "applyButton", "resultsCollapsibleButton")
    ui.deviceComboBox.setCurrentText("auto")


def take_a_level_never_found(photo: Photographer) -> None:
    """A level without a pose, among others: it has a row too, and its reason below."""
    from radgs.case import LevelResult, RegistrationResult
    from radgs.errors import CaseError
    from RadGSRegLib.engine.result_import import import_steps
    from RadGSRegLib.review.never_found import forget_never_found

    ct = photo.panel.logic.inputs().ct
    cut = CaseError("The label of L2 is cut off by the border of the CT.", "Load a CT that shows all of it.")
    with tempfile.TemporaryDirectory() as folder:
        RegistrationResult({"L2": LevelResult.failed(cut)}).save(folder)
        list(import_steps(Path(folder), photo.panel.logic.inputs()))
    photo.settle()
    photo.take("32_never_found", "resultsCollapsibleButton", "resultsCollapsibleButton")
    forget_never_found(ct, "L2")
    photo.panel.panel.refresh()


def take_a_lack(photo: Photographer) -> None:
    """What a panel says whose engine lacks a library."""
    from RadGSRegLib.engine.dependencies import Dependencies

    with tempfile.TemporaryDirectory() as folder:
        requirements = Path(folder) / "requirements.txt"
        requirements.write_text("a-library-that-is-missing>=1.0\n", "utf-8")
        whole = photo.panel.logic.dependencies
        photo.panel.logic.dependencies = Dependencies(requirements)
        photo.user.press(photo.ui.applyButton)
        photo.panel.panel.refresh()
        photo.take("18_library_missing", "dependenciesFrame", "inputsCollapsibleButton")
    photo.panel.logic.dependencies = whole
    photo.panel.panel.refresh()


def take_what_is_needed(photo: Photographer) -> None:
    """A CT without its segmentation, where an application has a module that makes one."""
    import slicer

    slicer.mrmlScene.Clear(0)
    logic = photo.panel.logic
    logic.loadCase(logic.demoCase())
    slicer.modules.totalsegmentator = type("Module", (), {"name": "TotalSegmentator"})
    logic.getParameterNode().segmentation = None
    photo.settle()
    photo.take("19_segmentation_missing", "inputsCollapsibleButton", "confirmLevelsCheckBox")


def take_the_geometry(photo: Photographer) -> None:
    """An exposure typed in, with its sketch; a calibration whose conventions are asked; what a DICOM file lacks."""
    import calibrated_films as films
    import slicer
    from dialogs import open_dialog
    from dicom_xray_files import Exposure, write
    from slicerhost.views import Offscreen3DView

    from RadGSRegLib.scene.dicom_xrays import add_dicom_xray
    from RadGSRegLib.sections.calibration_dialog import CalibrationDialog

    ui, parameters = photo.ui, photo.panel.logic.getParameterNode()
    slicer.mrmlScene.Clear(0)
    photo.user.press(ui.demoButton)

    def edit() -> Any:
        photo.user.press(ui.editGeometry1Button)
        return open_dialog()

    photo.take_dialog("20_edit_geometry", edit)
    take_the_readings(photo)
    dialog = edit()
    space = Offscreen3DView(THREE_D_SIZE)
    space.look((-0.5, -0.75, -0.3), zoom=1.4)
    space.save(photo.folder / "21_sketch.png")
    dialog.reject()
    with tempfile.TemporaryDirectory() as folder:
        parameters.xray1, parameters.xray2 = films.add_films()
        paths = [Path(path) for path in films.write_matrices(Path(folder))]

        def load(**answers: int) -> Any:
            xrays = (parameters.xray1, parameters.xray2)
            asking = CalibrationDialog(paths, xrays, 0, None, ui.loadGeometry1Button, photo.panel.logic)
            films.say(asking.dialog, **answers)
            asking.dialog.show()
            return asking.dialog

        photo.take_dialog("22_load_geometry", load)
        photo.take_dialog("23_load_geometry_refused", lambda: load(extrinsics=1, rows=2))
        exposure = Exposure("CR", 0.0, 0.0, 1100.0, 700.0, (0.3, 0.3), (60, 50))
        lacking = {"PositionerPrimaryAngle": None, "PositionerSecondaryAngle": None, "DistanceSourceToPatient": None}
        parameters.xray1 = add_dicom_xray(write(Path(folder) / "cr.dcm", exposure, **lacking))
        photo.settle()
        photo.take_dialog("24_dicom_lacks", edit)


def take_the_readings(photo: Photographer) -> None:
    """Two readings of projection matrices, each beside the X-rays: nothing was clicked that would tell them apart."""
    import calibrated_films as films
    import slicer

    from RadGSRegLib.scene.xray_nodes import geometry_of
    from RadGSRegLib.sections.calibration_dialog import CalibrationDialog

    logic = photo.panel.logic
    xrays = logic.inputs().xrays
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(path) for path in films.write_projections(Path(folder), [geometry_of(xray) for xray in xrays])]

        def load() -> Any:
            asking = CalibrationDialog(paths, xrays, 0, None, photo.ui.loadGeometry1Button, logic)
            films.say(asking.dialog, superior=3, anterior=1)
            asking.dialog.show()
            return asking.dialog

        photo.take_dialog("31_load_geometry_readings", load)
    slicer.app.processEvents()


def main(folder: Path) -> None:
    """Takes all pictures into a folder."""
    (folder / "dark").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as bin_folder:
        os.environ["PATH"] = f"{write_launcher(Path(bin_folder)).parent}{os.pathsep}{os.environ['PATH']}"
        photo = Photographer(folder)
        try:
            for states in (
                take_inputs,
                take_a_registration,
                take_an_export,
                take_the_views,
                take_two_runs,
                take_doubts,
                take_a_preparation,
                take_a_lack,
                take_what_is_needed,
                take_the_geometry,
            ):
                states(photo)
        finally:
            photo.host.close_panel(photo.panel)
    if failed := photo.host.failures.take():
        raise SystemExit("\n".join(failed))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
