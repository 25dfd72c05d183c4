"""Training pairs: what two X-rays show around a vertebra at a random pose, and that pose.

Line integrals add, so a pair keeps the vertebra's image and that of everything else apart: their sum is the X-ray, and
the vertebra's own is what the reconstruction must project to. Exposure, noise and the like are added when a pair is
used (``radgs.simulation.exposure``), so that no two looks at it are the same.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from radgs.errors import InputFileError
from radgs.geometry import FloatArray, RigidTransform, Volume, unit
from radgs.geometry.roi import CROP_PIXELS, crop_geometry
from radgs.io.atomic import write_atomically
from radgs.simulation import SimulationSettings
from radgs.simulation.articulated import c_arm_view
from radgs.threads import map_concurrently
from radgs.training.training_vertebra import TrainingVertebra

#: Share of pairs whose surroundings stay where they are, where others' slide.
UNSLID = 0.25
#: Directions of the views' rays, patient's AP and lateral.
DIRECTIONS = ((0.0, -1.0, 0.0), (1.0, 0.0, 0.0))
#: What numpy raises for an archive that is none, or damaged.
UNREADABLE = (OSError, LookupError, TypeError, ValueError, AttributeError, EOFError, BadZipFile, zlib.error)
#: What a bank holds pair by pair.
PER_PAIR = ("vertebra", "background", "sources", "frame_to_roi")


@dataclass(frozen=True)
class PairSettings:
    """How far training goes beyond what use will bring.

    Attributes:
        rotation_deg: The CT's rotation from the world's axes is uniform in 0..this, about a random axis.
        offset_mm: The body's centre lies off the ROI's centre, uniform in a ball of this radius...
        within_level: ...but along the spine by no more than this share of the way to the next body: beyond half of it
            nobody could tell which of the two is meant.
        rest_slides: In three pairs of four everything that is no vertebra stands up or down the spine by as much as
            this share of the way to the next body: nothing but vertebrae then says where they are.
        simulation: Joints, soft tissue and the C-arm's geometry.
    """

    rotation_deg: float = 28.0
    offset_mm: float = 12.0
    within_level: float = 0.45
    rest_slides: float = 0.0
    simulation: SimulationSettings = field(
        default_factory=lambda: SimulationSettings(joint_rotation_deg=5.0, joint_shift_mm=2.5, view_tilt_deg=12.0)
    )


@dataclass(frozen=True, eq=False)
class PairBank:
    """Pairs of one vertebra.

    Attributes:
        name: The vertebra's.
        vertebra: (n, V, P, P) float16 line integrals of its excess.
        background: (n, V, P, P) float16 line integrals of everything else.
        sources: (n, V, 3) where the sources stand in the ROI frame, mm.
        frame_to_roi: (n, 4, 4) the vertebra's pose: anatomical frame to ROI frame.
        excess: The vertebra, 1/mm; index_to_ras leads to the anatomical frame.
        surface: (S, 3) surface points in the anatomical frame, mm.
    """

    name: str
    vertebra: NDArray[np.float16]
    background: NDArray[np.float16]
    sources: NDArray[np.float32]
    frame_to_roi: NDArray[np.float64]
    excess: Volume
    surface: FloatArray

    def __len__(self) -> int:
        return len(self.sources)

    def pose(self, index: int) -> RigidTransform:
        """The vertebra's pose in one pair."""
        return RigidTransform.from_matrix(self.frame_to_roi[index])

    def joined(self, *others: PairBank) -> PairBank:
        """These pairs and others of the same vertebra."""
        banks = (self, *others)
        return self._with({name: np.concatenate([getattr(bank, name) for bank in banks]) for name in PER_PAIR})

    def part(self, chosen: slice) -> PairBank:
        """Some of the pairs."""
        return self._with({name: getattr(self, name)[chosen] for name in PER_PAIR})

    def _with(self, per_pair: dict[str, Any]) -> PairBank:
        return replace(self, **per_pair)

    def save(self, path: Path) -> None:
        """Writes the bank as a numpy archive.

        Raises:
            OutputError: The file cannot be written.
        """
        with write_atomically(path) as aside:
            np.savez(
                aside,
                name=self.name,
                vertebra=self.vertebra,
                background=self.background,
                sources=self.sources,
                frame_to_roi=self.frame_to_roi,
                excess=self.excess.array.astype(np.float16),
                index_to_frame=self.excess.index_to_ras,
                surface=self.surface,
            )

    @classmethod
    def load(cls, path: Path) -> PairBank:
        """Reads what ``save`` wrote.

        Raises:
            InputFileError: The file is damaged, or something else.
        """
        try:
            with np.load(path, allow_pickle=False) as file:  # every member has a checksum
                bank = cls(
                    name=str(file["name"]),
                    vertebra=file["vertebra"],
                    background=file["background"],
                    sources=file["sources"],
                    frame_to_roi=file["frame_to_roi"],
                    excess=Volume(file["excess"].astype(np.float32), file["index_to_frame"]),
                    surface=file["surface"],
                )
            count, views = bank.sources.shape[:2]
            images = (count, views, CROP_PIXELS, CROP_PIXELS)
            if bank.vertebra.shape != images or bank.background.shape != images:
                raise ValueError("other images than sources")
            if bank.frame_to_roi.shape != (count, 4, 4) or not all(np.isfinite(a).all() for a in bank._numbers()):
                raise ValueError("no poses")
            return bank
        except UNREADABLE as problem:
            raise InputFileError(f"The pairs {path} are damaged.", "Delete the file; they are made again.") from problem

    def _numbers(self) -> tuple[NDArray, ...]:
        return self.vertebra, self.background, self.sources, self.frame_to_roi, self.excess.array, self.surface


