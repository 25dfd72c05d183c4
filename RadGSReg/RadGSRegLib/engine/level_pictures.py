"""Levels as pictures and as a page, drawn by the engine: what a script, or the panel, asks of the module's logic.

What needs numerical libraries is imported where it is used, as in ``RadGSRegLib.logic``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from radgs.errors import RadgsError
    from radgs.geometry import RigidTransform
    from RadGSRegLib.engine.case_export import CaseExport
    from RadGSRegLib.engine.exposure_run import ExposureDrawing, ExposureRequest
    from RadGSRegLib.engine.live_run import LiveDrawing, LiveRequest
    from RadGSRegLib.engine.overlay_run import OverlayDrawing
    from RadGSRegLib.engine.worker_client import WorkerClient
    from RadGSRegLib.scene.case_inputs import CaseInputs


class LevelPictures:
    """The part of ``RadGSRegLogic`` that draws, whole or while a pose is moved, and writes reports."""

    worker: WorkerClient
    _export: CaseExport
    _folder: Path
    _overlays: OverlayDrawing
    _moved: LiveDrawing
    _exposures: ExposureDrawing

    if TYPE_CHECKING:  # the logic's own

        def _storedParameters(self) -> Any: ...

        def _refuseWhileAtWork(self) -> None: ...

    def draw(
        self,
        inputs: CaseInputs,
        level: str,
        poses: Mapping[str, RigidTransform],
        done: Callable[[Path], None],
        failed: Callable[[RadgsError], None],
        reconstruction: Any = None,
    ) -> None:
        """Asks for pictures of a level at its start and at other poses, and returns at once.

        A newer request takes the place of one that has not been drawn; a registration takes the place of all.

        Args:
            inputs: A ``RadGSRegLib.scene.case_inputs.CaseInputs``.
            level: The level's name.
            poses: ``ct_to_world`` by name, as ``radgs.geometry.RigidTransform``; {} for the start alone.
            done: Called with the folder that holds overlay.json, see ``radgs.overlay.pictures``.
            failed: Called instead, with a ``RadgsError``.
            reconstruction: The volume that the level's run reconstructed; its own projection is drawn too.
        """
        from RadGSRegLib.engine.overlay_run import OverlayRequest

        written = None if reconstruction is None else self._export.reconstruction(reconstruction)
        request = OverlayRequest(inputs, level, poses, written, done, failed)
        self._overlays.request(request, self._storedParameters())

    @property
    def drawing(self) -> bool:
        """Whether pictures are being drawn; they may be given up for other work, and nobody is told."""
        return self._overlays.at_work

    @property
    def drawingMoved(self) -> bool:
        """Whether a pose that is moved is being drawn; the same holds."""
        return self._moved.at_work

    def drawMoved(self, request: LiveRequest) -> None:
        """Asks for a picture of a pose while it is moved, and returns at once; of several poses the newest is drawn.

        Pictures that ``draw`` was asked for and has not finished are given up.

        Args:
            request: A ``RadGSRegLib.engine.live_run.LiveRequest``.
        """
        self._overlays.drop()
        self._moved.request(request, self._storedParameters())

    def stopDrawingMoved(self) -> None:
        """Nothing is moved any more: what was asked for is given up, and the next pose finds the case written anew."""
        self._moved.drop()

    def drawExposures(self, request: ExposureRequest) -> None:
        """Asks for X-rays beside the DRRs that geometries would give, and returns at once; the newest is drawn.

        Args:
            request: A ``RadGSRegLib.engine.exposure_run.ExposureRequest``.
        """
        self._exposures.request(request, self._storedParameters())

    @property
    def drawingExposures(self) -> bool:
        """Whether geometries are being drawn."""
        return self._exposures.at_work

    def stopDrawingExposures(self) -> None:
        """Nobody looks any more: what was asked for is given up."""
        self._exposures.drop()

    def report(
        self,
        inputs: CaseInputs,
        path: str | Path,
        done: Callable[[Path], None],
        failed: Callable[[RadgsError], None],
    ) -> None:
        """Begins to write the registered levels of the inputs as a page for a browser, and returns at once.

        Args:
            inputs: A ``RadGSRegLib.scene.case_inputs.CaseInputs``; levels that have not been registered are left out.
            path: The .html to write.
            done: Called with it.
            failed: Called instead, with a ``RadgsError``.

        Raises:
            RadgsError: Something else is under way, no level has been registered, or one is not as it was.
        """
        from RadGSRegLib.engine.report_run import ReportRun, reported_levels

        self._refuseWhileAtWork()
        self._dropPictures()
        result = reported_levels(inputs)
        run = ReportRun(self.worker, self._export, self._folder / "report", done, failed)
        run.start(inputs, result, Path(path).absolute(), self._storedParameters())

    def _dropPictures(self) -> None:
        self._overlays.drop()
        self._moved.drop()
        self._exposures.drop()
