"""Fourth experiment: are a reconstruction's Gaussians labelled rightly, on phantoms that no training saw?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from radgs.case import Level
from radgs.evaluation.metrics import MASK_DILATION_MM
from radgs.evaluation.tables import table
from radgs.experiments.figures import save_segmented
from radgs.experiments.setting import FIRST_SEED, Progress
from radgs.geometry import FloatArray, RigidTransform, Volume
from radgs.geometry.roi import crop_geometry
from radgs.io.atomic import write_text
from radgs.networks import Networks, load_generic
from radgs.networks.recm import ViewBatch
from radgs.networks.regm import kabsch
from radgs.networks.segmentation import Part, SegmentedGaussians, segmented
from radgs.phantom import PhantomSpine, make_spine
from radgs.pipeline import choose_device
from radgs.simulation import Exposure
from radgs.simulation.exposure import exposed
from radgs.training.pairs import DIRECTIONS, PairSettings, random_pose, random_sources
from radgs.training.training_vertebra import TrainingVertebra

LEVELS = ("L2", "L4")
#: Distances from a bone are known so far around it, mm.
MARGIN_MM = 8.0
SETTINGS = PairSettings()


@dataclass(frozen=True, eq=False)
class Judged:
    """One reconstruction, its labels and the truth.

    Attributes:
        name: Whose.
        found: What was labelled.
        truth: (N,) numbers of ``Part``.
    """

    name: str
    found: SegmentedGaussians
    truth: NDArray[np.int64]

    @property
    def masses(self) -> NDArray[np.float64]:
        """(3, 3) attenuation by true part (rows) and label (columns), as shares of all."""
        mass = self.found.mass().detach().double().cpu().numpy()
        parts = self.found.parts.cpu().numpy()
        sums = np.zeros((len(Part), len(Part)))
        np.add.at(sums, (self.truth, parts), mass)
        return sums / max(sums.sum(), 1e-12)


def segmentation_experiment(
    folder: Path,
    *,
    spines: int = 3,
    trials: int = 4,
    seed: int = 0,
    device: str = "auto",
    networks: Networks | None = None,
    progress: Progress = lambda fraction, message: None,
) -> Path:
    """Reconstructs lumbar vertebrae of synthetic spines, labels the Gaussians, and writes report.md with a picture.

    Args:
        folder: Where the report goes; it must exist.
        spines: How many synthetic patients.
        trials: Pairs of X-rays of each of their vertebrae.
        seed: Of the first patient; also of poses, views and exposures.
        device: "auto", "cpu" or "cuda".
        networks: The bundled ones by default.
        progress: Told the fraction done and what is being done.

    Returns:
        Path of the report.md.
    """
    on = choose_device(device)
    networks = (networks or load_generic()).to(on)
    judged: list[Judged] = []
    count = spines * len(LEVELS)
    for number in range(count):
        patient, level = seed + number // len(LEVELS), LEVELS[number % len(LEVELS)]
        progress(number / count, f"spine {patient} {level}")
        if level == LEVELS[0]:
            spine = make_spine(FIRST_SEED + patient, spacing_mm=1.5)
        rng = np.random.default_rng([FIRST_SEED, patient, spine.levels[level]])
        judged += judged_pairs(spine, level, trials, networks, rng, f"{patient} {level}")
    save_segmented(folder / "segmentation.png", judged[0].found, judged[0].truth)
    report = folder / "report.md"
    write_text(report, segmentation_report(judged, spines, seed), private=False)
    return report


def judged_pairs(
    spine: PhantomSpine, level: str, count: int, networks: Networks, rng: np.random.Generator, name: str
) -> list[Judged]:
    """Reconstructions of one vertebra at random poses, each with labels and truth."""
    label = spine.levels[level]
    vertebra = TrainingVertebra.of(spine.ct, spine.labels, Level(level, label))
    found = []
    for _ in range(count):
        views, ct_to_roi, around = exposed_pair(vertebra, rng, networks.recm.points.device)
        made = reconstructed(networks, views)
        truth = true_parts(spine.labels, label, ct_to_roi, around[1:], made.gaussians.means.cpu().numpy())
        found.append(Judged(name, made, truth))
    return found


@torch.no_grad()
def reconstructed(networks: Networks, views: ViewBatch) -> SegmentedGaussians:
    """The Gaussians of a batch of one, labelled."""
    recm = networks.recm.eval()
    prediction = recm(views)
    logits, canonical = prediction.logits[0], prediction.canonical[0]
    return segmented(recm.gaussians(prediction), logits, canonical, kabsch(logits, canonical, recm.points))


def true_parts(
    labels: Volume,
    label: int,
    ct_to_roi: RigidTransform,
    neighbours_to_roi: Sequence[RigidTransform],
    points: FloatArray,
) -> NDArray[np.int64]:
    """(N,) what lies at points (N, 3) of the ROI: the vertebra, a neighbour at its own pose, or anything else.

    A bone reaches as far beyond its surface as masked scores do (``MASK_DILATION_MM``); between two the nearer counts.

    Args:
        labels: The phantom's.
        label: The vertebra's.
        ct_to_roi: Its pose.
        neighbours_to_roi: Those of the neighbours, above and below, as ``TrainingVertebra`` poses them.
        points: ROI frame, mm.
    """
    around = [other for other in (label - 1, label + 1) if bool((labels.array == other).any())]
    distances = [_distances(labels, label, ct_to_roi, points)]
    distances += [
        _distances(labels, other, pose, points) for other, pose in zip(around, neighbours_to_roi, strict=True)
    ]
    nearest = np.argmin(distances, axis=0)
    parts = np.where(nearest == 0, Part.vertebra, Part.neighbour)
    return np.where(np.min(distances, axis=0) <= MASK_DILATION_MM, parts, Part.other)


def _distances(labels: Volume, label: int, to_roi: RigidTransform, points: FloatArray) -> FloatArray:
    """(N,) distances in mm of points from a label at a pose, 0 within; up to ``MARGIN_MM``, beyond it infinite."""
    where = np.argwhere(labels.array == label)[:, ::-1]
    margin = np.ceil(MARGIN_MM / labels.spacing).astype(int)
    low = np.maximum(where.min(axis=0) - margin, 0)
    box = labels.box(low, np.minimum(where.max(axis=0) + 1 + margin, labels.size))
    away = ndimage.distance_transform_edt(box.array != label, sampling=box.spacing[::-1])
    field = Volume(away.astype(np.float32), box.index_to_ras)
    return np.asarray(field.sample(to_roi.inverse().apply(points), outside=np.inf), dtype=np.float64)


def exposed_pair(
    vertebra: TrainingVertebra, rng: np.random.Generator, device: torch.device
) -> tuple[ViewBatch, RigidTransform, tuple[RigidTransform, ...]]:
    """Two X-rays of a vertebra at a random pose; its pose in the ROI, and those of the rest and of its neighbours."""
    ct_to_roi = random_pose(vertebra.frame_to_ct.translation, SETTINGS, rng, vertebra.spacing_mm)
    around = vertebra.random_background(ct_to_roi, SETTINGS.simulation, rng)
    sources = random_sources(DIRECTIONS, SETTINGS.simulation, rng)
    views = [crop_geometry(source) for source in sources]
    images = np.stack([vertebra.vertebra_image(ct_to_roi, view) for view in views])
    background = np.stack([vertebra.background_image(around, view) for view in views])
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    xrays, valid = exposed(torch.from_numpy(images)[None], torch.from_numpy(background)[None], Exposure(), generator)
    places = torch.from_numpy(np.stack(sources).astype(np.float32))[None]
    return ViewBatch.of(xrays.to(device), valid.to(device), places.to(device)), ct_to_roi, around


def segmentation_report(judged: Sequence[Judged], spines: int, seed: int) -> str:
    """What the labels are worth, with what no labels would be."""
    masses = np.stack([one.masses for one in judged])
    mean = masses.mean(axis=0)
    names = [part.name for part in Part]
    rows = [[f"is {names[row]}", *(f"{mean[row, column]:.1%}" for column in range(3))] for row in range(3)]
    scores = [
        ["no labels: all is vertebra", *_summary(masses, lambda own: own.sum(axis=1)[0], _dice_of_all)],
        ["labelled vertebra", *_summary(masses, _purity, _dice)],
    ]
    return (
        "\n\n".join(
            [
                "# Gaussians labelled after reconstruction",
                f"{len(judged)} pairs of {spines} synthetic lumbar spines ({', '.join(LEVELS)}), seeds from "
                f"{FIRST_SEED + seed}, in the worlds of training; by attenuation.",
                table(["", *(f"labelled {name}" for name in names)], rows),
                table(["", "truly the vertebra's, mean", "lowest", "Dice, mean", "lowest"], scores),
                f"Labels agree with the truth for {np.trace(mean):.1%} of the attenuation. Of the vertebra's own, "
                f"{mean[0, 0] / mean[0].sum():.1%} is kept.",
                "![labelled Gaussians](segmentation.png)",
            ]
        )
        + "\n"
    )


def _summary(masses: NDArray[np.float64], *measures: Callable[[NDArray[np.float64]], float]) -> list[str]:
    values = [[measure(own) for own in masses] for measure in measures]
    return [text for own in values for text in (f"{np.mean(own):.3f}", f"{np.min(own):.3f}")]


def _purity(own: NDArray[np.float64]) -> float:
    return float(own[0, 0] / max(own[:, 0].sum(), 1e-12))


def _dice(own: NDArray[np.float64]) -> float:
    return float(2 * own[0, 0] / max(own[0].sum() + own[:, 0].sum(), 1e-12))


def _dice_of_all(own: NDArray[np.float64]) -> float:
    return float(2 * own[0].sum() / (own[0].sum() + own.sum()))