@dataclass(frozen=True)
class StoredPairs:
    """Pairs of one vertebra that stay in their file until they are needed.

    Attributes:
        path: What ``PairBank.save`` wrote.
        name: The vertebra's.
        count: How many pairs.
        chosen: Which of the file's.
    """

    path: Path
    name: str
    count: int
    chosen: slice = field(default_factory=lambda: slice(None))

    @classmethod
    def checked(cls, path: Path) -> StoredPairs:
        """The pairs of a file, which is read once to see that it is whole.

        Raises:
            InputFileError: The file is damaged, or something else.
        """
        bank = PairBank.load(path)
        return cls(path, bank.name, len(bank))

    def __len__(self) -> int:
        return len(range(self.count)[self.chosen])

    def part(self, chosen: slice) -> StoredPairs:
        """Some of the file's pairs."""
        return replace(self, chosen=chosen)

    def load(self) -> PairBank:
        """Reads them.

        Raises:
            InputFileError: The file is damaged, or something else.
        """
        return PairBank.load(self.path).part(self.chosen)


def make_pairs(
    vertebra: TrainingVertebra,
    name: str,
    count: int,
    rng: np.random.Generator,
    settings: PairSettings | None = None,
    progress: Callable[[float], None] = lambda fraction: None,
) -> PairBank:
    """Simulates pairs of one vertebra.

    Args:
        vertebra: The vertebra.
        name: What to call it.
        count: How many pairs.
        rng: Chooses poses, motion and views.
        settings: How far they range.
        progress: Called with the fraction done, 0 to 1.
    """
    settings = settings or PairSettings()
    shape = (count, len(DIRECTIONS), CROP_PIXELS, CROP_PIXELS)
    images, backgrounds = np.empty(shape, np.float16), np.empty(shape, np.float16)
    sources, poses = np.empty((*shape[:2], 3), np.float32), np.empty((count, 4, 4))
    done = 0

    def make(index: int, draws: np.random.Generator) -> None:
        nonlocal done
        ct_to_roi = random_pose(vertebra.frame_to_ct.translation, settings, draws, vertebra.spacing_mm)
        poses[index] = (ct_to_roi @ vertebra.frame_to_ct).matrix
        slide_mm = random_slide(settings, draws, vertebra.spacing_mm)
        around = vertebra.random_background(ct_to_roi, settings.simulation, draws, slide_mm)
        for view, source in enumerate(random_sources(DIRECTIONS, settings.simulation, draws)):
            geometry = crop_geometry(source)
            sources[index, view] = source
            images[index, view] = vertebra.vertebra_image(ct_to_roi, geometry)
            backgrounds[index, view] = vertebra.background_image(around, geometry)
        done += 1
        progress(done / count)

    # A generator for every pair: they are the same in whatever order the cores get to them.
    map_concurrently(lambda numbered: make(*numbered), list(enumerate(rng.spawn(count))))
    return PairBank(name, images, backgrounds, sources, poses, vertebra.excess, vertebra.surface)


def random_pose(
    centre_ct: FloatArray, settings: PairSettings, rng: np.random.Generator, spacing_mm: float = np.inf
) -> RigidTransform:
    """A CT-to-ROI pose that brings the body's centre near the ROI's, ``spacing_mm`` from the next body."""
    offset = unit(rng.normal(size=3)) * settings.offset_mm * rng.uniform() ** (1 / 3)
    most = settings.within_level * spacing_mm
    offset[2] = np.clip(offset[2], -most, most)
    turn = unit(rng.normal(size=3)) * np.radians(rng.uniform(0, settings.rotation_deg))
    return RigidTransform(np.eye(3), offset - centre_ct).rotated_about(offset, turn)


def random_slide(settings: PairSettings, rng: np.random.Generator, spacing_mm: float) -> float:
    """How far up the spine everything that is no vertebra stands, mm."""
    most = settings.rest_slides * spacing_mm
    if most == 0.0 or not np.isfinite(most) or rng.uniform() < UNSLID:
        return 0.0
    return float(rng.uniform(-most, most))


def random_sources(
    directions: Sequence[Sequence[float]], settings: SimulationSettings, rng: np.random.Generator
) -> list[FloatArray]:
    """Where the sources of a C-arm's views stand in the ROI frame; the ROI lies off the isocentre."""
    isocentre = rng.uniform(-1, 1, 3) * settings.isocentre_offset_mm
    return [c_arm_view(np.array(direction), settings, rng).source_ras + isocentre for direction in directions]
