"""X-rays beside what they would show of the CT if their sources and films stood elsewhere, drawn by the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radgs.errors import RadgsError
from radgs.geometry import RigidTransform, ViewGeometry
from RadGSRegLib.engine.case_export import WrittenExposures
from RadGSRegLib.engine.newest_drawing import NewestDrawing
from RadGSRegLib.scene import xray_nodes
from RadGSRegLib.scene.case_inputs import CaseInputs


@dataclass(frozen=True, eq=False)
class PossibleView:
    """An X-ray, and where it may have been taken from.

    Attributes:
        xray: The X-ray volume.
        geometry: Source and film, RAS mm.
        ct_to_world: Where the CT stands in that world.
    """

    xray: Any
    geometry: ViewGeometry
    ct_to_world: RigidTransform


@dataclass(frozen=True, eq=False)
class ExposureRequest:
    """What is to be drawn, and who is told.

    Attributes:
        inputs: The inputs, as far as they are chosen; there is a CT.
        pictures: The views of each picture.
        done: Called with the folder of ``1.png``, ``2.png`` and so on.
        failed: Called instead, with the reason.
    """

    inputs: CaseInputs
    pictures: Sequence[Sequence[PossibleView]]
    done: Callable[[Path], None]
    failed: Callable[[RadgsError], None]

    @property
    def xrays(self) -> list[Any]:
        """The X-rays that are drawn, each once."""
        return list(dict.fromkeys(view.xray for picture in self.pictures for view in picture))


class ExposureDrawing(NewestDrawing[ExposureRequest, WrittenExposures]):
    """Draws the newest request; CT and X-rays are written once while they stay what they are."""

    COMMAND, PATIENCE_MS, KEEPS_CASE = "exposures", 50, False

    def _written(self, request: ExposureRequest) -> Iterator[WrittenExposures | None]:
        return self._export.exposure_steps(request.inputs, request.xrays)

    def _named(self, request: ExposureRequest, written: WrittenExposures) -> dict[str, Any]:
        pictures = [
            {
                "views": [
                    {
                        "image": str(written.images[view.xray.GetID()]),
                        "pixel_type": xray_nodes.pixel_type(view.xray),
                        "source_ras": view.geometry.source_ras.tolist(),
                        "detector_to_ras": view.geometry.detector_to_ras.tolist(),
                        "ct_to_world": view.ct_to_world.matrix.tolist(),
                    }
                    for view in views
                ]
            }
            for views in request.pictures
        ]
        return {"ct": str(written.ct), "pictures": pictures}

    def _drawn(self, request: ExposureRequest, out: Path) -> None:
        """Shown though a newer one waits: while a number is turned, one always does."""
        request.done(out)

    def _out_of_use(self, out: Path) -> Path:
        return out  # it was read at once
