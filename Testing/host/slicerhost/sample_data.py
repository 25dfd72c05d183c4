"""A stand-in for the Sample Data module: what may be registered, and what its buttons and scripts then do with it."""

from __future__ import annotations

import types
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import slicer

PARALLEL = ("uris", "fileNames", "nodeNames", "loadFileTypes")


class SampleDataLogic:
    @staticmethod
    def registerCustomSampleDataCategory(category: str, title: str) -> None:  # noqa: N802
        """Names a category."""
        slicer.modules.sampleDataSourceCategories = {category: {"title": title}}

    @staticmethod
    def registerCustomSampleDataSource(  # noqa: N802
        category: str = "Custom",
        sampleName: str | None = None,  # noqa: N803
        uris: Any = None,
        fileNames: Any = None,  # noqa: N803
        nodeNames: Any = None,  # noqa: N803
        customDownloader: Callable[[Any], None] | None = None,  # noqa: N803
        thumbnailFileName: str | None = None,  # noqa: N803
        loadFileTypes: Any = None,  # noqa: N803
        loadFiles: Any = None,  # noqa: N803
        loadFileProperties: Any = None,  # noqa: N803
        checksums: Any = None,
    ) -> None:
        """Adds a source, once: it is known by all it says. Its parallel lists have to be of one length."""
        source = types.SimpleNamespace(**{name: value for name, value in locals().items() if name != "category"})
        assert len({len(getattr(source, name)) for name in PARALLEL}) == 1
        assert all(Path(unquote(urlparse(uri).path)).is_file() for uri in uris)
        registered = slicer.modules.__dict__.setdefault("sampleDataSources", {}).setdefault(category, [])
        if str(source) not in map(str, registered):
            registered.append(source)


def module() -> types.ModuleType:
    """What ``import SampleData`` finds in Slicer."""
    made = types.ModuleType("SampleData")
    made.SampleDataLogic = SampleDataLogic
    return made
