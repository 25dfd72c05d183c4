"""The scripted module as Slicer loads it: what it is called, its panel and its self-test."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

from RadGSRegLib.logic import RadGSRegLogic


class RadGSReg(ScriptedLoadableModule):
    """What Slicer shows of the module before it is opened."""

    def __init__(self, parent: Any) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("RadGS-Reg")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Registration")]
        self.parent.dependencies = ["Markups", "Segmentations", "SubjectHierarchy", "VolumeRendering"]
        self.parent.contributors = ["RadGSReg contributors"]
        self.parent.helpText = _(
            "Registers a spine CT to two or more calibrated X-rays, vertebra by vertebra. Each vertebra gets its pose "
            "in the C-arm's frame and a verdict that says whether to trust it.<br>"
            "For research use; not a medical device.<br>"
            'See the <a href="https://github.com/RadGSReg/RadGSReg">project\'s page</a>.'
        )
        self.parent.acknowledgementText = _(
            "The method is that of Shen et al., RadGS-Reg: Registering Spine CT with Biplanar X-rays via Joint 3D "
            "Radiative Gaussians Reconstruction and 3D/3D Registration, MICCAI 2025 "
            '(<a href="https://arxiv.org/abs/2508.21154">arXiv 2508.21154</a>). This implementation is independent of '
            "the paper's authors."
        )
        slicer.app.connect("startupCompleted()", registerSampleData)  # by then there is a Sample Data module


def registerSampleData() -> None:
    """Offers the bundled phantom in the Sample Data module."""
    from RadGSRegLib.scene.sample_data import register_sample_data

    register_sample_data(loadSampleData)


def loadSampleData(source: Any = None) -> None:
    """Brings the bundled phantom into the scene, as the module's inputs."""
    from radgs.errors import RadgsError

    logic = RadGSRegLogic()
    try:
        inputs = logic.loadCase(logic.demoCase())
        slicer.util.setSliceViewerLayers(background=inputs.ct, fit=True)
    except RadgsError as error:
        slicer.util.errorDisplay(str(error))
    finally:
        logic.cleanup()


def forgetPackages() -> None:
    """Forgets the module's packages, so that a reload, which by itself reads this file alone, reads theirs too."""
    for name in [name for name in sys.modules if name.partition(".")[0] in ("RadGSRegLib", "radgs")]:
        del sys.modules[name]


class RadGSRegFileDialog:
    """Takes a case.json, or a folder that holds one, that is dropped onto the application's window.

    Slicer finds the class by its name (Base/QTGUI/qSlicerScriptedFileDialog.h), and asks it when something is dragged.
    """

    def __init__(self, qSlicerFileDialog: Any) -> None:
        self.qSlicerFileDialog = qSlicerFileDialog
        qSlicerFileDialog.fileType = _("RadGS-Reg case")
        qSlicerFileDialog.description = _("Load as a RadGS-Reg case")
        qSlicerFileDialog.action = slicer.qSlicerFileDialog.Read
        self.case: Path | None = None

    def isMimeDataAccepted(self) -> None:
        """Says whether there is a case among what is dragged."""
        from RadGSRegLib.engine.case_drop import case_among, dropped_paths

        self.case = case_among(dropped_paths(self.qSlicerFileDialog.mimeData()))
        self.qSlicerFileDialog.acceptMimeData(self.case is not None)

    def dropEvent(self) -> None:
        """Loads the case once the drop is over: until then the program that it comes from is made to wait."""
        import qt

        case, self.case = self.case, None
        if case is not None:
            qt.QTimer.singleShot(0, lambda: showCase(case))

    def execDialog(self) -> bool:
        """There is no dialog to show: the case was named by the drop."""
        return True


def showCase(path: Path) -> None:
    """Opens the module with a case as its inputs."""
    slicer.util.selectModule("RadGSReg")
    slicer.util.getModuleWidget("RadGSReg").loadCase(path)


class RadGSRegWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel; ``RadGSRegLib.panel`` fills it with life."""

    def __init__(self, parent: Any = None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.ui: Any = None
        self.logic: RadGSRegLogic | None = None
        self.panel: Any = None

    def setup(self) -> None:
        """Called by Slicer when the panel is opened for the first time."""
        from RadGSRegLib.slicer_version import show_where_too_old

        ScriptedLoadableModuleWidget.setup(self)
        if show_where_too_old(self.layout):
            return
        from RadGSRegLib.panel import Panel

        uiWidget = slicer.util.loadUI(self.resourcePath("UI/RadGSReg.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)
        self.logic = RadGSRegLogic()
        self.panel = Panel(self.ui, self.logic)
        scene = slicer.mrmlScene
        # While a scene goes or comes, the parameters speak of nodes that are not there.
        self.addObserver(scene, scene.StartCloseEvent, lambda *_: self.panel.close_scene())
        self.addObserver(scene, scene.StartImportEvent, lambda *_: self.panel.leave())
        for event in (scene.EndCloseEvent, scene.EndImportEvent):
            self.addObserver(scene, event, lambda *_: self._reenter())
        if self.parent.isEntered:  # reloaded while it is shown: nobody will call enter
            self.enter()

    def enter(self) -> None:
        """Called each time the user opens the module."""
        if self.panel is not None:
            self.panel.enter()

    def loadCase(self, path: Path) -> None:
        """Makes a case.json, or the folder that holds one, the inputs; what is wrong with it is said in the panel."""
        self.panel.load_case(path)

    def exit(self) -> None:
        """Called each time the user goes to another module."""
        if self.panel is not None:
            self.panel.leave()

    def cleanup(self) -> None:
        """Called when the application ends, and before the module is reloaded; also where ``setup`` failed."""
        self.removeObservers()
        if self.panel is not None:
            self.panel.leave()
        if self.logic is not None:
            self.logic.cleanup()

    def onReload(self) -> None:
        """Called by the developer's Reload, and by Reload and Test: reads the module's packages again too."""
        forgetPackages()
        ScriptedLoadableModuleWidget.onReload(self)

    def _reenter(self) -> None:
        if self.parent.isEntered:
            self.panel.leave()
            self.panel.enter()


class RadGSRegTest(ScriptedLoadableModuleTest):
    """The module's self-test, run by Slicer's Reload and Test and by its build."""

    def setUp(self) -> None:
        """Starts from an empty scene."""
        slicer.mrmlScene.Clear()

    def runTest(self) -> None:
        """Runs every test of the module."""
        for test in (self.test_theEngineIsTheOneInstalledHere, self.test_aCaseGoesIntoTheSceneAndOut):
            self.setUp()
            test()
        self.delayDisplay("Test passed")

    def test_theEngineIsTheOneInstalledHere(self) -> None:
        """A copy of ``radgs`` from elsewhere on the path would not fit this module."""
        import radgs

        self.assertEqual(Path(radgs.__file__).resolve().parents[1], Path(__file__).resolve().parent)

    def test_aCaseGoesIntoTheSceneAndOut(self) -> None:
        """The bundled case, shown as nodes and written again, names the same level, geometry and clicks."""
        import numpy as np

        from radgs.io.case_file import read_case_file
        from RadGSRegLib.engine.case_export import CaseExport

        logic = RadGSRegLogic()
        try:
            inputs = logic.loadCase(logic.demoCase())
            node = logic.getParameterNode().parameterNode
            steps = CaseExport(Path(slicer.app.temporaryPath) / "RadGSRegTest").steps(inputs, node)
            *_steps, written = steps
            assert written is not None
            before, after = read_case_file(logic.demoCase()), read_case_file(written)
        finally:
            logic.cleanup()
        self.assertEqual([level for level, _ in after.levels], [level for level, _ in before.levels])
        for old, new in zip(before.views, after.views, strict=True):
            np.testing.assert_allclose(new.detector_to_ras[:, [0, 1, 3]], old.detector_to_ras[:, [0, 1, 3]], atol=1e-6)
            np.testing.assert_allclose(after.clicks["L3"][new.name], before.clicks["L3"][old.name], atol=1e-6)
