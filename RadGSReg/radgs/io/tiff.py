"""The first directory of a TIFF file, or of the Exif part of a JPEG: its whole-number tags (TIFF 6.0)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

#: Letters of ``struct`` for TIFF's whole-number types, and the bytes that a value of any type takes.
WHOLE = {1: "B", 3: "H", 4: "I"}
BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}

#: More strips than an image of this many rows has, nobody writes.
MAX_VALUES = 2**20


@dataclass(frozen=True)
class TiffDirectory:
    """Whole-number tags by number, and where the next page's directory lies (0: nowhere)."""

    tags: dict[int, tuple[int, ...]]
    next_page: int

    def all(self, tag: int) -> tuple[int, ...]:
        """The tag's values; none where it is not there."""
        return self.tags.get(tag, ())

    def first(self, tag: int, default: int = 0) -> int:
        """The tag's first value."""
        return self.tags.get(tag, (default,))[0]


def read_tiff_directory(content: bytes) -> TiffDirectory:
    """Reads the first directory.

    Raises:
        struct.error: It reaches beyond the content.
    """
    order = {b"II": "<", b"MM": ">"}.get(content[:2])
    if order is None:
        raise struct.error("no byte order")
    (start,) = struct.unpack_from(f"{order}4xI", content)
    (count,) = struct.unpack_from(f"{order}H", content, start)
    tags: dict[int, tuple[int, ...]] = {}
    for place in range(start + 2, start + 2 + 12 * count, 12):
        tag, kind, values = struct.unpack_from(f"{order}HHI", content, place)
        size = values * BYTES.get(kind, 0)
        at = place + 8 if size <= 4 else struct.unpack_from(f"{order}I", content, place + 8)[0]
        if at + size > len(content):
            raise struct.error(f"tag {tag} lies beyond the end")
        if kind in WHOLE and 1 <= values <= MAX_VALUES:
            tags[tag] = struct.unpack_from(f"{order}{values}{WHOLE[kind]}", content, at)
    (following,) = struct.unpack_from(f"{order}I", content, start + 2 + 12 * count)
    return TiffDirectory(tags, following)
