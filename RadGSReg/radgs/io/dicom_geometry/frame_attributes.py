"""Attributes of one frame of a DICOM X-ray: per-frame functional groups before shared ones before the image's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pydicom
from pydicom.datadict import dictionary_description, tag_for_keyword

from radgs.errors import InputFileError


@dataclass(frozen=True, eq=False)
class FrameAttributes:
    """What a data set says of one frame.

    Attributes:
        dataset: The image.
        frame: Which frame, from 0.
    """

    dataset: pydicom.Dataset
    frame: int

    def places(self, macro: str) -> Iterator[pydicom.Dataset]:
        """Where an attribute may stand, the most particular first: a macro's item per frame, shared, then the image."""
        groups = []
        per_frame = self.dataset.get("PerFrameFunctionalGroupsSequence")
        if per_frame and self.frame < len(per_frame):
            groups.append(per_frame[self.frame])
        groups += list(self.dataset.get("SharedFunctionalGroupsSequence") or [])[:1]
        for group in groups:
            items = group.get(macro) if macro else None
            if items:
                yield items[0]
        yield self.dataset

    def numbers(self, keyword: str, count: int, macro: str = "") -> tuple[float, ...] | None:
        """An attribute's numbers; None where it is missing or empty.

        Raises:
            InputFileError: It has another count of numbers, or something that is not a finite number.
        """
        for place in self.places(macro):
            value = place.get(keyword)
            if value is None or value == "" or (hasattr(value, "__len__") and len(value) == 0):
                continue
            values = list(value) if isinstance(value, (list, tuple, pydicom.multival.MultiValue)) else [value]
            try:
                numbers = tuple(float(one) for one in values)
            except (TypeError, ValueError):
                numbers = ()
            if len(numbers) != count or not np.isfinite(numbers).all():
                raise InputFileError(
                    f"{named(keyword)} should be {count} number(s) but is {value}.", "Correct it, or give the geometry."
                )
            return numbers
        return None

    def number(self, keyword: str, macro: str = "") -> float | None:
        """An attribute's one number; None where it is missing or empty."""
        numbers = self.numbers(keyword, 1, macro)
        return None if numbers is None else numbers[0]

    def text(self, keyword: str, macro: str = "") -> str:
        """An attribute's text; empty where it is missing. Several values are joined by a backslash."""
        for place in self.places(macro):
            value = place.get(keyword)
            if value is not None and value != "":
                joined = isinstance(value, (list, tuple, pydicom.multival.MultiValue))
                return "\\".join(str(one) for one in value) if joined else str(value)
        return ""


def named(keyword: str) -> str:
    """An attribute as people and the standard name it: ``Positioner Primary Angle (0018,1510)``."""
    tag = tag_for_keyword(keyword)
    assert tag is not None
    return f"{dictionary_description(tag)} ({tag >> 16:04X},{tag & 0xFFFF:04X})"
