"""The worlds of ``radgs.simulation.worlds`` in the crops of training: the same functions on a piece of the detector."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from radgs.simulation.worlds import CLEAN, WORLDS, World, displayed, draw_field, hardened, screws, warped

#: One millimetre at the vertebra, a crop's pixel, is about so much on the detector.
PIXEL_MM = 1.6
#: Side of the detector in such pixels, and how far a crop strays from its middle.
DETECTOR_PIXELS, STRAY_PIXELS = 188, 20
#: What training draws from: as often an X-ray without anything special as one with.
TRAINING_WORLDS: tuple[World, ...] = (CLEAN,) * 8 + tuple(
    WORLDS[name]
    for name in ("rotated-blades", "round", "scatter-3", "polychromatic", "display", "warped", "screws", "mixture")
)

Images = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class CropWorlds:
    """A world for every pair of a batch, and the chance of what happens in it.

    Attributes:
        worlds: (B,) one a pair, the same for all its views.
        rng: Source of chance.
    """

    worlds: tuple[World, ...]
    rng: np.random.Generator

    @classmethod
    def drawn(cls, among: Sequence[World], pairs: int, generator: torch.Generator | None = None) -> CropWorlds:
        """Worlds at random."""
        device = "cpu" if generator is None else generator.device
        seed = torch.randint(2**62, (1,), generator=generator, device=device)
        rng = np.random.default_rng(int(seed))
        return cls(tuple(among[at] for at in rng.integers(len(among), size=pairs)), rng)

    def anatomy(self, vertebra: Tensor, background: Tensor) -> Tensor:
        """(B, V, P, P) line integrals of all that the beam passes: soft tissue displaced, screws, a hardened beam.

        Args:
            vertebra: (B, V, P, P) the vertebra's.
            background: (B, V, P, P) everything else's.
        """
        images = vertebra + self._changed(
            background,
            lambda world: world.warp_mm > 0,
            lambda rest, world: warped(rest, world.warp_mm, PIXEL_MM, self.rng),
        )
        images = self._changed(
            images, lambda world: world.screws, lambda image, _: image + screws(image.shape, PIXEL_MM, self.rng)
        )
        return self._changed(images, lambda world: world.polychromatic, lambda image, _: hardened(image))

    def scatter(self, usual: Tensor) -> Tensor:
        """(B, V, 1, 1) scattered over primary intensity, where ``usual`` of the same shape is without a world."""
        ratios = usual.clone()
        for pair, world in enumerate(self.worlds):
            if world.scatter_to_primary is not None:
                drawn = self.rng.uniform(*world.scatter_to_primary, size=usual.shape[1:])
                ratios[pair] = torch.as_tensor(drawn).to(usual)
        return ratios

    def fields(self, like: Tensor) -> Tensor:
        """(B, V, P, P), as ``like``: 1 where the field of measurement lets the beam through."""
        return self._changed(torch.ones_like(like), lambda world: bool(world.fields), self._piece_of_field)

    def displayed(self, images: Tensor, valid: Tensor) -> Tensor:
        """(B, V, P, P) line integrals as a C-arm shows them, in worlds where it does.

        Args:
            images: (B, V, P, P).
            valid: (B, V, P, P) 1 where the beam came through, to which the display's window is set.
        """
        # Where nothing came through, the display's window is not set by it.
        seen = torch.where(valid > 0.5, images, torch.nan)
        shown = self._changed(seen, lambda world: world.displayed, _shown)
        return torch.where(valid > 0.5, shown, images)

    def _piece_of_field(self, image: Images, world: World) -> Images:
        pixels = image.shape[0]
        side = max(pixels + 2 * STRAY_PIXELS, DETECTOR_PIXELS)
        row, column = (side - pixels) // 2 + self.rng.integers(-STRAY_PIXELS, STRAY_PIXELS + 1, 2)
        field = draw_field((side, side), world.fields, self.rng)
        return field[row : row + pixels, column : column + pixels].astype(np.float32)

    def _changed(
        self, images: Tensor, differs: Callable[[World], bool], change: Callable[[Images, World], Images]
    ) -> Tensor:
        """The images, those of pairs whose world differs so changed one by one."""
        chosen = [pair for pair, world in enumerate(self.worlds) if differs(world)]
        images = images.clone() if chosen else images
        for pair in chosen:
            views = [change(view, self.worlds[pair]) for view in images[pair].cpu().numpy()]
            images[pair] = torch.from_numpy(np.stack(views)).to(images)
        return images


def _shown(image: Images, _: World) -> Images:
    field = np.isfinite(image)
    return displayed(np.where(field, image, np.float32(0.0)), field, PIXEL_MM) if field.any() else image
