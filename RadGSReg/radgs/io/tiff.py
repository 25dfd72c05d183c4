"""The first directory of a TIFF file, or of the Exif part of a JPEG: its whole-number tags (TIFF 6.0)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

#: Letters of ``struct`` for TIFF's whole-number types.
WHOLE = {1: "B", 3: "H", 4: "I"}

#: More strips than an image of this many rows has, nobody writes.
MOST_VALUES = 2**20


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
        letter = WHOLE.get(kind)
        if letter is None or not 1 <= values <= MOST_VALUES:
            continue
        layout = f"{order}{values}{letter}"
        inside = struct.calcsize(layout) <= 4
        at = place + 8 if inside else struct.unpack_from(f"{order}I", content, place + 8)[0]
        tags[tag] = struct.unpack_from(layout, content, at)
    (following,) = struct.unpack_from(f"{order}I", content, start + 2 + 12 * count)
    return TiffDirectory(tags, following)
