"""What a run reconstructed, kept as long as the session: the next run's takes its place in the scene, not on disk."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import slicer

from radgs.export.verified_write import sha256_of
from RadGSRegLib.engine.result_import import FILES_OF_A_LEVEL, show_files_of_a_level
from RadGSRegLib.review.history import MAX_RUNS
from RadGSRegLib.scene.case_inputs import CaseInputs
from RadGSRegLib.scene.levels import level_transform
from RadGSRegLib.scene.node_contract import RECONSTRUCTED_GAUSSIANS_ROLE, RECONSTRUCTION_ROLE, RUN_ATTRIBUTE
from RadGSRegLib.scene.placement import in_scene
from RadGSRegLib.scene.provenance import provenance_of

#: What differs from run to run; the vertebra's own Gaussians are the CT's.
ROLES_OF_A_RUN = (RECONSTRUCTION_ROLE, RECONSTRUCTED_GAUSSIANS_ROLE)


class KeptRuns:
    """The reconstructions of this session's runs.

    Args:
        folder: Where they are kept, a folder in it for each run, named for its result.json's SHA-256.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, result_folder: Path) -> None:
        """Copies what a run reconstructed; the oldest run's makes room. Where that fails, nothing else does."""
        kept = self._folder / sha256_of(result_folder / "result.json")
        try:
            kept.mkdir(parents=True, exist_ok=True)
            for role, suffix, _show in FILES_OF_A_LEVEL:
                for file in result_folder.glob(f"*{suffix}") if role in ROLES_OF_A_RUN else ():
                    shutil.copyfile(file, kept / file.name)
        except OSError:
            shutil.rmtree(kept, ignore_errors=True)  # half of it would pass for the whole
            return
        runs = sorted(self._folder.iterdir(), key=lambda run: run.stat().st_mtime_ns)
        for run in runs[:-MAX_RUNS]:
            shutil.rmtree(run, ignore_errors=True)

    def restore(self, inputs: CaseInputs, level: str) -> bool:
        """Shows what the run reconstructed whose result a level's transform holds.

        Returns:
            False where that is not kept; what another run reconstructed is hidden then, and stays in the scene. A level
            without any reconstruction, such as a bone, misses none.
        """
        transform = level_transform(inputs.ct, level)
        shown = _shown(transform)
        if shown and all(is_of_the_run(node, transform) for node in shown):
            _set_visibility(transform, True)
            return True
        run = provenance_of(transform).result_sha256
        kept = None if run is None else self._folder / run
        if kept is None or not any(kept.glob(f"{level}_*")):
            _set_visibility(transform, False)
            return not shown
        for _node in show_files_of_a_level(kept, inputs, level, transform, ROLES_OF_A_RUN):
            pass
        return True


def is_of_the_run(node: Any, transform: Any) -> bool:
    """Whether what a level shows is of the run whose result it holds; of scenes of earlier versions, nobody knows."""
    made_by = node.GetAttribute(RUN_ATTRIBUTE)
    return made_by is None or made_by == provenance_of(transform).result_sha256


def reconstruction_of(transform: Any) -> Any:
    """The volume that the run reconstructed whose result a level's transform holds; None where it is not there."""
    volume = None if transform is None else transform.GetNodeReference(RECONSTRUCTION_ROLE)
    return volume if in_scene(volume) and is_of_the_run(volume, transform) else None


def _shown(transform: Any) -> list[Any]:
    nodes = [transform.GetNodeReference(role) for role in ROLES_OF_A_RUN]
    return [node for node in nodes if in_scene(node)]


def _set_visibility(transform: Any, shown: bool) -> None:
    rendering = slicer.modules.volumerendering.logic()
    for node in _shown(transform):
        if node.IsA("vtkMRMLVolumeNode"):
            display = rendering.GetFirstVolumeRenderingDisplayNode(node)
        else:
            display = node.GetDisplayNode()
        if display is not None:
            display.SetVisibility(shown)
