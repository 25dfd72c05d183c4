"""Registers radius and ulna of a forearm to real biplane X-rays, from starts near the reference and far from it.

    python Testing/benchmarks/biplane_forearm.py --out forearm-result

The data is looked for in ``$RADGS_FOREARM`` or ../shared/data/biplane_wrist (Autoscoper's sample data, see the README
there) and never committed. The reference poses are no independent truth: they were found by a coarse search and a
refinement on the bone alone, judged by eye, and are good to about 1 mm.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK
from scipy import ndimage

sys.path.append(str(Path(__file__).resolve().parents[2] / "RadGSReg"))

from radgs.case import InitialPose, Level, RegistrationCase
from radgs.geometry import FloatArray, RigidTransform, ViewGeometry, Volume, XRayView, mean_distance, unit
from radgs.io.line_integrals import to_line_integrals
from radgs.pipeline.registration import generic_networks, register_level
from radgs.vertebra import VertebraAnatomy, build_vertebra_anatomy

#: Voxels of the cut-out bones, mm; the TIFF's own tags say otherwise.
SPACING_MM = (0.39625, 0.39625, 0.625)
#: Stored values are Hounsfield units above this; 0 is unknown.
OFFSET = 1024
BONES = {"rad": "radius", "uln": "ulna"}
FRAMES = ("0099", "0158")
CAMERAS = ("01", "02")
#: The forearm lies along the calibration's y axis: this turn makes it the world's superior axis.
UPRIGHT = RigidTransform(np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]), np.zeros(3))
#: Any distance serves: rays run from the source through the pixels.
DETECTOR_MM = 1100.0
#: Voxels of nothing around a cut-out bone.
MARGIN = 3


def data_folder() -> Path | None:
    """Where the data is, or None."""
    default = Path(__file__).resolve().parents[3] / "shared" / "data" / "biplane_wrist"
    folder = Path(os.environ.get("RADGS_FOREARM") or default)
    return folder if (folder / "reference_poses.json").is_file() else None


def camera(path: Path) -> ViewGeometry:
    """A MayaCam 2.0 calibration: image size, K, R, t with x_cam = R x_world + t."""
    blocks: dict[str, list[str]] = {}
    for block in path.read_text().strip().replace("\r", "").split("\n\n"):
        title, *lines = block.strip().split("\n")
        blocks[title] = lines

    def numbers(title: str) -> FloatArray:
        return np.array([[float(x) for x in line.split(",")] for line in blocks[title]])

    columns, rows = numbers("image size")[0].astype(int)
    rotation, translation = numbers("rotation"), numbers("translation").ravel()
    to_world = UPRIGHT @ RigidTransform(rotation, translation).inverse()
    pixel_to_camera = np.linalg.inv(numbers("camera matrix")) * DETECTOR_MM
    detector_to_ras = np.eye(4)
    detector_to_ras[:3, :2] = to_world.rotation @ pixel_to_camera[:, :2]
    detector_to_ras[:3, 2] = to_world.rotation[:, 2]
    detector_to_ras[:3, 3] = to_world.apply(pixel_to_camera[:, 2])
    return ViewGeometry(to_world.translation, detector_to_ras, (int(rows), int(columns)))


def film(folder: Path, number: str, frame: str) -> XRayView:
    """One X-ray: intensities, bone dark."""
    path = folder / f"xr_rad_uln_cam{number}_UND.{frame}.tif"
    values = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))
    taken = to_line_integrals(values, "intensity", "as stated")
    geometry = camera(folder / f"xr_calib_wrist_cam{number}.txt")
    return XRayView(f"camera {number}", taken.image, geometry, taken.conversion)


def bone(folder: Path, name: str) -> tuple[Volume, Volume]:
    """A bone cut out of its CT, HU, and its label."""
    stored = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(folder / f"{name}_dcm_cropped.tif")))
    height = stored.shape[1]
    dx, dy, dz = SPACING_MM
    index_to_ras = np.array(
        [[dx, 0, 0, 0.5 * dx], [0, -dy, 0, dy * (height - 0.5)], [0, 0, -dz, -0.5 * dz], [0, 0, 0, 1.0]]
    )
    index_to_ras[:3, 3] -= index_to_ras[:3, :3] @ np.full(3, MARGIN)
    stored = np.pad(stored, MARGIN).astype(np.float32)
    inside = ndimage.binary_fill_holes(stored > 0)
    return Volume(stored - OFFSET, index_to_ras), Volume(inside.astype(np.uint8), index_to_ras)


def starts(
    truth: RigidTransform, vertebra: VertebraAnatomy, seed: int, count: int
) -> Iterator[tuple[str, RigidTransform]]:
    """``count`` starts within 4 mm of the reference, and as many 4-15 mm and 5-15 degrees off."""
    rng = np.random.default_rng(seed)
    centre = truth.apply(vertebra.centre)
    for near in [True] * count + [False] * count:
        degrees, mm = (rng.uniform(0, 4), rng.uniform(0.5, 3.5)) if near else (rng.uniform(5, 15), rng.uniform(4, 15))
        turn, shift = unit(rng.normal(size=3)) * np.radians(degrees), unit(rng.normal(size=3)) * mm
        yield ("near" if near else "far"), truth.rotated_about(centre, turn, shift)


def run(folder: Path, count: int, bones: list[str], frames: list[str], seed: int) -> Iterator[dict[str, Any]]:
    """Registers; yields one record a start."""
    reference = json.loads((folder / "reference_poses.json").read_text())["poses"]
    networks = generic_networks()
    for name in bones:
        ct, labels = bone(folder, name)
        level = Level(BONES[name], 1)
        vertebra = build_vertebra_anatomy(ct, labels, level)
        for frame in frames:
            views = tuple(film(folder, number, frame) for number in CAMERAS)
            truth = UPRIGHT @ RigidTransform.from_matrix(np.array(reference[name][frame]))
            for index, (kind, start) in enumerate(starts(truth, vertebra, seed, count)):
                case = RegistrationCase(ct, labels, (level,), views, {level.name: InitialPose({}, start)})
                result, _ = register_level(case, vertebra, networks)
                assert result.ct_to_world is not None
                yield {
                    "bone": name,
                    "frame": frame,
                    "index": index,
                    "kind": kind,
                    "start_mm": mean_distance(vertebra.surface, start, truth),
                    "error_mm": mean_distance(vertebra.surface, result.ct_to_world, truth),
                    "verdict": result.verdict,
                    "reasons": [reason.code for reason in result.reasons],
                    "similarity": result.similarity,
                    "ct_to_world": (UPRIGHT.inverse() @ result.ct_to_world).matrix.tolist(),
                    "seconds": result.seconds,
                }


def main() -> int:
    """Runs and writes forearm.jsonl and a summary."""
    parser = argparse.ArgumentParser(description="Register a forearm to real biplane X-rays.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--starts", type=int, default=20, help="near starts, and far ones, a bone and frame")
    parser.add_argument("--bones", nargs="+", default=list(BONES), choices=BONES)
    parser.add_argument("--frames", nargs="+", default=list(FRAMES), choices=FRAMES)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    folder = data_folder()
    if folder is None:
        print("no forearm here: set RADGS_FOREARM to the folder of Autoscoper's wrist data", file=sys.stderr)
        return 1
    arguments.out.mkdir(parents=True, exist_ok=True)
    with (arguments.out / "forearm.jsonl").open("w") as stream:
        for record in run(folder, arguments.starts, arguments.bones, arguments.frames, arguments.seed):
            stream.write(json.dumps(record) + "\n")
            stream.flush()
            print(*(record[key] for key in ("bone", "frame", "kind")), end=" ")
            print(
                f"{record['start_mm']:.1f} -> {record['error_mm']:.2f} mm {record['verdict']}",
                record["reasons"],
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
