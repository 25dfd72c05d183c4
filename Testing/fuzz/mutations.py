"""Ways in which files get damaged, by accident or on purpose; the same generator makes the same damage."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np

#: Numbers at which arithmetic and memory end.
NUMBERS = (0, -1, 1, 2, 7, 255, 256, 32767, 32768, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 10**400)
TEXTS = ("nan", "inf", "-inf", "1e999", "1e-320", "", "0", "-0", "../../etc/passwd", "/dev/zero", "\0", "%s%n", "LIST")
LISTS: tuple[Any, ...] = ([], {}, [[1, 2], [3]])
VALUES: tuple[Any, ...] = (*LISTS, None, True, "", "x" * 5000, -1, 0.5, 1e300, 10**400, "../x", "/dev/zero")

Mutation = Callable[[bytearray, np.random.Generator], bytearray]


def flipped_bits(content: bytearray, rng: np.random.Generator) -> bytearray:
    """One to five bits the other way."""
    for place in rng.integers(0, len(content), rng.integers(1, 6)):
        content[place] ^= 1 << int(rng.integers(8))
    return content


def changed_head(content: bytearray, rng: np.random.Generator) -> bytearray:
    """One to five bytes of the first kilobyte."""
    for place in rng.integers(0, min(len(content), 1024), rng.integers(1, 6)):
        content[place] = int(rng.integers(256))
    return content


def cut(content: bytearray, rng: np.random.Generator) -> bytearray:
    """The end missing."""
    return content[: int(rng.integers(0, len(content)))]


def extended(content: bytearray, rng: np.random.Generator) -> bytearray:
    """Something behind the end."""
    return content + rng.integers(0, 256, int(rng.integers(1, 300)), dtype=np.uint8).tobytes()


def zeroed(content: bytearray, rng: np.random.Generator) -> bytearray:
    """A stretch of zeros, as a disk leaves them."""
    start = int(rng.integers(0, len(content)))
    stop = min(len(content), start + int(rng.integers(1, 600)))
    content[start:stop] = bytes(stop - start)
    return content


def moved(content: bytearray, rng: np.random.Generator) -> bytearray:
    """A stretch twice, or out of its place."""
    start, length, place = (int(n) for n in rng.integers(0, len(content), 3))
    piece = content[start : start + length % 200]
    return content[:place] + piece + content[place + (len(piece) if rng.random() < 0.5 else 0) :]


def struck_number(content: bytearray, rng: np.random.Generator) -> bytearray:
    """A binary number of 2, 4 or 8 bytes at one of the ends of its range."""
    width = int(rng.choice([2, 4, 8]))
    place = int(rng.integers(0, max(1, min(len(content), 1500) - width)))
    number = NUMBERS[int(rng.integers(len(NUMBERS)))] % 2 ** (8 * width)
    content[place : place + width] = number.to_bytes(width, "little" if rng.random() < 0.7 else "big")
    return content


def struck_text(content: bytearray, rng: np.random.Generator) -> bytearray:
    """A number or a word of a text header replaced."""
    found = list(re.finditer(rb"[-+]?\d+(\.\d+)?(e[-+]?\d+)?|[A-Za-z]{3,}", bytes(content[:4000])))
    if not found:
        return flipped_bits(content, rng)
    match = found[int(rng.integers(len(found)))]
    choices = [*(str(number) for number in NUMBERS), *TEXTS, f"{rng.normal():.3f}", str(int(rng.integers(1, 100)))]
    return content[: match.start()] + choices[int(rng.integers(len(choices)))].encode() + content[match.end() :]


def struck_line(content: bytearray, rng: np.random.Generator) -> bytearray:
    """A line of a text header left out, or twice."""
    ends = [match.end() for match in re.finditer(rb"\n", bytes(content[:4000]))]
    if len(ends) < 3:
        return cut(content, rng)
    n = int(rng.integers(1, len(ends)))
    line = content[ends[n - 1] : ends[n]]
    return content[: ends[n - 1]] + line * (2 if rng.random() < 0.5 else 0) + content[ends[n] :]


def struck_json(content: bytearray, rng: np.random.Generator) -> bytearray:
    """A member of a JSON text replaced, left out or nested."""
    try:
        values = json.loads(content)
    except (ValueError, RecursionError):  # damaged already
        return flipped_bits(content, rng)
    holders: list[tuple[Any, Any]] = []

    def collect(value: Any) -> None:
        keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
        for key in keys:
            holders.append((value, key))
            collect(value[key])

    collect(values)
    if not holders:
        return flipped_bits(content, rng)
    holder, key = holders[int(rng.integers(len(holders)))]
    if rng.random() < 0.2:
        holder.pop(key)
    elif rng.random() < 0.1:
        depth = int(rng.choice([50, 1000, 100_000]))
        return bytearray(json.dumps(values).encode().replace(b": ", b": " + b"[" * depth, 1))
    elif isinstance(holder[key], float) and rng.random() < 0.5:
        holder[key] *= float(rng.choice([-1, 0, 2, 1e6, 1e-6, 1.001]))
    else:
        holder[key] = VALUES[int(rng.integers(len(VALUES)))]
    return bytearray(json.dumps(values).encode())


BYTES: tuple[Mutation, ...] = (flipped_bits, changed_head, cut, extended, zeroed, moved, struck_number)
TEXT: tuple[Mutation, ...] = (*BYTES, struck_text, struck_text, struck_text, struck_line)
JSON: tuple[Mutation, ...] = (struck_json, struck_json, struck_json, struck_json, *TEXT)


def damaged(content: bytes, kinds: tuple[Mutation, ...], rng: np.random.Generator) -> bytes:
    """The content after one to three mutations."""
    changed = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        if changed:
            changed = kinds[int(rng.integers(len(kinds)))](changed, rng)
    return bytes(changed)
