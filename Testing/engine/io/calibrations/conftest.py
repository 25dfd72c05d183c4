"""Two cameras of a biplane suite as OpenCV has them, and the pixels that OpenCV itself gives points before them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import pytest

SIZE = (1280, 960)


@dataclass(frozen=True, eq=False)
class Camera:
    """x_camera = R x_world + t, rows down, pixel centres at integers."""

    k: np.ndarray
    rotation: np.ndarray
    translation: np.ndarray

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """(N, 2) pixels of (N, 3) points, by OpenCV."""
        rotation_vector, _ = cv2.Rodrigues(self.rotation)
        projected, _ = cv2.projectPoints(points, rotation_vector, self.translation, self.k, None)
        return projected.reshape(-1, 2)

    @property
    def extrinsics(self) -> np.ndarray:
        return np.column_stack([self.rotation, self.translation])

    @property
    def place(self) -> np.ndarray:
        return -self.rotation.T @ self.translation


def looking_at_origin(place: np.ndarray, k: np.ndarray, roll: float) -> Camera:
    """A camera at a place, looking some millimetres past the origin."""
    ahead = -place / np.linalg.norm(place)
    right = np.cross(ahead, [0.1, 0.2, 1.0])
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(ahead, right), ahead])
    turn, _ = cv2.Rodrigues(np.array([0.0, 0.0, roll]))
    rotation = turn @ rotation
    return Camera(k, rotation, -rotation @ place + np.array([6.0, -4.0, 0.0]))


@pytest.fixture(params=range(4), ids=lambda seed: f"seed {seed}")
def cameras(request: pytest.FixtureRequest) -> list[Camera]:
    """Two cameras 60 to 120 degrees apart, of unlike focal lengths, each with its principal point off the middle."""
    random = np.random.default_rng(request.param)
    made = []
    for azimuth in (random.uniform(0, 360), random.uniform(60, 120)):
        base = azimuth if not made else np.degrees(np.arctan2(made[0].place[1], made[0].place[0])) + azimuth
        angle, height, distance = np.radians(base), random.uniform(-200, 200), random.uniform(700, 1300)
        place = np.array([distance * np.cos(angle), distance * np.sin(angle), height])
        focal = random.uniform(3000, 6000)
        centre = (np.array(SIZE) - 1) / 2 + random.uniform(-30, 30, 2)
        k = np.array([[focal, 0, centre[0]], [0, focal * random.uniform(0.99, 1.01), centre[1]], [0, 0, 1]])
        made.append(looking_at_origin(place, k, random.uniform(-3, 3)))
    return made


@pytest.fixture(scope="session")
def points() -> np.ndarray:
    """(200, 3) points of a bone about the origin, mm."""
    return np.random.default_rng(1).uniform(-60, 60, (200, 3))
