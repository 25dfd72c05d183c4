"""How uncertain a view's geometry is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radgs.geometry.rigid_transform import FloatArray

#: No C-arm is known better than this (standard deviations), mm, and degrees of the detector.
FINEST_MM, FINEST_DEG = 0.01, 0.001


@dataclass(frozen=True, eq=False)
class GeometrySigma:
    """Standard deviations of a view's geometry, along and about the world's axes.

    Attributes:
        source_mm: (3,) of the source.
        detector_mm: (3,) of the detector's centre.
        detector_deg: (3,) of the detector's rotation about its centre.
        covariance: (9, 9) of the nine together, in that order, where more is known than how large each is alone.
    """

    source_mm: FloatArray
    detector_mm: FloatArray
    detector_deg: FloatArray
    covariance: FloatArray | None = None

    @classmethod
    def of_covariance(cls, covariance: FloatArray) -> GeometrySigma:
        """What a (9, 9) covariance of source (mm), detector (mm) and its rotation (degrees) says."""
        source, detector, turn = np.sqrt(np.maximum(np.diag(covariance), 0.0)).reshape(3, 3)
        return cls(source, detector, turn, covariance)

    @property
    def as_covariance(self) -> FloatArray:
        """(9, 9) covariance of source (mm), detector (mm) and its rotation (degrees)."""
        if self.covariance is not None:
            return self.covariance
        return np.diag(np.concatenate([self.source_mm, self.detector_mm, self.detector_deg]) ** 2)

    @property
    def as_invertible_covariance(self) -> FloatArray:
        """(9, 9) the same, with an uncertainty for what is stated to be exact: what no C-arm is known better than."""
        finest = np.repeat([FINEST_MM, FINEST_MM, FINEST_DEG], 3) ** 2
        return self.as_covariance + np.diag(finest)

    def turned(self, rotation: FloatArray) -> GeometrySigma:
        """The same in a world that is turned (3, 3), what varies along the old axes taken as uncorrelated."""
        if self.covariance is not None:
            turn = np.kron(np.eye(3), np.asarray(rotation))
            return GeometrySigma.of_covariance(turn @ self.covariance @ turn.T)
        squares = np.asarray(rotation) ** 2
        return GeometrySigma(
            *(np.sqrt(squares @ value**2) for value in (self.source_mm, self.detector_mm, self.detector_deg))
        )

    def to_json_dict(self) -> dict[str, list]:
        """As case.json and calibration.json write it."""
        together = {} if self.covariance is None else {"covariance": np.round(self.covariance, 9).tolist()}
        return {
            "source_mm": np.round(self.source_mm, 6).tolist(),
            "detector_mm": np.round(self.detector_mm, 6).tolist(),
            "detector_deg": np.round(self.detector_deg, 6).tolist(),
            **together,
        }


#: What a carefully calibrated C-arm is good to, taken where a case does not say (standard deviations per axis).
USUAL_SIGMA = GeometrySigma(np.full(3, 0.7), np.full(3, 0.3), np.full(3, 0.1))
