"""What is missing before anything else: a row at the top that is not there when all is well."""

from __future__ import annotations

from typing import Any

from slicer.i18n import tr as _

from radgs.errors import RadgsError
from RadGSRegLib.engine.dependencies import Libraries
from RadGSRegLib.sections.section import Section
from RadGSRegLib.sections.texts import put_text


class DependenciesSection(Section):
    """Says what the engine lacks, asks, and installs it."""

    def connect(self) -> None:
        """Connects the button."""
        self.ui.installButton.connect("clicked(bool)", self._install)

    def follow(self, parameters: Any) -> None:
        """The row is seen while something is missing."""
        libraries, installing = self.logic.dependencies.libraries(), self.logic.dependencies.installing
        self.ui.dependenciesFrame.setVisible(installing or not libraries.complete)
        if not installing:
            self.ui.dependenciesLabel.text = _what_is_missing(libraries)
        self.ui.installButton.enabled = not (installing or libraries.unfit)
        self.ui.installButton.toolTip = (
            _("What 3D Slicer itself brings is not replaced") if libraries.unfit else _("Asks before it does anything")
        )

    def _install(self) -> None:
        if not self.panel.confirm(_question(self.logic.dependencies.look())):
            self.panel.say(_("Nothing was installed. The engine cannot run until its libraries are there."))
            return
        self.panel.say("")
        self.ui.installButton.enabled = False
        try:
            # No waiting cursor: pip's progress and PyTorch's questions are dialogs, which would be under it.
            loaded = self.logic.installDependencies(self._tell)
        except RadgsError as error:
            self.panel.say_error(error)
        else:
            restart = _("Installed. Restart 3D Slicer, which has older ones loaded: {names}").format(
                names=", ".join(loaded)
            )
            self.panel.say(restart if loaded else _("Installed."))
        self.panel.refresh()

    def _tell(self, line: str) -> None:
        put_text(self.ui.dependenciesLabel, line)


def _what_is_missing(libraries: Libraries) -> str:
    if libraries.unfit:
        return str(_("RadGS-Reg cannot run in this 3D Slicer: {why}").format(why="; ".join(libraries.unfit)))
    return str(_("RadGS-Reg needs Python packages that are missing: {names}").format(names=libraries.names))


def _question(libraries: Libraries) -> str:
    text = _(
        "RadGS-Reg computes in a process of its own, with these Python packages: {names}. They will be downloaded and "
        "installed into 3D Slicer's Python{size}. What 3D Slicer brings there (numpy, scipy, SimpleITK, pydicom and "
        "others) stays as it is, and so does a torch that is there.\n\n"
        "Install them now?"
    )
    size = _(", for PyTorch some hundred megabytes to several gigabytes") if libraries.torch else ""
    return str(text.format(names=libraries.names_with_optional, size=size))
