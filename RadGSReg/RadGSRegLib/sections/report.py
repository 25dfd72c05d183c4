"""The button that writes the registered levels as a page for a browser, and opens it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import qt
from slicer.i18n import tr as _

from radgs.errors import RadgsError
from RadGSRegLib.engine.result_import import result_of
from RadGSRegLib.review.readiness import what_is_missing
from RadGSRegLib.scene.levels import level_transforms
from RadGSRegLib.sections.section import Section


class ReportSection(Section):
    """One button, beside the pictures that the page shows too."""

    def connect(self) -> None:
        """Connects the button."""
        self._writing = False
        self._tooltip = self.ui.reportButton.toolTip
        self.ui.reportButton.connect("clicked(bool)", self._press)

    def follow(self, parameters: Any) -> None:
        """The button can be pressed once one of the levels ticked has been registered."""
        why_not = self._why_not(parameters)
        button = self.ui.reportButton
        button.enabled = why_not is None
        button.toolTip = self._tooltip if why_not is None else why_not

    def let_go(self) -> None:
        """What is being written is nothing to the next scene."""
        self._writing = False

    def _why_not(self, parameters: Any) -> str | None:
        if self._writing:
            return _("The report is being written")
        if self.logic.running or self.logic.preparing:
            return _("The engine is at work")
        transforms = {} if parameters.ct is None else level_transforms(parameters.ct)
        if not any(level in transforms and result_of(transforms[level]) for level in parameters.segments):
            return _("There is something to report once a level has been registered")
        todo = what_is_missing(self.logic.inputs(), parameters)
        return todo[0] if todo else None

    def _press(self) -> None:
        inputs = self.logic.inputs()
        proposed = Path.home() / f"{'_'.join(inputs.segments)}_report.html"
        path = qt.QFileDialog.getSaveFileName(
            self.ui.reportButton, _("Write a report"), str(proposed), _("Web pages (*.html)")
        )
        if not path:
            return
        chosen = Path(path)
        if chosen.suffix.lower() not in (".html", ".htm"):
            chosen = chosen.with_name(f"{chosen.name}.html")
        self._writing = True
        try:
            self.logic.report(inputs, chosen, self._written, self._failed)
        except RadgsError as error:
            self._failed(error)
            return
        self.panel.refresh()

    def _written(self, path: Path) -> None:
        self._writing = False
        self.panel.announce(_("report written: {path}").format(path=path.name))
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(path)))
        self.panel.refresh()

    def _failed(self, error: RadgsError) -> None:
        self._writing = False
        self.panel.say_error(error)
        self.panel.refresh()
