"""A pose while a person moves it: its DRR and its contour alone, often enough in a second to follow the hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.image import imsave

from radgs.errors import GeometryError
from radgs.geometry import RigidTransform, XRayView
from radgs.io.atomic import cannot_write, write_atomically, write_text
from radgs.overlay.arrays import Pictured, ViewCrop, crop_view, for_display, in_view
from radgs.overlay.contours import Contours, projected_lines
from radgs.overlay.pictures import PICTURE_PIXELS
from radgs.threads import map_concurrently

LIVE_SCHEMA = "radgs.live/1"
LIVE_FILE = "live.json"

#: The DRR has a pixel where an overlay's picture has so many side by side.
BINNED = 2
#: Distance of samples along a ray, mm: what is finer cannot be seen in a small picture that moves.
SAMPLED_EVERY_MM = 3.0


class LivePictures:
    """Draws poses of one level into the pictures of an overlay, whose X-rays stay what they are.

    Args:
        level: The level's name.
        anatomy: The vertebra.
        contours: Its surface; neighbours are left out.
        views: The X-rays.
        around: The ``ct_to_world`` around which the overlay's pictures lie.

    Raises:
        GeometryError: That pose places the vertebra where a view cannot show it.
    """

    def __init__(
        self, level: str, anatomy: Pictured, contours: Contours, views: Sequence[XRayView], around: RigidTransform
    ) -> None:
        self._level, self._anatomy, self._views = level, anatomy, views
        self._contours = Contours(contours.vertebra)
        self._renderer = anatomy.whole_part.sampled_every(SAMPLED_EVERY_MM)
        for view in views:
            self._refuse_unseen(view, around)
        self._crops = [crop_view(view, anatomy, around, PICTURE_PIXELS) for view in views]

    def save(self, folder: Path, pose: RigidTransform) -> list[Path]:
        """Writes live.json and the PNGs that it names, per view a ``drr`` and a ``contour`` as overlay.json has them.

        Args:
            folder: Where to write; made where it is missing.
            pose: The ``ct_to_world`` to draw.

        Returns:
            The files, live.json first.

        Raises:
            GeometryError: The pose places the vertebra where a view cannot show it.
            OutputError: A file cannot be written.
        """
        for view in self._views:
            self._refuse_unseen(view, pose)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            numbered = list(enumerate(self._crops, 1))
            drawn = map_concurrently(lambda item: self._save_view(folder, *item, pose), numbered)
            views = {view.name: described for view, described in zip(self._views, drawn, strict=True)}
            path = folder / LIVE_FILE
            told = {"schema": LIVE_SCHEMA, "level": self._level, "ct_to_world": pose.matrix.tolist(), "views": views}
            write_text(path, json.dumps(told, allow_nan=False), durable=False)  # in one line: an indent takes longer
        except OSError as problem:
            raise cannot_write(folder, problem) from problem
        return [path, *(folder / described["drr"] for described in drawn)]

    def _save_view(self, folder: Path, number: int, crop: ViewCrop, pose: RigidTransform) -> dict[str, Any]:
        image = self._renderer.render(pose, crop.geometry.binned(BINNED)).cpu().numpy()
        grey = for_display(image, crop.pixel_mm * BINNED, image > 0)
        path = folder / f"{self._level}_{number}_live.png"
        with write_atomically(path, durable=False) as aside:
            imsave(aside, grey, cmap="gray", vmin=0.0, vmax=1.0, pil_kwargs={"compress_level": 1})
        lines = projected_lines(self._contours, pose, crop.geometry)
        contour = [{"kind": line.kind, "part": line.part, "points": line.points.round(1).tolist()} for line in lines]
        return {"drr": path.name, "contour": contour}

    def _refuse_unseen(self, view: XRayView, pose: RigidTransform) -> None:
        if not in_view(view.geometry, self._anatomy, pose):
            raise GeometryError(
                f"The pose places {self._level} where view {view.name} cannot show it.",
                "Bring the vertebra between the source and the detector.",
            )
