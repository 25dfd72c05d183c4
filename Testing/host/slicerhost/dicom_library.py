"""A stand-in for ``DICOMLib``, Slicer's DICOM database, and how the DICOM browser examines and loads.

Read from Modules/Scripted/DICOMLib/DICOMPlugin.py and DICOMUtils.py (getLoadablesFromFileLists,
selectHighestConfidenceLoadables, loadLoadables) and from Widgets/qSlicerDICOMLoadable.h of Slicer 5.10; main agrees in
what is used here. The database is ctkDICOMDatabase's ``fileValue`` and ``fileForInstance``: texts, empty where there is
nothing.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pydicom
import slicer

from slicerhost import scripted_module, slicer_source

#: Confidences at which Slicer's own plugins offer X-rays: image sequences for XA and RF, scalar volumes for anything.
SEQUENCE, VOLUME = 0.7, 0.5


class DICOMLoadable:
    """What a plugin offers; plugins of Slicer add attributes of their own, this module's does not."""

    __slots__ = ("confidence", "files", "loadSuccess", "name", "selected", "tooltip", "warning")

    def __init__(self) -> None:
        self.files: list[str] = []
        self.name, self.tooltip, self.warning = "Unknown", "No further information available", ""
        self.selected, self.confidence = False, 0.5


class DICOMPlugin:
    """The class that plugins derive from."""

    def __init__(self) -> None:
        self.loadType = "Generic DICOM"
        self.loadableCache: dict[bytes, list[Any]] = {}
        self.tags = {"seriesDescription": "0008,103E", "seriesNumber": "0020,0011", "frameOfReferenceUID": "0020,0052"}

    def hashFiles(self, files: Sequence[str]) -> bytes:  # noqa: N802
        return hashlib.md5("".join(files).encode()).digest()

    def getCachedLoadables(self, files: Sequence[str]) -> Any:  # noqa: N802
        return self.loadableCache.get(self.hashFiles(files))

    def cacheLoadables(self, files: Sequence[str], loadables: list[Any]) -> None:  # noqa: N802
        self.loadableCache[self.hashFiles(files)] = loadables

    def examineForImport(self, fileList: Sequence[Sequence[str]]) -> list[Any]:  # noqa: N802, N803
        return []

    def examine(self, fileList: Sequence[Sequence[str]]) -> list[Any]:  # noqa: N803
        return self.examineForImport(fileList)

    def load(self, loadable: Any) -> Any:
        return True

    def addSeriesInSubjectHierarchy(self, loadable: Any, dataNode: Any) -> None:  # noqa: N802, N803
        """Series, study and patient as items, as far as they hold nodes together."""
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
        uid = slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMUIDName()
        file = loadable.files[0]
        series, study, patient = (
            slicer.dicomDatabase.fileValue(file, tag) for tag in ("0020,000E", "0020,000D", "0010,0020")
        )
        item = hierarchy.CreateItem(hierarchy.GetSceneItemID(), dataNode)
        hierarchy.SetItemUID(item, uid, series)
        logic = slicer.vtkSlicerSubjectHierarchyModuleLogic
        logic.InsertDicomSeriesInHierarchy(hierarchy, patient or f"Patient-{study}", study, series)


class Database:
    """The part of ctkDICOMDatabase that is asked here: values of every file there is, places of the inserted ones."""

    def __init__(self) -> None:
        self._files: dict[str, str] = {}

    def insert(self, file: str) -> None:
        self._files[self.fileValue(file, "0008,0018")] = file

    def fileForInstance(self, uid: str) -> str:  # noqa: N802
        return self._files.get(uid, "")

    def fileValue(self, file: str, tag: str) -> str:  # noqa: N802
        group, element = (int(part, 16) for part in tag.split(","))
        dataset = pydicom.dcmread(file, stop_before_pixels=True)
        found = dataset.get((group, element))
        value = None if found is None else found.value
        if value is None:
            return ""
        return "\\".join(str(part) for part in value) if isinstance(value, pydicom.multival.MultiValue) else str(value)


def examine(file_lists: Sequence[Sequence[Path]]) -> dict[Any, list[Any]]:
    """What every plugin offers for the series that the user marked, by plugin, the most confident selected."""
    lists = [[str(file) for file in files] for files in file_lists]
    for file in (file for files in lists for file in files):  # the browser shows what was imported
        slicer.dicomDatabase.insert(file)
    offered = {}
    for make in slicer.modules.dicomPlugins.values():
        plugin = make()
        offered[plugin] = plugin.examineForImport(lists) or plugin.examine(lists)
    by_series: dict[str, list[Any]] = {}
    for loadable in (each for several in offered.values() for each in several):
        series = slicer.dicomDatabase.fileValue(loadable.files[0], "0020,000E")
        by_series.setdefault(series, []).append(loadable)
    for several in by_series.values():
        best = max(loadable.confidence for loadable in several)
        for loadable in several:
            loadable.selected = loadable.confidence == best
    return offered


def load(offered: dict[Any, list[Any]]) -> list[str]:
    """Loads what is selected; returns what could not be loaded, as the browser tells it."""
    failed = []
    for plugin, several in offered.items():
        for loadable in several:
            if loadable.selected:
                loadable.loadSuccess = bool(plugin.load(loadable))
                if not loadable.loadSuccess:
                    failed.append(f"Could not load: {loadable.name} as a {plugin.loadType}")
    return failed


class OwnPlugin(DICOMPlugin):
    """How Slicer's own plugins offer an X-ray, to be chosen or not."""

    def examineForImport(self, fileList: Sequence[Sequence[str]]) -> list[Any]:  # noqa: N802, N803
        loadables = []
        for file in (file for files in fileList for file in files):
            loadable = DICOMLoadable()
            loadable.files, loadable.name = [file], "Slicer's own"
            sequence = slicer.dicomDatabase.fileValue(file, "0008,0060") in ("XA", "RF")
            loadable.selected, loadable.confidence = True, SEQUENCE if sequence else VOLUME
            loadables.append(loadable)
        return loadables


class PluginParent:
    """What the application hands a module without a panel; other names are refused."""

    __slots__ = ("acknowledgementText", "categories", "contributors", "helpText", "hidden", "name", "path", "title")


def install() -> None:
    """Puts the stand-ins where plugins look for them; Slicer's own class where its source tree is at hand."""
    library = sys.modules["DICOMLib"] = types.ModuleType("DICOMLib")
    library.DICOMPlugin, library.DICOMLoadable = DICOMPlugin, DICOMLoadable  # type: ignore[attr-defined]
    slicer.dicomDatabase = Database()
    slicer.modules.dicomPlugins = {"OwnPlugin": OwnPlugin}
    own = slicer_source.folder()
    if own is None:
        return
    path = own.parents[2] / "Modules" / "Scripted" / "DICOMLib" / "DICOMPlugin.py"
    spec = importlib.util.spec_from_file_location("DICOMLib.DICOMPlugin", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    # Its own asks for the subject hierarchy's plugins, which are the application's.
    module.DICOMPlugin.addSeriesInSubjectHierarchy = DICOMPlugin.addSeriesInSubjectHierarchy
    library.DICOMPlugin, library.DICOMLoadable = module.DICOMPlugin, module.DICOMLoadable  # type: ignore[attr-defined]


def load_plugin(path: Path) -> Any:
    """Loads a plugin's file as the application loads a module, and returns the plugin's class."""
    module = scripted_module.load_file(path)
    getattr(module, path.stem)(PluginParent())
    return slicer.modules.dicomPlugins[path.stem]
