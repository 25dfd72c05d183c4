"""The patients of a full benchmark, read or made when trials are due."""

from __future__ import annotations

import os
from pathlib import Path

from radgs.evaluation.full.plan import SubjectPlan
from radgs.evaluation.trials import BenchmarkSubject
from radgs.io.volumes import read_ct, read_labels
from radgs.phantom import Extent, make_spine
from radgs.simulation import ArticulatedAnatomy

#: Names the real CT's folder.
VARIABLE = "RADGS_REAL_CT"
#: What trials of real CTs and of phantoms are called in reports; the two are never pooled.
REAL, PHANTOM = "real CT", "phantom"


def real_ct_folder(given: Path | None) -> Path | None:
    """The folder that was named, by option or by environment; None where nobody named one."""
    named = os.environ.get(VARIABLE)
    return given if given is not None else Path(named) if named else None


def is_there(plan: SubjectPlan, folder: Path | None) -> bool:
    """Whether a subject can be had: phantoms always, a real one where its files are."""
    if not plan.real:
        return True
    return folder is not None and all((folder / name).is_file() for name in (plan.ct, plan.labels))


def subject_of(plan: SubjectPlan, folder: Path | None) -> BenchmarkSubject:
    """The subject; its anatomy is made at its first use.

    Args:
        plan: What the config says of them.
        folder: Of the real CT's files.
    """

    def load() -> ArticulatedAnatomy:
        if plan.phantom is None:
            root = folder or Path()
            return ArticulatedAnatomy(read_ct(root / plan.ct), read_labels(root / plan.labels), dict(plan.moving))
        extent = Extent.between(*plan.whole)
        spine = make_spine(plan.phantom, spacing_mm=plan.voxel_mm, osteoporosis=plan.osteoporosis, extent=extent)
        return ArticulatedAnatomy(spine.ct, spine.labels, extent.labels)

    return BenchmarkSubject(plan.name, REAL if plan.real else PHANTOM, plan.levels, load)
