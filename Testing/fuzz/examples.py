"""Whole inputs of every door, small, as other programs and this one write them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import SimpleITK

sys.path.append(str(Path(__file__).resolve().parents[1] / "engine" / "io"))

import dicom_writing as dicom
from doors import tiny_trainer

from radgs.case import InitialPose, Level, LevelResult, RegistrationCase, RegistrationResult
from radgs.geometry import RigidTransform, ViewGeometry, Volume, XRayView

POSE = RigidTransform.from_rotation_vector([0.1, -0.2, 0.15], [4.0, -7.0, 12.0])
RNG = np.random.default_rng(0)


def write_examples(folder: Path) -> None:
    """Writes all of them."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_volumes(folder)
    _write_images(folder)
    _write_dicom(folder)
    _write_case(folder)
    _write_engine_files(folder)
    requests = {
        "register": {"id": 1, "command": "register", "case": "missing/case.json", "out": "missing/result"},
        "overlay": {"id": 2, "command": "overlay", "case": "missing/case.json", "level": "L3", "out": "o", "poses": {}},
        "cancel": {"command": "cancel"},
    }
    for name, request in requests.items():
        (folder / f"{name}.json").write_text(json.dumps(request))


def _write_volumes(folder: Path) -> None:
    ct = SimpleITK.GetImageFromArray(RNG.integers(-1000, 1500, (9, 12, 15)).astype(np.int16))
    ct.SetSpacing((0.7, 0.8, 2.5))
    ct.SetOrigin((10.0, -20.0, 30.0))
    ct.SetDirection(RigidTransform.from_rotation_vector([0.3, -0.2, 0.4], [0, 0, 0]).rotation.ravel().tolist())
    labels = SimpleITK.Cast(ct > 500, SimpleITK.sitkUInt8) * 29
    for name, image, packed in (
        *((name, ct, name in ("ct.nii.gz", "ct.nrrd", "ct.z.mha")) for name in ("ct.nii", "ct.nii.gz", "ct.nrrd")),
        *(("ct.raw.nrrd", ct, False), ("ct.mha", ct, False), ("ct.z.mha", ct, True)),
        *(("labels.nii.gz", labels, True), ("labels.nrrd", labels, True)),
    ):
        SimpleITK.WriteImage(image, str(folder / name), useCompression=packed)


def _write_images(folder: Path) -> None:
    values = np.add.outer(np.arange(40) * 3, np.arange(50)).astype(np.uint8)
    values += RNG.integers(0, 30, values.shape).astype(np.uint8)
    for suffix in ("png", "tif", "jpg", "bmp", "nrrd", "mha", "nii.gz"):
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(values), str(folder / f"ap.{suffix}"))
    np.save(folder / "ap.npy", values)
    xray = dicom.image("1.2.840.10008.5.1.4.1.1.1.1", "DX", values.astype(np.uint16), PixelIntensityRelationship="LIN")
    dicom.save(folder / "ap.dcm", xray)


def _write_dicom(folder: Path) -> None:
    positions = [(-5.0, -6.0, 10.0 + 1.25 * n) for n in range(4)]
    for n, dataset in enumerate(dicom.slices(folder / "series", positions)):
        dicom.save(folder / "series" / f"{n}.dcm", dataset)
    dicom.save(folder / "enhanced.dcm", dicom.enhanced_ct(positions))
    masks = {3: np.zeros((6, 24, 32)), 5: np.zeros((6, 24, 32))}
    masks[3][1:3, 4:12, 5:20] = masks[5][4:6, 6:14, 7:22] = 1.0
    dicom.save(folder / "seg.dcm", dicom.segmentation(masks))
    dicom.save(folder / "seg_fractional.dcm", dicom.segmentation(masks, "FRACTIONAL"))


def _write_case(folder: Path) -> None:
    """A block of bone in soft tissue in air, seen from the front and from the side."""
    index_to_ras = np.diag([2.0, 2.0, 2.0, 1.0])
    index_to_ras[:3, 3] = [-40.0, -40.0, -30.0]
    hu = np.full((31, 41, 41), -1000, np.int16)
    hu[3:28, 4:37, 4:37] = 40
    block = np.zeros(hu.shape, bool)
    block[8:23, 12:29, 11:30] = True
    hu[block] = 250
    geometries = {}
    for name, forward, right in (("AP", [0, -1.0, 0], [-1.0, 0, 0]), ("LAT", [-1.0, 0, 0], [0, 1.0, 0])):
        matrix = np.eye(4)
        matrix[:3, 0], matrix[:3, 1], matrix[:3, 2] = np.array(right) * 2, [0, 0, -2.0], forward
        matrix[:3, 3] = np.array(forward) * 400 - matrix[:3, :2] @ [63.5, 63.5]
        geometries[name] = ViewGeometry(np.array(forward) * -600, matrix, (128, 128))
    case = RegistrationCase(
        ct=Volume(hu, index_to_ras),
        labels=Volume(block.astype(np.uint8) * np.uint8(29), index_to_ras),
        levels=(Level("L3", 29),),
        views=tuple(
            XRayView(name, RNG.gamma(4.0, 0.7, (128, 128)).astype(np.float32), geometry)
            for name, geometry in geometries.items()
        ),
        initial={"L3": InitialPose(dict.fromkeys(geometries, (63.5, 63.5)))},
        truth={"L3": RigidTransform.identity()},
    )
    path = case.save(folder / "whole_case")
    (folder / "case.json").write_bytes(path.read_bytes())


def _write_engine_files(folder: Path) -> None:
    import torch
    from pydicom.uid import generate_uid

    from radgs.export.igtl.message import pack_pose
    from radgs.gaussians import RadiativeGaussians
    from radgs.gaussians.ply import save_ply
    from radgs.io.spatial_registration import FrameOfReference, Heading, write_spatial_registration
    from radgs.io.transforms import write_transform
    from radgs.networks import new_networks, save_networks
    from radgs.training.checkpoint import save_checkpoint

    level = LevelResult(ct_to_world=POSE, verdict="accept", predicted_error_mm={"surface_p95": 0.8}, reasons=())
    (folder / "result").mkdir(exist_ok=True)
    result = RegistrationResult({"L3": level}, "ab" * 32, {"L3": "generic"}, {"radgs": "0"}).save(folder / "result")
    (folder / "result.json").write_bytes(result.read_bytes())
    torch.manual_seed(0)
    save_networks(new_networks("compact"), folder / "L3.radgs.safetensors")
    save_checkpoint(tiny_trainer(), folder / "checkpoint.safetensors")
    save_ply(
        RadiativeGaussians(
            torch.randn(20, 3), torch.zeros(20, 3), torch.nn.functional.normalize(torch.randn(20, 4)), torch.rand(20)
        ),
        folder / "gaussians.ply",
    )
    uids = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
    heading = Heading({keyword: generate_uid() for keyword in uids}, "L3")
    frames = FrameOfReference(generate_uid()), FrameOfReference(generate_uid())
    write_spatial_registration(folder / "reg.dcm", POSE, *frames, heading)
    write_transform(folder / "pose.tfm", POSE)
    write_transform(folder / "pose.h5", POSE)
    (folder / "message.igtl").write_bytes(pack_pose("L3", POSE, 0.0))
