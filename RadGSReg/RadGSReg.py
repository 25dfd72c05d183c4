"""The scripted module as Slicer loads it: what it is called, its panel, and its self-test."""

from pathlib import Path

import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)


class RadGSReg(ScriptedLoadableModule):
    """What Slicer shows of the module before it is opened."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("RadGS-Reg")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Registration")]
        self.parent.dependencies = []
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


class RadGSRegWidget(ScriptedLoadableModuleWidget):
    """The panel: says what the module is and how the engine is run."""

    def __init__(self, parent=None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        self.logic = None

    def setup(self) -> None:
        """Called by Slicer when the panel is opened for the first time."""
        ScriptedLoadableModuleWidget.setup(self)
        uiWidget = slicer.util.loadUI(self.resourcePath("UI/RadGSReg.ui"))
        self.layout.addWidget(uiWidget)
        self.ui = slicer.util.childWidgetVariables(uiWidget)
        uiWidget.setMRMLScene(slicer.mrmlScene)

        self.logic = RadGSRegLogic()
        self.ui.engineLabel.text = _("radgs {version}, in {folder}").format(
            version=self.logic.engineVersion(), folder=self.logic.engineFolder()
        )


class RadGSRegLogic(ScriptedLoadableModuleLogic):
    """What the module knows without a panel."""

    def engineFolder(self) -> Path:
        """The folder that holds the engine's package ``radgs``: the one this file is in."""
        return Path(__file__).resolve().parent

    def engineVersion(self) -> str:
        """The engine's version. ``radgs`` itself is light: this loads no numerical library."""
        import radgs

        return radgs.__version__


class RadGSRegTest(ScriptedLoadableModuleTest):
    """The module's self-test, run by Slicer's Reload and Test and by its build."""

    def setUp(self) -> None:
        """Starts from an empty scene."""
        slicer.mrmlScene.Clear()

    def runTest(self) -> None:
        """Runs every test of the module."""
        self.setUp()
        self.test_theEngineThatIsFoundIsTheOneInstalledHere()
        self.test_openingThePanelShowsTheEnginesVersion()

    def test_theEngineThatIsFoundIsTheOneInstalledHere(self) -> None:
        """A copy of ``radgs`` from elsewhere on the path would not fit this module."""
        import radgs

        self.assertEqual(Path(radgs.__file__).resolve().parent.parent, RadGSRegLogic().engineFolder())

    def test_openingThePanelShowsTheEnginesVersion(self) -> None:
        """The panel loads, with its texts in place."""
        panel = slicer.util.getModuleWidget("RadGSReg")
        self.assertIn(panel.logic.engineVersion(), panel.ui.engineLabel.text)
        self.delayDisplay("Test passed")
