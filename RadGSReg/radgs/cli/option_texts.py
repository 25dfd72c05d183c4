"""What options of the command line say in one text, such as ``AP=0.3`` or ``L3:AP=512,498``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from radgs.geometry.projection import Convention
    from radgs.io.dicom_geometry import Given


def not_understood(text: str, form: str) -> Exception:
    """The error of a text that has another form than it should."""
    from radgs.errors import CaseError

    return CaseError(f'"{text}" cannot be understood.', f"Write it as {form}.")


def read_numbers(text: str, form: str, counts: tuple[int, ...]) -> tuple[float, ...]:
    """Numbers with commas between them, as many as one of the counts."""
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) not in counts:
        raise not_understood(text, form)
    return numbers


def read_number(text: str, option: str) -> float:
    """One number."""
    return read_numbers(text, f"{option} NUMBER", (1,))[0]


def read_lengths(text: str | None, option: str) -> tuple[float, float, float] | None:
    """Three numbers above zero; None where nothing was said."""
    if text is None:
        return None
    x, y, z = read_numbers(text, f"{option} X,Y,Z", (3,))
    if min(x, y, z) <= 0:
        raise not_understood(text, f"{option} with three numbers above 0")
    return x, y, z


def read_flips(text: str) -> tuple[bool, bool, bool]:
    """Three numbers that are 0 or not."""
    x, y, z = read_numbers(text, "--flip 0,1,0", (3,))
    return bool(x), bool(y), bool(z)


def read_size(text: str | None) -> tuple[int, int] | None:
    """Columns and rows; None where nothing was said."""
    if text is None:
        return None
    columns, rows = read_numbers(text, "--size COLUMNS,ROWS", (2,))
    if min(columns, rows) < 1 or columns != int(columns) or rows != int(rows):
        raise not_understood(text, "--size COLUMNS,ROWS")
    return int(columns), int(rows)


def by_view(texts: list[str], views: list[str]) -> dict[str, str]:
    """Per view, what was said for it, else what was said for all."""
    said: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if equals and name not in views:
            raise not_understood(text, f"VIEW=..., with VIEW one of {', '.join(views)}")
        said.update({name: value} if equals else {view: text for view in views if view not in said})
    return said


def read_convention(extrinsics: str | None, rows: str | None, pixels: str | None) -> Convention:
    """What was said of how matrices are to be read."""
    from typing import get_args

    from radgs.geometry.projection import Convention, Extrinsics, Pixels, Rows

    for text, allowed in ((extrinsics, Extrinsics), (rows, Rows), (pixels, Pixels)):
        if text is not None and text not in get_args(allowed):
            raise not_understood(text, " or ".join(get_args(allowed)))
    return Convention(extrinsics, rows, pixels)  # type: ignore[arg-type]


def read_xray(text: str) -> tuple[str, tuple[Path, int | None]]:
    """A view's name, its file, and the frame of it where one is named."""
    name, _, place = text.partition("=")
    path, _, frame = place.rpartition(":")
    if not name or not place:
        raise not_understood(text, "--xray AP=FILE or AP=FILE:FRAME")
    if path and frame.isdigit():
        return name, (Path(path), int(frame))
    return name, (Path(place), None)


def read_c_arm(text: str) -> tuple[str, Given]:
    """A view's name, and its angles, distances and pixel size."""
    from radgs.io.dicom_geometry import Given

    name, _, numbers = text.partition("=")
    primary, secondary, sdd, sod, *pixel = read_numbers(numbers, "--c-arm AP=PRIMARY,SECONDARY,SDD,SOD[,PIXEL]", (4, 5))
    return name, Given(primary, secondary, sdd, sod, (pixel[0], pixel[0]) if pixel else None)


def read_clicks(texts: list[str] | tuple[str, ...]) -> dict[str, dict[str, tuple[float, float]]]:
    """Per level and view, (column, row)."""
    found: dict[str, dict[str, tuple[float, float]]] = {}
    for text in texts:
        place, _, numbers = text.partition("=")
        level, _, view = place.partition(":")
        column, row = read_numbers(numbers, "--click L3:AP=COLUMN,ROW", (2,))
        found.setdefault(level, {})[view] = (column, row)
    return found
