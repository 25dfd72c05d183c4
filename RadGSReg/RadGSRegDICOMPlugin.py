"""DICOM X-rays from Slicer's DICOM browser: they come as X-rays of RadGS-Reg, with the geometry in their attributes.

Slicer reads this file each time it starts: what costs time is imported when something is examined.
"""

import slicer
from DICOMLib import DICOMLoadable, DICOMPlugin
from slicer.i18n import tr as _

from RadGSRegLib.slicer_version import is_too_old

#: Modalities of single X-rays and of runs.
MODALITIES = ("XA", "RF", "DX", "CR", "RG")

#: Slicer's own plugins say 0.5 for volumes and 0.7 for image sequences. A single X-ray whose geometry is complete is
#: best loaded with it; one without, and a run, of which one frame is wanted, as the user says.
COMPLETE, RUN, INCOMPLETE = 0.8, 0.6, 0.45


class RadGSRegDICOMPluginClass(DICOMPlugin):
    """Offers X-rays with their C-arm's geometry, and loads them as the module's X-rays."""

    def __init__(self):
        super().__init__()
        self.loadType = _("X-ray with geometry (RadGS-Reg)")
        self.tags["modality"] = "0008,0060"
        self.tags["rows"] = "0028,0010"
        self.tags["instanceUID"] = "0008,0018"

    def examineForImport(self, fileLists):
        """Says how the files of one series after the other could be loaded.

        Args:
            fileLists: Lists of paths, one list for a series.
        """
        loadables = []
        for files in fileLists:
            cached = self.getCachedLoadables(files)
            if cached is None:
                cached = self.examineFiles(files)
                self.cacheLoadables(files, cached)
            loadables += cached
        return loadables

    def examineFiles(self, files):
        """Says the same for the files of one series, an X-ray each."""
        loadables = [self._loadable(file) for file in files if self._isXray(file)]
        return [loadable for loadable in loadables if loadable is not None]

    def load(self, loadable):
        """Brings an X-ray into the scene, and makes it and its pair in the study the module's, where it has none.

        Returns:
            The volume; False where it could not be loaded, or the user left the choice of a frame.
        """
        from pathlib import Path

        from radgs.errors import RadgsError
        from RadGSRegLib.scene import dicom_xrays

        path = Path(loadable.files[0])
        try:
            frame = self._frame(path)
            if frame is None:
                return False
            volume = dicom_xrays.add_dicom_xray(path, frame)
        except RadgsError as error:
            slicer.util.errorDisplay(str(error))
            return False
        volume.SetAttribute("DICOM.instanceUIDs", slicer.dicomDatabase.fileValue(str(path), self.tags["instanceUID"]))
        self.addSeriesInSubjectHierarchy(loadable, volume)
        self._makeInputs(volume)
        slicer.util.setSliceViewerLayers(background=volume, fit=True)
        return volume

    def _isXray(self, file):
        database = slicer.dicomDatabase
        modality, rows = (database.fileValue(file, self.tags[tag]) for tag in ("modality", "rows"))
        return modality in MODALITIES and bool(rows)

    def _loadable(self, file):
        """What is offered for one file; None for one whose rays do not come from one point."""
        from pathlib import Path

        from radgs.errors import RadgsError
        from radgs.io.dicom_geometry import read_dicom_view
        from RadGSRegLib.sections.frame_dialog import frames_of

        try:
            frames = frames_of(Path(file))
            view = read_dicom_view(Path(file), 0)
        except RadgsError:
            return None
        loadable = DICOMLoadable()
        loadable.files = [file]
        loadable.name = self._name(file, frames)
        said = [*view.said, *(_("Taken to be so: {what}").format(what=sentence) for sentence in view.assumed)]
        loadable.tooltip = "\n".join([_("X-ray with the geometry of its C-arm, for RadGS-Reg"), *said])
        if view.missing:
            text = _("The file does not say its geometry: {missing}. RadGS-Reg will ask for it.")
            loadable.warning = text.format(missing=", ".join(view.missing))
        elif frames > 1:
            loadable.warning = _("A run: one frame of it is asked for.")
        loadable.confidence = RUN if frames > 1 else INCOMPLETE if view.missing else COMPLETE
        loadable.selected = loadable.confidence == COMPLETE
        return loadable

    def _name(self, file, frames):
        number, description, modality = (
            slicer.dicomDatabase.fileValue(file, self.tags[tag])
            for tag in ("seriesNumber", "seriesDescription", "modality")
        )
        name = ": ".join(part for part in (number, description or modality) if part)
        return _("{name} ({frames} frames)").format(name=name, frames=frames) if frames > 1 else name

    @staticmethod
    def _frame(path):
        """Which frame is meant; the first of a run where there is nobody to ask. None where the user leaves."""
        from RadGSRegLib.sections.frame_dialog import choose_frame

        window = slicer.util.mainWindow()
        return 0 if window is None else choose_frame(path, window)

    @staticmethod
    def _makeInputs(volume):
        from RadGSRegLib.logic import RadGSRegLogic
        from RadGSRegLib.scene import dicom_xrays

        logic = RadGSRegLogic()
        try:
            dicom_xrays.make_inputs(logic.getParameterNode(), volume)
        finally:
            logic.cleanup()


class RadGSRegDICOMPlugin:
    """What Slicer finds in this file: a module without a panel, which tells the DICOM module of the plugin."""

    def __init__(self, parent):
        parent.title = "RadGS-Reg DICOM X-ray Plugin"  # developers alone see it
        parent.categories = ["Developer Tools.DICOM Plugins"]
        parent.contributors = ["RadGSReg contributors"]
        parent.helpText = "Loads DICOM X-rays with their geometry. It has no panel: it serves the DICOM module."
        parent.acknowledgementText = ""
        parent.hidden = True
        if is_too_old():
            return
        if not hasattr(slicer.modules, "dicomPlugins"):  # this module may come before the DICOM module
            slicer.modules.dicomPlugins = {}
        slicer.modules.dicomPlugins["RadGSRegDICOMPlugin"] = RadGSRegDICOMPluginClass
