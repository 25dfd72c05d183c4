"""Pictures of the slice views and the 3D view beside the panel, drawn by MRML's own displayable managers."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from screenshots import Photographer

VIEW_SIZE = (330, 330)
THREE_D_SIZE = (480, 330)
#: Between two views of a sheet, pixels.
GAP = 6
MODES = ("split", "checkerboard", "edges", "difference", "agreement", "reconstruction")


def take_the_views(photo: Photographer) -> None:
    """The slice views and the 3D view, side by side; before, the films compared in each way."""
    from slicerhost.views import Offscreen3DView, OffscreenSliceView

    photo.user.press(photo.ui.xraysIn3DCheckBox)
    photo.settle()
    views = [OffscreenSliceView(tag, VIEW_SIZE) for tag in ("Red", "Yellow", "Green")]
    take_the_films(photo, views[:2])
    space = Offscreen3DView(THREE_D_SIZE)
    space.look((-0.6, -0.7, -0.35), zoom=1.6)
    _sheet([[picture] for picture in map(_picture, [*views, space])]).save(str(photo.folder / "11_views.png"))
    print("11_views.png")


def take_the_films(photo: Photographer, views: Sequence[Any]) -> None:
    """Both films in their slice views, compared in each way that there is beside the blend."""
    from PIL import Image

    ui, columns = photo.ui, []
    for mode in MODES:
        ui.modeComboBox.setCurrentIndex(ui.modeComboBox.findData(mode))
        photo.settle()
        columns.append([_picture(view) for view in views])
    path = photo.folder / "29_films.png"
    _sheet(columns).save(str(path))
    Image.open(path).convert("RGB").quantize(256).save(path, optimize=True)  # half the bytes
    print("29_films.png")
    ui.modeComboBox.setCurrentIndex(0)
    photo.settle()


def _picture(view: Any) -> Any:
    """A QPixmap of a view as it is now."""
    from PySide6 import QtGui

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "view.png"
        view.save(path)
        return QtGui.QPixmap(str(path))


def _sheet(columns: Sequence[Sequence[Any]]) -> Any:
    """A QPixmap of pictures in columns, each from the top, on white."""
    from PySide6 import QtCore, QtGui

    width = sum(column[0].width() + GAP for column in columns) - GAP
    height = max(sum(picture.height() + GAP for picture in column) - GAP for column in columns)
    sheet = QtGui.QPixmap(width, height)
    sheet.fill(QtCore.Qt.GlobalColor.white)
    painter, left = QtGui.QPainter(sheet), 0
    for column in columns:
        top = 0
        for picture in column:
            painter.drawPixmap(left, top, picture)
            top += picture.height() + GAP
        left += column[0].width() + GAP
    painter.end()
    return sheet
