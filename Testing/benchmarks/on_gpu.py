"""Everything that only a GPU can tell, in one run of a few minutes, written as it comes: what is cut short is kept.

    python Testing/benchmarks/on_gpu.py --out gpu-result
    python Testing/benchmarks/on_gpu.py --out cpu-result --device cpu --small   # whether it runs

In this order: whether the fused kernels are usable, and why not; each of them against PyTorch's form on the same GPU,
in turns; a warm registration of the demo, and of five levels of a phantom, on GPU and CPU, with launches,
synchronisations and memory; steps of training and pairs simulated, a second. Parity has tests of its own, which run on
a GPU too: ``pytest Testing/engine -k fused``. Writes on_gpu.json and on_gpu.md.
"""

from __future__ import annotations

import argparse
import json
import logging
import platform
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.append(str(Path(__file__).resolve().parents[2] / "RadGSReg"))

import several_levels

from radgs.case import Level, RegistrationCase
from radgs.drr import VolumeRenderer, fused_ray_caster
from radgs.evaluation.tables import table
from radgs.gaussians import RadiativeGaussians, splat, splat_fused, splat_with_pose_jacobian, voxel_fused, voxelize
from radgs.geometry import RigidTransform, ViewGeometry, Volume
from radgs.io.atomic import write_text
from radgs.kernels.fused import FusedForm
from radgs.networks import load_generic
from radgs.phantom import make_spine
from radgs.pipeline import register
from radgs.simulation import Exposure
from radgs.training.batches import PairSource
from radgs.training.pairs import make_pairs
from radgs.training.ranks import ALONE
from radgs.training.trainer import Trainer, TrainingSettings
from radgs.training.training_vertebra import TrainingVertebra

FORMS = {"ray caster": fused_ray_caster.FUSED, "splats": splat_fused.FUSED, "voxels": voxel_fused.FUSED}
HERE = RigidTransform.identity()
FAR = ViewGeometry(np.array([0.0, -620.0, 0.0]), np.eye(4), (1, 1))
#: The demo's name among the cases.
DEMO = "the demo's L3"


class Findings:
    """What was found so far, in files after every section."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._sections = folder, dict[str, list[dict[str, Any]]]()

    def add(self, section: str, rows: list[dict[str, Any]]) -> None:
        """Adds a section and writes all of them."""
        self._sections[section] = rows
        write_text(self._folder / "on_gpu.json", json.dumps(self._sections, indent=1) + "\n")
        parts = []
        for name, found in self._sections.items():
            headings = list(found[0])
            cells = [[_cell(row.get(heading)) for heading in headings] for row in found]
            parts.append(f"## {name}\n\n{table(headings, cells)}")
        write_text(self._folder / "on_gpu.md", "\n\n".join(parts) + "\n")
        print(parts[-1], "\n", flush=True)


def _cell(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else "" if value is None else str(value)


def finished(device: torch.device) -> None:
    """Waits until the device has done what it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize()


@contextmanager
def only_pytorch(form: FusedForm) -> Iterator[None]:
    """Within it, a fused form is not used."""
    usable = form.usable
    form.usable = lambda device: False  # type: ignore[method-assign]
    try:
        yield
    finally:
        form.usable = usable  # type: ignore[method-assign]


def probes(device: torch.device) -> list[dict[str, Any]]:
    """Whether each fused form is usable, and how long that takes to find out, compilation included."""
    rows = []
    for name, form in FORMS.items():
        began = time.perf_counter()
        usable = form.usable(device)
        rows.append({"fused form": name, "usable": usable, "seconds": time.perf_counter() - began})
    return rows


