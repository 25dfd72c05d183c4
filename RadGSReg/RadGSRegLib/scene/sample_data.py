"""The bundled phantom in Slicer's Sample Data module: made from files of this module, without a download."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from RadGSRegLib.slicer_version import is_too_old

MODULE_FOLDER = Path(__file__).resolve().parents[2]
DEMO_FOLDER = MODULE_FOLDER / "radgs" / "data" / "demo"
THUMBNAIL = MODULE_FOLDER / "Resources" / "Icons" / "RadGSRegPhantom.png"

CATEGORY = "RadGS-Reg"
SAMPLE = "RadGSRegPhantom"

#: File, the node's name and its type, for a script that asks Sample Data for the sample: images without their geometry.
FILES = (("ct.nii.gz", "CT", "VolumeFile"), ("labels.nii.gz", "Vertebrae", "SegmentationFile"))


def register_sample_data(load: Callable[[Any], None]) -> None:
    """Adds the phantom to Sample Data; where that module is absent or 3D Slicer too old, does nothing.

    Args:
        load: Brings the whole case into the scene; called with the source when the user presses the phantom's button.
            The same function every time: Sample Data knows by it that the phantom is there already.
    """
    if is_too_old():
        return
    try:
        from SampleData import SampleDataLogic
    except ImportError:
        logging.info("RadGS-Reg: there is no Sample Data module to add the phantom to.")
        return
    if hasattr(SampleDataLogic, "registerCustomSampleDataCategory"):  # since 5.12
        SampleDataLogic.registerCustomSampleDataCategory(CATEGORY, title=_("RadGS-Reg"))
    SampleDataLogic.registerCustomSampleDataSource(
        category=CATEGORY,
        sampleName=SAMPLE,
        thumbnailFileName=str(THUMBNAIL),
        uris=[(DEMO_FOLDER / file).as_uri() for file, _name, _type in FILES],
        fileNames=[f"{SAMPLE}-{file}" for file, _name, _type in FILES],
        nodeNames=[name for _file, name, _type in FILES],
        loadFileTypes=[kind for _file, _name, kind in FILES],
        customDownloader=load,
    )
