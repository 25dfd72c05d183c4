"""From stored pairs to the tensors of a training step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from radgs.networks.recm import ViewBatch
from radgs.networks.regm.loss import PoseBatch
from radgs.simulation import Exposure
from radgs.simulation.exposure import exposed
from radgs.training.pairs import PairBank, StoredPairs
from radgs.vertebra import PosedVertebra

#: Vertebrae of stored pairs that are in memory together, some 6 MB each; a draw from another one reads its file.
VERTEBRAE_AT_HAND = 700


@dataclass(frozen=True, eq=False)
class UnlabelledBatch:
    """B pairs of which nothing is known but what they show.

    Attributes:
        views: What the networks see.
    """

    views: ViewBatch

    def __len__(self) -> int:
        return len(self.views)


@dataclass(frozen=True, eq=False)
class TrainingBatch(UnlabelledBatch):
    """B pairs with everything that is known about them.

    Attributes:
        images: (B, V, P, P) line integrals of the vertebra alone.
        volumes: (B, N, N, N) true excess on the ROI grid, 1/mm.
        pose: (B, 3, 3) and (B, 3) anatomical frame to ROI, mm.
        surface: (B, S, 3) surface points in the anatomical frame, mm.
        vertebrae: The CT vertebra of each pair.
    """

    images: Tensor
    volumes: Tensor
    pose: PoseBatch
    surface: Tensor
    vertebrae: tuple[PosedVertebra, ...]

    def canonical(self, points: Tensor) -> Tensor:
        """(B, 3, D, H, W) points of the anatomical frame, mm, that lie at ROI points (D, H, W, 3)."""
        rotations, translations = self.pose
        offsets = points[None] - translations[:, None, None, None]
        return torch.einsum("bxyzi,bij->bjxyz", offsets, rotations)


class BatchSource(Protocol):
    """Whatever training draws from."""

    def __len__(self) -> int:
        """How many pairs there are."""

    def draw(self, count: int, rng: np.random.Generator, generator: torch.Generator | None = None) -> UnlabelledBatch:
        """Pairs at random, with or without what is known about them."""


class MixedSource:
    """Draws from one of several sources, each a share of the time.

    Args:
        parts: Shares and sources; shares need not add up to 1.
    """

    def __init__(self, parts: Sequence[tuple[float, BatchSource]]) -> None:
        shares = np.array([share for share, _ in parts])
        self._shares, self._parts = shares / shares.sum(), [part for _, part in parts]

    def __len__(self) -> int:
        return sum(len(part) for part in self._parts)

    def draw(self, count: int, rng: np.random.Generator, generator: torch.Generator | None = None) -> UnlabelledBatch:
        """Pairs of one of the sources."""
        return self._parts[int(rng.choice(len(self._parts), p=self._shares))].draw(count, rng, generator)


class PairSource:
    """Draws batches at random from banks, or takes pairs in their order.

    Args:
        banks: At least one, none of them empty; of stored ones, those drawn from last are kept in memory.
        voxels: Voxels along the side of the ROI grid.
        exposure: How X-rays vary.
        device: Where the tensors go.
    """

    def __init__(
        self,
        banks: Sequence[PairBank | StoredPairs],
        voxels: int,
        exposure: Exposure,
        device: torch.device | str = "cpu",
    ) -> None:
        self._device, self._exposure, self._voxels = torch.device(device), exposure, voxels
        self._banks: list[PairBank | StoredPairs] = []
        self._held: dict[int, tuple[PairBank, PosedVertebra]] = {}
        self._read = lru_cache(VERTEBRAE_AT_HAND)(self._loaded)
        self._where: list[tuple[int, int]] = []
        for bank in banks:
            self.add(bank)

    def __len__(self) -> int:
        return len(self._where)

    def add(self, bank: PairBank | StoredPairs) -> None:
        """More pairs to draw from."""
        number = len(self._banks)
        self._banks.append(bank)
        if isinstance(bank, PairBank):
            self._held[number] = bank, self._posed(bank)
        self._where += [(number, index) for index in range(len(bank))]

    def _at_hand(self, number: int) -> tuple[PairBank, PosedVertebra]:
        """A bank and its vertebra."""
        return self._held[number] if number in self._held else self._read(number)

    def _loaded(self, number: int) -> tuple[PairBank, PosedVertebra]:
        stored = self._banks[number]
        assert isinstance(stored, StoredPairs)
        bank = stored.load()
        return bank, self._posed(bank)

    def _posed(self, bank: PairBank) -> PosedVertebra:
        return PosedVertebra(bank.excess, self._voxels, self._device)

    def draw(self, count: int, rng: np.random.Generator, generator: torch.Generator | None = None) -> TrainingBatch:
        """Pairs at random, exposed anew."""
        return self.take(rng.integers(len(self), size=count).tolist(), generator)

    def take(self, chosen: Sequence[int], generator: torch.Generator | None = None) -> TrainingBatch:
        """The pairs of these numbers; the same generator state gives the same exposures."""
        places = [self._where[number] for number in chosen]
        picked = [(*self._at_hand(number), index) for number, index in places]
        images = self._stacked([bank.vertebra[index] for bank, _, index in picked])
        background = self._stacked([bank.background[index] for bank, _, index in picked])
        sources = self._stacked([bank.sources[index] for bank, _, index in picked])
        poses = self._stacked([bank.frame_to_roi[index] for bank, _, index in picked])
        rotations, translations = poses[:, :3, :3].contiguous(), poses[:, :3, 3].contiguous()
        xrays, valid = exposed(images, background, self._exposure, generator)
        vertebrae = tuple(vertebra for _, vertebra, _ in picked)
        volumes = [v.at(r, t) for v, r, t in zip(vertebrae, rotations, translations, strict=True)]
        return TrainingBatch(
            views=ViewBatch.of(xrays, valid, sources),
            images=images,
            volumes=torch.stack(volumes),
            pose=(rotations, translations),
            surface=self._stacked([bank.surface for bank, _, _ in picked]),
            vertebrae=vertebrae,
        )

    def _stacked(self, arrays: Sequence[np.ndarray]) -> Tensor:
        return torch.from_numpy(np.stack(arrays).astype(np.float32)).to(self._device)
