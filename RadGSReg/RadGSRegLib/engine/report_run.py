"""One report, from the scene to a page on the disk: the case and the result are written, the worker does the rest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import qt

from radgs.case import RegistrationResult
from radgs.errors import ExportError, RadgsError
from RadGSRegLib.engine.case_export import CaseExport
from RadGSRegLib.engine.stepwise import walk
from RadGSRegLib.engine.worker_client import Reply, WorkerClient
from RadGSRegLib.export.registered_levels import kept_levels
from RadGSRegLib.scene.case_inputs import CaseInputs

#: How long to wait before asking an engine again that was busy, milliseconds.
BUSY_MS = 20


def reported_levels(inputs: CaseInputs) -> RegistrationResult:
    """The result that a report of these inputs is about, as the levels' transforms keep it, also in a saved scene.

    Raises:
        ExportError: None of the levels has been registered, or one does not stand as it was registered.
    """
    known = kept_levels(inputs.ct)
    kept = [known[level] for level in inputs.segments if level in known]
    if not kept:
        raise ExportError("None of the levels ticked has been registered.", "Register them first.")
    for level in kept:
        found_nothing = level.result.ct_to_world is None and level.provenance.result_sha256 is not None
        if level.obstacle is not None and not found_nothing:  # that no pose was found can be reported
            raise ExportError(f"{level.level} cannot be reported: {level.obstacle.why}.", level.obstacle.remedy)
    cases = {level.provenance.case_sha256 for level in kept}
    return RegistrationResult(
        levels={level.level: level.result for level in kept},
        case_sha256=cases.pop() if len(cases) == 1 else None,
        versions=kept[0].provenance.versions,
    )


class ReportRun:
    """Writes case and result, and has the worker make the page.

    Args:
        worker: The engine's process.
        export: Where cases are written.
        folder: Where the result goes for the worker to read.
        done: Called once, with the page's path.
        failed: Called once instead.
    """

    def __init__(
        self,
        worker: WorkerClient,
        export: CaseExport,
        folder: Path,
        done: Callable[[Path], None],
        failed: Callable[[RadgsError], None],
    ) -> None:
        self._worker, self._export, self._folder = worker, export, folder
        self._done, self._failed = done, failed

    def start(self, inputs: CaseInputs, result: RegistrationResult, out: Path, parameter_node: Any) -> None:
        """Begins; everything else happens from the event loop.

        Args:
            inputs: The case.
            result: What is reported.
            out: The page to write.
            parameter_node: The module's vtkMRMLScriptedModuleNode.

        Raises:
            RadgsError: The result cannot be written, or the worker cannot be started.
        """
        self._worker.start()
        result.save(self._folder)
        steps = self._export.steps(inputs, parameter_node)
        walk(steps, lambda case: self._ask(case, out), self._failed, lambda: True)

    def _ask(self, case: Path, out: Path) -> None:
        if self._worker.busy:
            qt.QTimer.singleShot(BUSY_MS, lambda: self._ask(case, out))
            return
        reply = Reply(lambda message: None, lambda message: self._done(Path(message["report"])), self._failed)
        self._worker.request("report", reply, case=str(case), result=str(self._folder), out=str(out))
