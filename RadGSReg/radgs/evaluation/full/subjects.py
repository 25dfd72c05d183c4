"""The patients of a full benchmark, read or made when trials are due."""

from __future__ import annotations

import os
from pathlib import Path

from radgs.evaluation.full.plan import SubjectPlan
from radgs.evaluation.trials import BenchmarkSubject
from radgs.io.volumes import read_ct, read_labels
from radgs.phantom import LUMBAR_SPINE, Extent, make_spine
from radgs.simulation import ArticulatedAnatomy

#: Names the real CT's folder.
VARIABLE = "RADGS_REAL_CT"
#: What reports call trials of real CTs, of phantoms, and of phantoms with a patient's vertebrae; they are never pooled.
REAL, PHANTOM, SHAPES = "real CT", "phantom", "real shapes, synthetic densities"


def real_ct_folder(given: Path | None) -> Path | None:
    """The folder that was named, by option or by environment; None where nobody named one."""
    named = os.environ.get(VARIABLE)
    return given if given is not None else Path(named) if named else None


def is_there(plan: SubjectPlan, folder: Path | None) -> bool:
    """Whether a subject can be had: phantoms always, a real one, or one with real vertebrae, where its files are."""
    if plan.shapes:
        return shapes_file(plan).is_file()
    if not plan.real:
        return True
    return folder is not None and all((folder / name).is_file() for name in (plan.ct, plan.labels))


def shapes_file(plan: SubjectPlan) -> Path:
    """The label map of a phantom's real vertebrae, which need not be there."""
    return Path(os.environ.get(plan.shapes, ""))


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
        extent = LUMBAR_SPINE if plan.shapes else Extent.between(*plan.whole)
        spine = make_spine(
            plan.phantom,
            spacing_mm=plan.voxel_mm,
            osteoporosis=plan.osteoporosis,
            extent=extent,
            real_labels=read_labels(shapes_file(plan)) if plan.shapes else None,
        )
        return ArticulatedAnatomy(spine.ct, spine.labels, extent.labels)

    kind = REAL if plan.real else SHAPES if plan.shapes else PHANTOM
    return BenchmarkSubject(plan.name, kind, plan.levels, load)
