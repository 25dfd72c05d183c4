"""The demo case as a hospital's archive gives it: a CT series and two X-rays of a C-arm, all DICOM."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import slicer
from dicom_writing import CT_IMAGE, image, save
from dicom_xray_files import Exposure, write
from pydicom.uid import generate_uid

from radgs.anatomy import LABEL_NUMBERINGS
from radgs.case import RegistrationCase
from radgs.geometry import RigidTransform
from radgs.geometry.c_arm import c_arm_of
from radgs.io.volumes import read_ct

#: What the detector counts where nothing is in the beam; a little more than the brightest pixel of the demo.
UNATTENUATED = 60000


@dataclass(frozen=True, eq=False)
class ArchivedDemo:
    """What was written.

    Attributes:
        ct: The folder of the CT's slices.
        xrays: The two X-rays.
        clicks: Per view, where L3's body lies in it, (column, row).
        truth: L3's true pose.
        case: The case that it was made of.
    """

    ct: Path
    xrays: tuple[Path, Path]
    clicks: dict[str, tuple[float, float]]
    truth: RigidTransform
    case: RegistrationCase


def write_archive(demo: Path, folder: Path) -> ArchivedDemo:
    """Writes the demo case as DICOM.

    Args:
        demo: Its case.json.
        folder: Where; the CT gets a folder of its own in it.
    """
    case = RegistrationCase.load(demo)
    folder.mkdir(parents=True, exist_ok=True)
    xrays = []
    for view in case.views:
        exposure = c_arm_of(view.geometry)
        assert exposure is not None
        c_arm, isocentre = exposure
        np.testing.assert_allclose(isocentre, 0.0, atol=1e-6)
        stated = Exposure(
            "XA",
            round(c_arm.primary_deg, 6),
            round(c_arm.secondary_deg, 6),
            round(c_arm.source_to_detector_mm, 6),
            round(c_arm.source_to_isocentre_mm, 6),
            (round(c_arm.spacing_mm[1], 6), round(c_arm.spacing_mm[0], 6)),
            view.image.shape,
            flip=c_arm.turn.flipped,
        )
        counts = np.round(UNATTENUATED * np.exp(-np.maximum(view.image, 0.0))).astype(np.uint16)
        path = folder / f"xray {len(xrays) + 1}.dcm"
        xrays.append(write(path, stated, BitsStored=16, HighBit=15, PixelData=counts.tobytes()))
    clicks = dict(case.initial["L3"].clicks)
    return ArchivedDemo(_write_ct(case, folder / "CT"), (xrays[0], xrays[1]), clicks, case.truth["L3"], case)


def _write_ct(case: RegistrationCase, folder: Path) -> Path:
    """Axial slices, LPS, from the feet up."""
    volume, series = case.ct, generate_uid()
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ volume.index_to_ras
    column, row = lps[:3, 0] / volume.spacing[0], lps[:3, 1] / volume.spacing[1]
    for number, hu in enumerate(volume.array):
        dataset = image(
            CT_IMAGE,
            "CT",
            np.round(hu).astype(np.int32) + 2048,
            SeriesInstanceUID=series,
            SeriesDescription="Spine 1.5",
            ImageType=["ORIGINAL", "PRIMARY", "AXIAL"],
            ImagePositionPatient=[round(float(value), 6) for value in (lps @ [0, 0, number, 1])[:3]],
            ImageOrientationPatient=[round(float(value), 6) for value in (*column, *row)],
            PixelSpacing=[float(volume.spacing[1]), float(volume.spacing[0])],
            RescaleSlope=1,
            RescaleIntercept=-2048,
            InstanceNumber=number + 1,
        )
        save(folder / f"{number:03d}.dcm", dataset)
    return folder


def load_ct_and_segment(archived: ArchivedDemo) -> tuple[Any, Any]:
    """CT and segmentation as Slicer's own modules bring them: the series as a volume, then TotalSegmentator's names."""
    ct = read_ct(archived.ct)
    node = slicer.util.addVolumeFromArray(ct.array, ijkToRAS=ct.index_to_ras, name="3: Spine 1.5")
    segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "3: Spine 1.5 segmentation")
    segmentation.CreateDefaultDisplayNodes()
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(node)
    labels = archived.case.labels
    names = {label: f"vertebrae_{level}" for level, label in LABEL_NUMBERINGS["VerSe"].items()}
    label_node = slicer.util.addVolumeFromArray(
        labels.array.astype(np.int16), ijkToRAS=labels.index_to_ras, nodeClassName="vtkMRMLLabelMapVolumeNode"
    )
    slicer.modules.segmentations.logic().ImportLabelmapToSegmentationNode(label_node, segmentation)
    slicer.mrmlScene.RemoveNode(label_node)
    held = segmentation.GetSegmentation()
    for number in range(held.GetNumberOfSegments()):
        segment = held.GetSegment(held.GetNthSegmentID(number))
        segment.SetName(names.get(segment.GetLabelValue(), f"label {segment.GetLabelValue()}"))
    return node, segmentation
