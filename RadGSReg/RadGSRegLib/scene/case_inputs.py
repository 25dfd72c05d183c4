"""What one registration takes from the scene, as one value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from radgs.errors import CaseError
from radgs.geometry import RigidTransform
from RadGSRegLib.scene.placement import in_scene


@dataclass(frozen=True, eq=False)
class CaseInputs:
    """The nodes and settings of a registration.

    Attributes:
        ct: The CT, a vtkMRMLScalarVolumeNode in HU.
        segmentation: The vertebrae, a vtkMRMLSegmentationNode drawn on that CT.
        segments: Segment ID by level ("L3"), for the levels to be registered.
        xrays: Two X-ray volumes or more, each with its source.
        device: "auto", "cpu" or "cuda".
        model_files: Files of trained models, handed to the engine.
        transform_name: What a level's transform is called, when it is made; "{level}" stands for the level's name.
        reconstruction_name: What a level's reconstructed volume is called, when it is made.
        output_transform: The linear transform that takes a single level's pose; the level's own where it is None.
        output_volume: The volume that takes its reconstruction; a new one where it is None.
        starts: Poses by level that a person brought near the true ones; they take the place of clicks as starts.
        self_calibrate: Whether the second X-ray's geometry is solved for as well.
    """

    ct: Any
    segmentation: Any
    segments: Mapping[str, str]
    xrays: tuple[Any, ...]
    device: str = "auto"
    model_files: tuple[Path, ...] = field(default=())
    transform_name: str = "{level}CTToWorld"
    reconstruction_name: str = "{level} reconstruction"
    output_transform: Any = None
    output_volume: Any = None
    starts: Mapping[str, RigidTransform] = field(default_factory=dict)
    self_calibrate: bool = False

    def missing(self) -> list[str]:
        """What is still to be chosen, each as a phrase; empty when a registration can start."""
        two_xrays = len(self.xrays) >= 2 and all(in_scene(xray) for xray in self.xrays)
        return self.missing_anatomy() + ([] if two_xrays else ["two X-rays"])

    def missing_anatomy(self) -> list[str]:
        """The same for what a preparation needs, which is no X-ray."""
        wanted = [
            (in_scene(self.ct), "a CT"),
            (in_scene(self.segmentation), "a segmentation"),
            (bool(self.segments), "a level"),
        ]
        return [phrase for there, phrase in wanted if not there]

    def check(self) -> None:
        """Refuses inputs of which something is missing.

        Raises:
            CaseError: Something is missing.
        """
        if missing := self.missing():
            raise CaseError(f"Still missing: {', '.join(missing)}.", "Choose it, then register.")
