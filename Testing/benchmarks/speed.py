"""Renderers side by side in one run, with the same threads: how long an image takes, and one with its pose derivative.

    python Testing/benchmarks/speed.py --out speed-result --threads 2  # all sizes, on the real CT (real_ct_data.py)
    python Testing/benchmarks/speed.py --out speed-small --small       # a phantom, one size: whether it runs
    python Testing/benchmarks/speed.py --out speed-gpu --device cuda   # on a GPU, its name in the table

The vertebra is cropped from the CT; CT and vertebra are drawn by our ray caster and by the peers that are installed
(``peer_renderers.py``), the vertebra by splats of Gaussians fitted to it too. Ours give six exact derivatives of every
pixel; peers one gradient of a sum over pixels, by a backward pass: less, for their sake. Every image is held against
ray casting in double precision, steps of a tenth of a voxel; who stays below 45 dB is not comparable, and the table
says so. Turns alternate; times are medians, milliseconds of wall time.
"""

from __future__ import annotations

import argparse
import csv
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.append(str(Path(__file__).resolve().parents[2] / "RadGSReg"))

import peer_renderers
import real_ct_data
from matplotlib.figure import Figure
from scipy.ndimage import map_coordinates

from radgs.drr import VolumeRenderer, attenuation_from_hu
from radgs.gaussians import RadiativeGaussians, fit, splat, splat_with_pose_jacobian
from radgs.geometry import FloatArray, RigidTransform, ViewGeometry, Volume
from radgs.phantom import make_spine
from radgs.vertebra import SeparatedCT

HERE = RigidTransform.identity()
CROP_MM, SOURCE_MM = 128.0, 620.0
COMPARABLE_DB = 45.0


@dataclass(frozen=True)
class Entry:
    """One way to draw one object: an image, and what runs for its derivative too."""

    what: str
    renderer: str
    gaussians: int
    draw: Callable[[], Tensor]
    derive: Callable[[], object]


def objects(small: bool) -> tuple[dict[str, Volume], FloatArray]:
    """The CT and its cropped vertebra, attenuation in 1/mm, and the middle of the latter, RAS mm."""
    folder = None if small else real_ct_data.real_ct_folder()
    if folder is None:
        spine = make_spine(0, spacing_mm=2.0)
        ct, labels, label = spine.ct, spine.labels, spine.levels["L3"]
    else:
        ct, labels = real_ct_data.read_ct(folder), real_ct_data.read_labels(folder)
        label = real_ct_data.LEVEL_LABELS["T12"]
    separated = SeparatedCT.around(ct, labels, label)
    vertebra = separated.sampled_excess(label, 1.0)
    whole = Volume(attenuation_from_hu(ct.array), ct.index_to_ras)
    return {"vertebra": vertebra, "CT": whole}, separated.frames.body_centre(label)