def in_turns(device: torch.device, form: FusedForm, call: Callable[[], object], turns: int) -> dict[str, float | None]:
    """Medians in milliseconds with and without a fused form, and their ratio."""
    taken: dict[str, list[float]] = {"fused, ms": [], "PyTorch, ms": []}
    fused = form.usable(device)
    for turn in range(turns + 1):
        for kind in taken if fused else ("PyTorch, ms",):
            began = time.perf_counter()
            if kind == "fused, ms":
                call()
            else:
                with only_pytorch(form):
                    call()
            finished(device)
            if turn:  # the first compiles and warms up
                taken[kind].append(1e3 * (time.perf_counter() - began))
    found = {kind: float(np.median(times)) if times else None for kind, times in taken.items()}
    with_it, without = found["fused, ms"], found["PyTorch, ms"]
    return {**found, "ratio": None if with_it is None or without is None else without / with_it}


def kernels(device: torch.device, small: bool) -> list[dict[str, Any]]:
    """Splats, line integrals and voxels, with their derivatives, in both forms."""
    rng, turns = np.random.default_rng(0), 3 if small else 15
    sizes, counts = ((32,), (200,)) if small else ((64, 128, 256, 512), (2_000, 10_000, 50_000))
    rows: list[dict[str, Any]] = []

    def add(what: str, form: FusedForm, call: Callable[[], object]) -> None:
        rows.append({"what": what, **in_turns(device, form, call, turns)})

    voxels = 32 if small else 96
    grid = np.eye(4)
    grid[:3, 3] = -(voxels - 1) / 2
    renderer = VolumeRenderer(Volume(rng.random((voxels, voxels, voxels)).astype(np.float32), grid), device=device)
    for size in sizes:
        view = FAR.crop_geometry(np.zeros(3), 1.2 * voxels, size)
        add(
            f"ray caster, {voxels}^3 at {size}^2, six derivatives",
            FORMS["ray caster"],
            partial(renderer.render_with_jacobian, HERE, view, np.zeros(3)),
        )
    for count in counts:
        gaussians = scattered(count, voxels, rng).to(device)
        for size in sizes:
            view = FAR.crop_geometry(np.zeros(3), 1.2 * voxels, size)
            add(f"splat of {count} at {size}^2", FORMS["splats"], partial(splat, gaussians, view))
            add(
                f"splat of {count} at {size}^2, six derivatives",
                FORMS["splats"],
                partial(splat_with_pose_jacobian, gaussians, view, np.zeros(3)),
            )
        leaves = [tensor.clone().requires_grad_() for tensor in gaussians.tensors()]

        def there_and_back(leaves: list[torch.Tensor] = leaves) -> None:
            torch.autograd.grad(voxelize(RadiativeGaussians(*leaves), grid, (voxels,) * 3).sum(), leaves)

        add(f"voxels of {count}, {voxels}^3, with gradients", FORMS["voxels"], there_and_back)
    return rows


def scattered(count: int, extent_mm: float, rng: np.random.Generator) -> RadiativeGaussians:
    """Gaussians all over a cube, of the size that a vertebra's have."""
    scales = np.log(rng.uniform(0.8, 2.0, (count, 3)))
    means = rng.uniform(-0.5, 0.5, (count, 3)) * extent_mm
    parts = means, scales, rng.normal(size=(count, 4)), rng.uniform(0.0, 0.02, count)
    return RadiativeGaussians(*(torch.from_numpy(part).float() for part in parts))


def demo_case() -> RegistrationCase:
    """The bundled one."""
    with as_file(files("radgs").joinpath("data", "demo", "case.json")) as path:
        return RegistrationCase.load(path)


