"""How uncertain a view's geometry is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radgs.geometry.rigid_transform import FloatArray


@dataclass(frozen=True, eq=False)
class GeometrySigma:
    """Standard deviations of a view's geometry, along and about the world's axes.

    Attributes:
        source_mm: (3,) of the source.
        detector_mm: (3,) of the detector's centre.
        detector_deg: (3,) of the detector's rotation about its centre.
    """

    source_mm: FloatArray
    detector_mm: FloatArray
    detector_deg: FloatArray

    def turned(self, rotation: FloatArray) -> GeometrySigma:
        """The same in a world that is turned (3, 3), what varies along the old axes taken as uncorrelated."""
        squares = np.asarray(rotation) ** 2
        return GeometrySigma(
            *(np.sqrt(squares @ value**2) for value in (self.source_mm, self.detector_mm, self.detector_deg))
        )

    def to_json_dict(self) -> dict[str, list[float]]:
        """As case.json and calibration.json write it."""
        return {
            "source_mm": np.round(self.source_mm, 6).tolist(),
            "detector_mm": np.round(self.detector_mm, 6).tolist(),
            "detector_deg": np.round(self.detector_deg, 6).tolist(),
        }
