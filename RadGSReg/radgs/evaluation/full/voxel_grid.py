"""Voxel grids from 64 to 512 cubed against Gaussians kept: what the voxelizer takes, slab by slab."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from radgs.evaluation.full.plan import PlannedTrial, VoxelGridPlan
from radgs.evaluation.full.run import Bench
from radgs.evaluation.tables import table
from radgs.evaluation.trials import append_line
from radgs.gaussians import RadiativeGaussians, voxelize
from radgs.geometry.roi import roi_index_to_ras
from radgs.io.json_fields import nan_for_null, null_for_nan
from radgs.simulation.worlds import CLEAN_NAME

LOG_NAME = "voxel_grids.jsonl"
#: Voxels at a time.
SLAB = 2**21


@dataclass(frozen=True)
class GridRecord:
    """One grid of one set of Gaussians.

    Attributes:
        voxels: Along each side of the region of 128 mm.
        gaussians: How many are kept.
        kept: Share of the vertebra's Gaussians, 0 to 1.
        seconds: Of the processor, for all slabs.
        peak_mib: Memory that the process took at most while it voxelized, less what it held before; NaN where the
            system does not say.
        unlike: Root mean square difference from all the Gaussians on the same grid, of the latter's root mean square.
    """

    voxels: int
    gaussians: int
    kept: float
    seconds: float
    peak_mib: float
    unlike: float


def slabs(voxels: int, most: int = SLAB) -> list[tuple[int, int]]:
    """First and one past the last slice of slabs of at most ``most`` voxels, one slice at least."""
    thick = max(1, most // voxels**2)
    return [(first, min(first + thick, voxels)) for first in range(0, voxels, thick)]


def strongest(gaussians: RadiativeGaussians, share: float) -> RadiativeGaussians:
    """Those with the largest integral of attenuation, by magnitude, in their own order."""
    count = max(1, round(share * len(gaussians)))
    mass = (gaussians.densities * gaussians.log_scales.sum(dim=1).exp()).abs()
    chosen = torch.topk(mass, count).indices.sort().values
    return RadiativeGaussians(*(tensor[chosen] for tensor in gaussians.tensors()))


def voxelized_slab(gaussians: RadiativeGaussians, voxels: int, at: tuple[int, int]) -> torch.Tensor:
    """(K, voxels, voxels) the slices ``at`` of the region of interest, 1/mm; Gaussians are in the region's frame."""
    index_to_ras = roi_index_to_ras(voxels)
    index_to_ras[:3, 3] += at[0] * index_to_ras[:3, 2]
    return voxelize(gaussians, index_to_ras, (at[1] - at[0], voxels, voxels))


def measure_grids(bench: Bench, plan: VoxelGridPlan, folder: Path) -> None:
    """Measures the grids that the folder's log lacks, each in a process of its own, on the CPU.

    Args:
        bench: Where the vertebra is from.
        plan: Which grids, of which vertebra.
        folder: Of the log.
    """
    known = {(one.voxels, one.kept) for one in read_grids(folder)}
    due = [(voxels, kept) for voxels in plan.voxels for kept in plan.kept if (voxels, kept) not in known]
    if not due:
        return
    planned = PlannedTrial(next(iter(bench.plan.cohorts)), plan.subject, plan.level, 0, CLEAN_NAME, None)
    vertebra = bench.vertebra(planned, bench.case(planned)).vertebra
    to_roi = -torch.as_tensor(vertebra.centre, dtype=torch.float32)
    gaussians = vertebra.gaussians.to("cpu", torch.float32).detach().transformed(torch.eye(3), to_roi)
    arrays = [tensor.numpy() for tensor in gaussians.tensors()]
    for voxels, kept in due:
        with get_context("spawn").Pool(1) as pool:
            record = pool.apply(measured, (arrays, voxels, kept))
        append_line(folder / LOG_NAME, json.dumps({**asdict(record), "peak_mib": null_for_nan(record.peak_mib)}))


@torch.no_grad()
def measured(arrays: Sequence[NDArray[np.float32]], voxels: int, kept: float) -> GridRecord:
    """Voxelizes slab by slab in this process, which should be a fresh one.

    Args:
        arrays: Means, log-scales, quaternions and densities of all the Gaussians, in the region's frame.
        voxels: Along each side.
        kept: Share of the Gaussians.
    """
    everything = RadiativeGaussians(*(torch.from_numpy(np.asarray(array)) for array in arrays))
    chosen = strongest(everything, kept)
    voxelized_slab(chosen, 16, (0, 16))  # what is compiled at first use is neither counted nor timed
    held, began = _memory_mib("VmRSS"), time.process_time()
    for at in slabs(voxels):
        voxelized_slab(chosen, voxels, at)
    seconds, most = time.process_time() - began, _memory_mib("VmHWM")
    difference = reference = 0.0
    for at in slabs(voxels):
        whole = voxelized_slab(everything, voxels, at)
        difference += float((voxelized_slab(chosen, voxels, at) - whole).double().square().sum())
        reference += float(whole.double().square().sum())
    return GridRecord(voxels, len(chosen), kept, seconds, most - held, math.sqrt(difference / reference))


def read_grids(folder: Path) -> list[GridRecord]:
    """The grids in a folder's log, none without one."""
    path = folder / LOG_NAME
    if not path.is_file():
        return []
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            values = json.loads(line)
        except json.JSONDecodeError:
            continue
        found.append(GridRecord(**{**values, "peak_mib": nan_for_null(values["peak_mib"])}))
    return found


def grid_section(grids: Sequence[GridRecord]) -> str:
    """The table; nothing without grids."""
    if not grids:
        return ""
    rows = [
        [
            f"{one.voxels}^3",
            f"{one.gaussians} ({one.kept:.0%})",
            f"{one.seconds:.2f}",
            f"{one.peak_mib:.0f}" if math.isfinite(one.peak_mib) else "-",
            f"{one.unlike:.1%}",
        ]
        for one in sorted(grids, key=lambda one: (one.voxels, one.kept))
    ]
    note = (
        f"A vertebra's Gaussians on the region of 128 mm, in slabs of at most {SLAB} voxels; processor seconds, and "
        "the memory that they took at most. Difference: root mean square from all the Gaussians on the same grid, of "
        "the latter's."
    )
    headings = ["grid", "Gaussians kept", "seconds", "memory, MiB", "difference"]
    return "\n\n".join(["## Voxel grids", note, table(headings, rows)])


def _memory_mib(name: str) -> float:
    """A line of what Linux says of this process; NaN elsewhere."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return math.nan
    (line,) = [line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith(f"{name}:")]
    return int(line.split()[1]) / 1024
