"""HTML from text that may hold anything: whatever comes from a file or a user is escaped here."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Sequence
from html import escape
from io import BytesIO
from typing import Any

from matplotlib.image import imsave

from radgs.overlay.arrays import FloatImage

#: Elements without an end.
VOID = frozenset({"img", "input", "meta"})


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def element(name: str, /, *children: str, **attributes: str | bool | None) -> Markup:
    """One element; text is escaped, markup is not.

    Args:
        name: The element's.
        children: What stands in it.
        attributes: By name, "_" for "-" and a "_" at the end for nothing; True stands alone, None and
            False are left out.
    """
    written = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{escape(str(value))}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in VOID:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{joined(children)}</{name}>")


def joined(parts: Iterable[str]) -> Markup:
    """Texts, escaped, and markup one after the other."""
    return Markup("".join(part if isinstance(part, Markup) else escape(part) for part in parts))


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], **attributes: str) -> Markup:
    """A table whose rows begin with what they are about."""
    head = element("tr", *(element("th", heading, scope="col") for heading in headings))
    body = (
        element("tr", element("th", first, scope="row"), *(element("td", cell) for cell in rest))
        for first, *rest in rows
    )
    return element("table", element("thead", head), element("tbody", *body), **attributes)


def json_block(identifier: str, values: Any) -> Markup:
    """Data for a script of the page; nothing in it can end the element."""
    text = json.dumps(values, allow_nan=False, separators=(",", ":"))
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(f'<script type="application/json" id="{escape(identifier)}">{text}</script>')


def image_address(image: FloatImage) -> str:
    """The address of an image (H, W) of greys 0..1, or (H, W, 4) of colours, which holds the picture itself."""
    buffer = BytesIO()
    imsave(buffer, image, cmap="gray", vmin=0.0, vmax=1.0, format="png", pil_kwargs={"optimize": True})
    return picture_address(buffer.getvalue())


def picture_address(png: bytes) -> str:
    """The address of a PNG, which holds the picture itself."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