def exact_image(volume: Volume, geometry: ViewGeometry) -> np.ndarray:
    """(H, W) line integrals by SciPy in double precision, ten samples a voxel, a few rows at a time."""
    to_index = np.linalg.inv(volume.index_to_ras)
    bordered = np.pad(volume.array.astype(np.float64), 1)
    origin = to_index[:3, :3] @ geometry.source_ras + to_index[:3, 3] + 1.0
    slopes = geometry.pixel_directions @ to_index[:3, :3].T
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = -origin / slopes, (np.array(volume.size) + 1.0 - origin) / slopes
    near = np.maximum(np.minimum(*ends).max(axis=1), 0.0)
    length = np.maximum(np.maximum(*ends).min(axis=1) - near, 0.0)
    count = int(np.ceil(length.max() / volume.spacing.min() * 10.0))
    image = np.zeros(len(slopes))
    for part in np.array_split(np.flatnonzero(length > 0), max(1, len(slopes) * count // 4_000_000)):
        distances = near[part] + length[part] * (np.arange(count)[:, None] + 0.5) / count
        positions = origin + distances[..., None] * slopes[part]
        values = map_coordinates(bordered, positions[..., ::-1].transpose(2, 0, 1), order=1)
        image[part] = values.sum(axis=0) * length[part] / count
    return image.reshape(geometry.shape)


def ours(what: str, volume: Volume, geometry: ViewGeometry, centre: FloatArray, device: str) -> Entry:
    """Our ray caster."""
    renderer = VolumeRenderer(volume, device=device)
    return Entry(
        what,
        "radgs ray caster",
        0,
        lambda: renderer.render(HERE, geometry),
        lambda: renderer.render_with_jacobian(HERE, geometry, centre),
    )


def splats(what: str, gaussians: RadiativeGaussians, geometry: ViewGeometry, centre: FloatArray) -> Entry:
    """Our splat."""
    return Entry(
        what,
        "radgs splat",
        len(gaussians),
        lambda: splat(gaussians, geometry),
        lambda: splat_with_pose_jacobian(gaussians, geometry, centre),
    )


def peer(name: str, what: str, volume: Volume, geometry: ViewGeometry, device: str) -> Entry:
    """A public renderer, and a gradient of its image with respect to the camera's pose."""
    draw, pose = peer_renderers.installed()[name](volume, geometry, device)

    def derive() -> Tensor:
        moving = pose.clone().requires_grad_()
        gradient: Tensor = torch.autograd.grad(draw(moving).square().sum(), moving)[0]
        return gradient

    return Entry(what, name, 0, lambda: draw(pose), derive)


def seconds(function: Callable[[], object], device: str) -> float:
    """Wall time of one call, to its end."""
    begun = time.perf_counter()
    function()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - begun


def decibels(image: np.ndarray, exact: np.ndarray) -> float:
    """Peak signal to noise, of the exact image's maximum."""
    return float(20.0 * np.log10(np.abs(exact).max() / np.sqrt(np.mean((image - exact) ** 2))))


def measured(entries: list[Entry], exact: dict[str, np.ndarray], repeats: int, device: str) -> list[dict[str, object]]:
    """A row an entry; all take turns."""
    times: dict[Entry, list[tuple[float, float]]] = {entry: [] for entry in entries}
    for turn in range(repeats + 1):
        for entry in entries:
            taken = seconds(entry.draw, device), seconds(entry.derive, device)
            if turn:  # the first warms up
                times[entry].append(taken)
    rows: list[dict[str, object]] = []
    for entry, taken_each in times.items():
        draw, derive = 1e3 * np.median(np.array(taken_each), axis=0)
        level = decibels(entry.draw().detach().cpu().numpy(), exact[entry.what])
        rows.append(
            {
                "object": entry.what,
                "renderer": entry.renderer,
                "gaussians": entry.gaussians or "",
                "pixels": exact[entry.what].shape[0],
                "image_ms": round(float(draw), 3),
                "with_derivative_ms": round(float(derive), 3),
                "psnr_db": round(level, 1),
                "comparable": level >= COMPARABLE_DB,
            }
        )
    return rows


def plot(rows: list[dict[str, Any]], title: str, path: Path) -> None:
    """Times with derivatives over pixels: an axis an object, a line a renderer, in the same colour everywhere."""
    drawn = list(dict.fromkeys(row["object"] for row in rows))
    renderers = list(dict.fromkeys((row["renderer"], row["gaussians"]) for row in rows))
    pixels = sorted({row["pixels"] for row in rows})
    figure = Figure(figsize=(4.0 * len(drawn) + 3.0, 4.5), layout="constrained")
    every_axes = figure.subplots(1, len(drawn), sharey=True, squeeze=False)[0]
    for axes, what in zip(every_axes, drawn, strict=True):
        for number, (renderer, gaussians) in enumerate(renderers):
            key = what, renderer, gaussians
            line = [row for row in rows if (row["object"], row["renderer"], row["gaussians"]) == key]
            label = renderer if gaussians == "" else f"{renderer}, {gaussians} Gaussians"
            milliseconds = [row["with_derivative_ms"] for row in line]
            axes.plot([row["pixels"] for row in line], milliseconds, "o-", color=f"C{number}", label=label)
        axes.set(title=what, xlabel="pixels along a side", xscale="log", yscale="log")
        axes.set_xticks(pixels, [str(one) for one in pixels])
        axes.minorticks_off()
    every_axes[0].set_ylabel("image with derivative, ms")
    figure.legend(*every_axes[0].get_legend_handles_labels(), loc="outside right upper", fontsize=8)
    figure.suptitle(title)
    figure.savefig(path, dpi=120)


def main() -> int:
    """Measures, prints and writes speed.csv and speed.png."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for speed.csv and speed.png")
    parser.add_argument("--sizes", type=int, nargs="+", default=[128, 256, 512], help="pixels along a side")
    parser.add_argument("--objects", nargs="+", default=["vertebra", "CT"], choices=["vertebra", "CT"])
    parser.add_argument("--gaussians", type=int, nargs="+", default=[2000, 10000, 50000])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--small", action="store_true", help="a phantom, 64 pixels, 500 Gaussians, two turns")
    arguments = parser.parse_args()
    if arguments.small:
        arguments.sizes, arguments.gaussians, arguments.repeats = [64], [500], 2
    torch.set_num_threads(arguments.threads)
    machine = torch.cuda.get_device_name() if arguments.device == "cuda" else platform.processor() or platform.machine()
    title = f"{machine}, {arguments.threads} threads, torch {torch.__version__}"
    volumes, centre = objects(arguments.small)
    fitted = [fit(volumes["vertebra"], count).to(arguments.device) for count in arguments.gaussians]
    volumes = {what: volume for what, volume in volumes.items() if what in arguments.objects}
    rows: list[dict[str, Any]] = []
    source = ViewGeometry(centre - [0.0, SOURCE_MM, 0.0], np.eye(4), (1, 1))
    for pixels in arguments.sizes:
        geometry = source.crop_geometry(centre, CROP_MM, pixels)
        exact = {what: exact_image(volume, geometry) for what, volume in volumes.items()}
        entries = [splats("vertebra", gaussians, geometry, centre) for gaussians in fitted if "vertebra" in volumes]
        for what, volume in volumes.items():
            entries.append(ours(what, volume, geometry, centre, arguments.device))
            entries += [peer(name, what, volume, geometry, arguments.device) for name in peer_renderers.installed()]
        rows += measured(entries, exact, arguments.repeats, arguments.device)
        print(*rows[-len(entries) :], sep="\n", flush=True)
    arguments.out.mkdir(parents=True, exist_ok=True)
    with (arguments.out / "speed.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["machine", *rows[0]])
        writer.writeheader()
        writer.writerows({"machine": title, **row} for row in rows)
    plot(rows, title, arguments.out / "speed.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