def registrations(device: torch.device, small: bool, turns: int) -> list[dict[str, Any]]:
    """Warm registrations on the device and on the CPU."""
    cases: dict[str, tuple[RegistrationCase, dict[str, Any]]] = {DEMO: (demo_case(), {})}
    if not small:
        several, vertebrae = several_levels.cases_of(0, 1)
        cases["five levels of a phantom"] = several[0], dict(vertebrae)
    rows = []
    for name, (case, vertebrae) in cases.items():
        poses = {}
        for where in dict.fromkeys((device.type, "cpu")):
            made = register(case, device=where, vertebrae=vertebrae).vertebrae
            taken = []
            for _ in range(turns + 1):
                began = time.perf_counter()
                result = register(case, device=where, vertebrae=made).result
                taken.append(time.perf_counter() - began)
            found = [level.ct_to_world.matrix for level in result.levels.values() if level.ct_to_world]
            poses[where] = np.array(found)
            row: dict[str, Any] = {"case": name, "on": where, "warm, s": float(np.median(taken[1:]))}
            rows.append(row | counted(case, where, made))
        apart = poses[device.type][:, :3, 3] - poses["cpu"][:, :3, 3]
        rows[-1]["poses apart, mm"] = float(np.linalg.norm(apart, axis=1).max())
    return rows


def counted(case: RegistrationCase, where: str, vertebrae: dict[str, Any]) -> dict[str, Any]:
    """Launches, synchronisations, kernels' time and memory of one more registration on a GPU."""
    names = ("launches", "synchronisations", "kernels, ms", "memory, MB", "poses apart, mm")
    if where != "cuda":
        return dict.fromkeys(names)
    from torch.profiler import ProfilerActivity, profile

    torch.cuda.reset_peak_memory_stats()
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as told:
        register(case, device=where, vertebrae=vertebrae)
    averages = told.key_averages()
    launches = sum(one.count for one in averages if "LaunchKernel" in one.key)
    waits = sum(one.count for one in averages if one.key in ("cudaStreamSynchronize", "cudaDeviceSynchronize"))
    busy = sum(one.self_device_time_total for one in averages) / 1e3
    return dict(zip(names, (launches, waits, busy, torch.cuda.max_memory_allocated() / 1e6, None), strict=True))


def training(device: torch.device, small: bool) -> list[dict[str, Any]]:
    """Pairs simulated, and pairs trained on, a second."""
    spine = make_spine(0, spacing_mm=2.0)
    vertebra = TrainingVertebra.of(spine.ct, spine.labels, Level("L3", spine.levels["L3"]), device)
    count = 4 if small else 64
    make_pairs(vertebra, "L3", 2, np.random.default_rng(1))
    began = time.perf_counter()
    bank = make_pairs(vertebra, "L3", count, np.random.default_rng(0))
    rows: list[dict[str, Any]] = [{"what": "pairs simulated", "a second": count / (time.perf_counter() - began)}]
    for batch in (4,) if small else (4, 16, 32, 64):
        networks = load_generic().to(device)
        source = PairSource([bank], networks.recm.config.voxels, Exposure(), device)
        settings = TrainingSettings(
            batch=batch, gpu_batch=batch, register_from=0.0, together_from=0.0, validation_pairs=1
        )
        steps = 3 if small else 30
        moments: list[float] = []

        def look(_: object, moments: list[float] = moments) -> None:
            finished(device)
            moments.append(time.perf_counter())

        Trainer(networks, source, source, settings, 0.0, 0, steps, ALONE).run_steps(look, lambda accuracy: None)
        rows.append(
            {"what": f"pairs trained on, {batch} a step", "a second": batch / float(np.median(np.diff(moments)))}
        )
    return rows


def main() -> None:
    """Measures section by section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for on_gpu.json and on_gpu.md")
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--small", action="store_true", help="the least of everything: whether it runs")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
    device, small = torch.device(arguments.device), arguments.small
    findings = Findings(arguments.out)
    machine = torch.cuda.get_device_name() if device.type == "cuda" else platform.processor() or platform.machine()
    findings.add("Machine", [{"machine": machine, "torch": torch.__version__, "threads": torch.get_num_threads()}])
    findings.add("Fused forms", probes(device))
    findings.add("Kernels", kernels(device, small))
    findings.add("Registrations", registrations(device, small, 1 if small else 7))
    findings.add("Training", training(device, small))


if __name__ == "__main__":
    main()
