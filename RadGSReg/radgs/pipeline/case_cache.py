"""What a worker keeps between registrations: volumes that were read, and vertebrae separated from them."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from radgs.case import Level, RegistrationCase
from radgs.errors import InputFileError
from radgs.geometry import FloatArray, RigidTransform, Volume
from radgs.io.cache_folder import CacheFolder
from radgs.io.content import ContentHashes
from radgs.io.volumes import read_ct, read_labels
from radgs.overlay import Contours
from radgs.overlay.arrays import Pictured
from radgs.overlay.pictures import DrawnAnatomy, drawn_anatomy
from radgs.vertebra import VertebraAnatomy

#: The lumbar spine, and no more: a vertebra and the CT around it take up to hundreds of megabytes.
MAX_VERTEBRAE = 5


@dataclass(frozen=True, eq=False)
class _Read:
    """A volume, what the files it came from hash to, and what its voxels and their place do."""

    sha256: str
    volume: Volume
    fingerprint: str


class CaseCache:
    """Remembers the volumes of the last case, and the anatomy of the last few vertebrae.

    A volume is read again when its files hold something else. A vertebra belongs to the content of CT and label map,
    not to their paths, and to a level's name and label.

    Args:
        cache: Remembers for other processes what unchanged files hash to, and what was made of a vertebra.

    Attributes:
        folder: That cache.
    """

    def __init__(self, cache: CacheFolder | None = None) -> None:
        self.folder = cache
        self._hashes = ContentHashes(cache)
        self._read: dict[str, _Read] = {}
        self._drawn: tuple[tuple[str, str, str, int], DrawnAnatomy] | None = None
        self._surfaces: tuple[tuple[str, str, str, int], Contours] | None = None
        self._vertebrae: OrderedDict[tuple[str, str, str, int], VertebraAnatomy] = OrderedDict()

    def load(self, path: Path) -> RegistrationCase:
        """Reads and validates a case, without reading again a CT or label map that has not changed.

        Raises:
            RadgsError: The case cannot be used; the message says why and what to do.
        """
        return RegistrationCase.load(
            path,
            ct_reader=lambda file: self._volume("ct", file, read_ct),
            label_reader=lambda file: self._volume("labels", file, read_labels),
            hashes=self._hashes,
        )

    def vertebrae(self, case: RegistrationCase) -> dict[str, VertebraAnatomy]:
        """The vertebrae known already, by level; ``case`` is the one loaded last."""
        known = {level.name: self._vertebrae.get((*self._spine(), level.name, level.label)) for level in case.levels}
        return {name: vertebra for name, vertebra in known.items() if vertebra is not None}

    def keep(self, vertebrae: dict[str, VertebraAnatomy]) -> None:
        """Remembers vertebrae of the case loaded last."""
        for vertebra in vertebrae.values():
            key = (*self._spine(), vertebra.level.name, vertebra.level.label)
            self._vertebrae[key] = vertebra
            self._vertebrae.move_to_end(key)
        while len(self._vertebrae) > MAX_VERTEBRAE:
            self._vertebrae.popitem(last=False)

    def anatomy(self, case: RegistrationCase, level: Level) -> tuple[Pictured, FloatArray]:
        """What pictures need of a level of the case loaded last, and the centre (3,) of its vertebral body, CT's RAS.

        The level's vertebra serves where there is one. Otherwise what is made instead is kept for the last vertebra.
        """
        vertebra = self.vertebrae(case).get(level.name)
        if vertebra is not None:
            return vertebra, vertebra.centre
        key = (*self._spine(), level.name, level.label)
        if self._drawn is None or self._drawn[0] != key:
            self._drawn = key, drawn_anatomy(case.ct, case.labels, level)
        drawn = self._drawn[1]
        return drawn, drawn.centre

    def contours(self, case: RegistrationCase, level: Level, frame_to_ct: RigidTransform | None) -> Contours:
        """The surfaces of a level of the case loaded last, kept for the last vertebra."""
        key = (*self._spine(), level.name, level.label)
        if self._surfaces is None or self._surfaces[0] != key:
            self._surfaces = key, Contours.of(case.labels, level.label, frame_to_ct)
        return self._surfaces[1]

    def _spine(self) -> tuple[str, str]:
        return self._read["ct"].fingerprint, self._read["labels"].fingerprint

    def _volume(self, role: str, path: Path, reader: Callable[[Path], Volume]) -> Volume:
        sha256 = self._hashes.of(path)
        known = self._read.get(role)
        if known is None or known.sha256 != sha256:
            volume = reader(path)
            if self._hashes.of(path) != sha256:
                raise InputFileError(f"{path} changed while it was read.", "Wait until it is written, then go on.")
            known = self._read[role] = _Read(sha256, volume, _fingerprint(volume))
        return known.volume


def _fingerprint(volume: Volume) -> str:
    digest = hashlib.blake2b(digest_size=16)
    digest.update(repr((volume.array.shape, volume.array.dtype.str)).encode())
    digest.update(np.ascontiguousarray(volume.index_to_ras).tobytes())
    digest.update(np.ascontiguousarray(volume.array).data)
    return digest.hexdigest()
