"""The module's logic: what a script, or the panel, asks of it.

What needs numerical libraries (the other files here, and radgs) is imported where it is used: Slicer reads this file
each time it starts, and the libraries would add a second.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import slicer
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic
from slicer.util import VTKObservationMixin

from RadGSRegLib.engine.level_pictures import LevelPictures
from RadGSRegLib.export.level_exports import LevelExports
from RadGSRegLib.parameters import parameters_of

if TYPE_CHECKING:
    from radgs.case import RegistrationResult
    from radgs.errors import RadgsError
    from radgs.geometry import FloatArray
    from RadGSRegLib.engine.preparation_run import PreparationListener, PreparationRun
    from RadGSRegLib.engine.registration_run import RegistrationRun, RunListener
    from RadGSRegLib.scene.case_inputs import CaseInputs


class RadGSRegLogic(LevelExports, LevelPictures, ScriptedLoadableModuleLogic, VTKObservationMixin):
    """Registrations from a script or from the panel; the engine runs in a process of its own.

    Example, for Slicer's Python console::

        import RadGSReg

        logic = RadGSReg.RadGSRegLogic()
        inputs = logic.loadCase(logic.demoCase())  # CT, segmentation, two X-rays and clicks, as nodes
        result = logic.register(inputs)  # the application stays alive; the CT then stands where the X-rays show L3
        print(result.levels["L3"].verdict, result.levels["L3"].ct_to_world.matrix)
        logic.revert(inputs)  # CT and segmentation back where they were
        logic.cleanup()

    Args:
        python: The interpreter that runs the engine; PythonSlicer where none is named.
    """

    def __init__(self, python: str | None = None) -> None:
        ScriptedLoadableModuleLogic.__init__(self)
        VTKObservationMixin.__init__(self)
        from RadGSRegLib.engine.case_export import CaseExport
        from RadGSRegLib.engine.dependencies import Dependencies
        from RadGSRegLib.engine.exposure_run import ExposureDrawing
        from RadGSRegLib.engine.kept_runs import KeptRuns
        from RadGSRegLib.engine.live_run import LiveDrawing
        from RadGSRegLib.engine.overlay_run import OverlayDrawing
        from RadGSRegLib.engine.session_folder import SessionFolder
        from RadGSRegLib.engine.worker_client import WorkerClient

        self._session = SessionFolder(Path(slicer.app.temporaryPath))
        self._folder = self._session.path
        self._export = CaseExport(self._folder)
        self._keptRuns = KeptRuns(self._folder / "runs")
        self._run: RegistrationRun | None = None
        self._preparation: PreparationRun | None = None
        #: The engine's process; its words go to Slicer's Python console only when it fails.
        self.worker = WorkerClient(python)
        #: The engine's libraries; of another interpreter nothing is known.
        self.dependencies = Dependencies()
        self._knowsInterpreter = python is None
        self._overlays = OverlayDrawing(self.worker, self._export, self._folder / "overlays")
        self._moved = LiveDrawing(self.worker, self._export, self._folder / "moved")
        self._exposures = ExposureDrawing(self.worker, self._export, self._folder / "exposures")
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self._onSceneStartClose)

    def getParameterNode(self) -> Any:
        """The module's parameters, a ``RadGSRegLib.parameters.RadGSRegParameterNode``."""
        return parameters_of(self._storedParameters())

    def _storedParameters(self) -> Any:
        """The node that keeps them in the scene."""
        return super().getParameterNode()

    def engineVersion(self) -> str:
        """The engine's version. ``radgs`` itself is light: this loads no numerical library."""
        import radgs

        return radgs.__version__

    def demoCase(self) -> Path:
        """Path of the bundled phantom's case.json: L3 of a synthetic spine, X-rays simulated."""
        return Path(__file__).resolve().parents[1] / "radgs" / "data" / "demo" / "case.json"

    def loadCase(self, path: str | Path) -> CaseInputs:
        """Adds the nodes of a case.json to the scene, makes them the module's inputs, and returns these.

        Raises:
            RadgsError: A file cannot be used; the message says why and what to do.
        """
        from RadGSRegLib.engine.case_import import import_case

        parameters = self.getParameterNode()
        inputs = import_case(Path(path), parameters.parameterNode)
        parameters.ct, parameters.segmentation = inputs.ct, inputs.segmentation
        parameters.segments = dict(inputs.segments)
        parameters.xray1, parameters.xray2 = inputs.xrays[:2]
        return inputs

    def inputs(self) -> CaseInputs:
        """The inputs as the module's parameters name them; some may be missing, see ``CaseInputs.missing``."""
        from RadGSRegLib.engine.patient_models import model_path
        from RadGSRegLib.scene.case_inputs import CaseInputs

        parameters = self.getParameterNode()
        models = [model_path(parameters, level) for level in parameters.segments]
        xrays = tuple(xray for xray in (parameters.xray1, parameters.xray2) if xray is not None)
        return CaseInputs(
            parameters.ct,
            parameters.segmentation,
            dict(parameters.segments),
            xrays,
            parameters.device,
            tuple(path for path in models if path is not None),
            transform_name=parameters.transformName,
            reconstruction_name=parameters.reconstructionName,
            output_transform=parameters.outputTransform if len(models) == 1 else None,
            output_volume=parameters.outputVolume if len(models) == 1 else None,
            self_calibrate=parameters.selfCalibrate,
        )

    def levels(self, segmentation: Any) -> dict[str, str]:
        """Segment ID by level, for the segments whose names speak of one ("vertebrae_L3"): for a user to confirm."""
        from RadGSRegLib.scene.segments import levels_of

        return levels_of(segmentation)

    def setSource(self, xray: Any, position: FloatArray) -> Any:
        """Puts an X-ray's focal spot at a world position (3), mm, and returns its fiducial."""
        from RadGSRegLib.scene.xray_nodes import set_source

        return set_source(xray, position)

    def setClick(self, level: str, xray: Any, position: FloatArray) -> Any:
        """Marks a level's vertebral body in an X-ray, where the ray through a world position (3) meets the detector."""
        from RadGSRegLib.scene.xray_nodes import set_click

        return set_click(self._storedParameters(), level, xray, position)

    def click(self, level: str, xray: Any) -> Any:
        """The fiducial that marks a level in an X-ray; None where there is none."""
        from RadGSRegLib.scene.xray_nodes import click_of

        return click_of(self._storedParameters(), level, xray)

    def clickGap(self, level: str, xrays: Sequence[Any]) -> float | None:
        """How far the rays of a level's clicks miss each other, mm; None before all are there.

        Raises:
            GeometryError: An X-ray has no geometry, or the rays are nearly parallel.
        """
        from RadGSRegLib.scene.xray_nodes import click_gap_mm

        return click_gap_mm(self._storedParameters(), level, xrays)

    def nodesToWatch(self) -> list[Any]:
        """The nodes whose changes the panel has to show: inputs, sources, clicks and the levels' transforms."""
        from RadGSRegLib.scene.levels import level_transforms
        from RadGSRegLib.scene.node_contract import SOURCE_ROLE
        from RadGSRegLib.scene.plan_lines import planned_lines

        inputs = self.inputs()
        nodes = [inputs.ct, inputs.segmentation, *inputs.xrays]
        nodes += [xray.GetNodeReference(SOURCE_ROLE) for xray in inputs.xrays]
        nodes += [self.click(level, xray) for level in inputs.segments for xray in inputs.xrays]
        nodes += [] if inputs.ct is None else level_transforms(inputs.ct).values()
        nodes += planned_lines(inputs.ct)
        return [node for node in nodes if node is not None]

    @property
    def running(self) -> bool:
        """Whether a registration is under way."""
        return self._run is not None and not self._run.over

    def start(self, inputs: CaseInputs, listener: RunListener | None = None) -> None:
        """Begins a registration and returns at once.

        Args:
            inputs: A ``RadGSRegLib.scene.case_inputs.CaseInputs``.
            listener: A ``RadGSRegLib.engine.registration_run.RunListener``, told of progress, result or failure.

        Raises:
            RadgsError: One is under way already, or the engine's process cannot be started.
        """
        from dataclasses import replace

        from RadGSRegLib.engine.registration_run import RegistrationRun, RunListener

        self._refuseWhileAtWork()
        self._dropPictures()
        folder = self._folder / "result"
        shutil.rmtree(folder, ignore_errors=True)
        told = listener or RunListener()

        def done(result: RegistrationResult) -> None:
            self._keptRuns.keep(folder)
            told.done(result)

        run = RegistrationRun(self.worker, self._export, folder, replace(told, done=done))
        run.start(inputs, self._storedParameters())
        self._run = run

    def register(self, inputs: CaseInputs, progress: Callable[[float, str], None] | None = None) -> RegistrationResult:
        """Registers, and returns the ``radgs.case.RegistrationResult`` once it is in the scene.

        Meanwhile the application's event loop runs on.

        Args:
            inputs: A ``RadGSRegLib.scene.case_inputs.CaseInputs``.
            progress: Called with the fraction done, 0 to 1, and a message.

        Raises:
            RadgsError: It failed or was cancelled; the message says why and what to do.
        """
        from dataclasses import replace

        from RadGSRegLib.engine.registration_run import RunListener
        from RadGSRegLib.engine.waiting import process_events_until

        outcome: list[RegistrationResult | RadgsError] = []
        listener = RunListener(done=outcome.append, failed=outcome.append)
        self.start(inputs, listener if progress is None else replace(listener, progress=progress))
        process_events_until(lambda: outcome)
        if isinstance(outcome[0], Exception):
            raise outcome[0]
        return outcome[0]

    def cancel(self) -> None:
        """Stops the registration under way; its listener hears of it within two seconds."""
        if self._run is not None and self.running:
            self._run.cancel()

    @property
    def preparing(self) -> bool:
        """Whether a preparation is under way."""
        return self._preparation is not None and not self._preparation.over

    def prepare(
        self,
        inputs: CaseInputs,
        level: str,
        path: str | Path,
        minutes: float,
        listener: PreparationListener | None = None,
    ) -> None:
        """Begins to prepare a model for a level of this patient and returns at once; X-rays are not needed.

        The same call takes up a preparation that was cancelled or killed. The model is remembered with the scene, and
        serves the level's next registration.

        Args:
            inputs: A ``RadGSRegLib.scene.case_inputs.CaseInputs``.
            level: The level's name.
            path: The file to write, ending in ".radgs.safetensors".
            minutes: Time budget.
            listener: A ``RadGSRegLib.engine.preparation_run.PreparationListener``.

        Raises:
            RadgsError: Something else is under way, or the engine's process cannot be started.
        """
        from dataclasses import replace

        from RadGSRegLib.engine.patient_models import set_model
        from RadGSRegLib.engine.preparation_run import PreparationListener, PreparationRequest, PreparationRun

        self._refuseWhileAtWork()
        self._dropPictures()
        told = listener or PreparationListener()

        def done(model: Any) -> None:
            set_model(self.getParameterNode(), model.level, model.path)
            told.done(model)

        run = PreparationRun(self.worker, self._export, replace(told, done=done))
        run.start(inputs, PreparationRequest(level, Path(path).absolute(), float(minutes)))
        self._preparation = run

    def cancelPreparation(self) -> None:
        """Ends the preparation gently: the best so far is kept, and its listener told when that is done."""
        if self._preparation is not None and self.preparing:
            self._preparation.cancel()

    def _refuseWhileAtWork(self) -> None:
        from RadGSRegLib.engine.worker_client import WorkerError

        if self.running:
            raise WorkerError("Busy", "A registration is under way.", "Wait until it has finished, or cancel it.")
        if self.preparing:
            raise WorkerError("Busy", "A preparation is under way.", "Wait until it has finished, or cancel it.")
        if self._knowsInterpreter:
            self.dependencies.check()

    def installDependencies(self, tell: Callable[[str], None] = lambda line: None) -> list[str]:
        """Installs the engine's libraries that are missing in Slicer's Python, where pip would; asks nothing.

        Never replaces what 3D Slicer brings, nor torch.

        Args:
            tell: Called with pip's lines.

        Returns:
            Names of packages of which Slicer has an older version loaded: restart it.

        Raises:
            RadgsError: It could not be done; the message says why and what to do.
        """
        loaded = self.dependencies.install(tell)
        self.worker.stop()  # an engine that runs already does not see them
        return loaded

    def restoreRun(self, inputs: CaseInputs, level: str, number: int) -> bool:
        """Gives a level the pose and the result of one of its runs, and shows what that run reconstructed.

        Args:
            inputs: A ``RadGSRegLib.scene.case_inputs.CaseInputs``.
            level: A level that has been registered.
            number: Of the run, from 0 for the oldest; see ``RadGSRegLib.review.history.runs_of``.

        Returns:
            Whether its reconstruction is there; it is kept until the application ends.

        Raises:
            CaseError: The level has not been registered.
        """
        from RadGSRegLib.review.history import restore_run, runs_of
        from RadGSRegLib.scene.levels import level_transform

        transform = level_transform(inputs.ct, level)
        restore_run(transform, runs_of(transform)[number])
        return self._keptRuns.restore(inputs, level)

    def setActiveLevel(self, inputs: CaseInputs, level: str) -> None:
        """Puts CT and segmentation under a registered level's transform.

        Raises:
            CaseError: The level has not been registered.
        """
        from RadGSRegLib.scene.levels import activate, level_transform

        activate(level_transform(inputs.ct, level), inputs.ct, inputs.segmentation)

    def revert(self, inputs: CaseInputs) -> None:
        """Puts CT and segmentation back under the parents they had before any registration; levels stay as they are."""
        from RadGSRegLib.scene.levels import revert

        revert(inputs.ct, inputs.segmentation)

    def cleanup(self) -> None:
        """Ends the engine's process and removes the files of the session; the logic is of no use afterwards."""
        self.removeObservers()
        self._dropPictures()
        self.stopStream()
        self.worker.stop()
        self._session.remove()

    def _onSceneStartClose(self, caller: Any = None, event: Any = None) -> None:
        from RadGSRegLib.engine.worker_client import WorkerError

        self._dropPictures()
        self.stopStream("the scene was closed")
        if self._run is not None and self.running:
            self._run.abandon(WorkerError("Cancelled", "The scene was closed.", "Load the data again, then register."))
        if self._preparation is not None and self.preparing:
            kept = "Load the data again and resume; the best so far is kept on disk."
            self._preparation.abandon(WorkerError("Cancelled", "The scene was closed.", kept))
