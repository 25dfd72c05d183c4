"""Which frame of a DICOM run is meant: a strip of thumbnails."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import qt
from numpy.typing import NDArray
from slicer.i18n import tr as _

from radgs.errors import InputFileError
from radgs.io.dicom_files import read_dataset, whole
from radgs.io.dicom_xrays import read_dicom_xray

#: Pixels along a thumbnail's longer side, and how many thumbnails are drawn of a long run at most.
THUMBNAIL, MOST_THUMBNAILS = 96, 200


def frames_of(path: Path) -> int:
    """How many frames a DICOM file has.

    Raises:
        InputFileError: It cannot be read.
    """
    return whole(path, read_dataset(path, pixels=False), "NumberOfFrames", 1)


def choose_frame(path: Path, parent: Any) -> int | None:
    """The frame, from 0, that the user chooses; without asking where there is one. None where the user leaves.

    Args:
        path: The DICOM file.
        parent: The widget in front of which the dialog opens; None for none.

    Raises:
        InputFileError: It cannot be read.
    """
    count = frames_of(path)
    if count == 1:
        return 0
    dialog = FrameDialog(path, count, parent)
    try:
        return dialog.exec_()
    finally:
        dialog.dialog.deleteLater()


class FrameDialog:
    """The thumbnails of a run.

    Args:
        path: The DICOM file.
        count: How many frames it has.
        parent: The widget in front of which the dialog opens; None for none.

    Raises:
        InputFileError: Its pixels cannot be read.
    """

    def __init__(self, path: Path, count: int, parent: Any) -> None:
        values = read_dicom_xray(path).values
        if values.ndim < 3 or values.shape[0] != count:
            raise InputFileError(f"{path} does not hold its {count} frames.", "Export the run again.")
        self.dialog = qt.QDialog(parent)
        self.dialog.windowTitle = _("Choose a frame of {name}").format(name=path.name)
        layout = qt.QVBoxLayout(self.dialog)
        self.frames = qt.QListWidget()
        self.frames.objectName = "framesList"
        self.frames.setViewMode(qt.QListView.IconMode)
        self.frames.setIconSize(qt.QSize(THUMBNAIL, THUMBNAIL))
        self.frames.setResizeMode(qt.QListView.Adjust)
        self.frames.setMovement(qt.QListView.Static)
        self.frames.toolTip = _("The frame that is registered: the one that shows the vertebra best, the C-arm at rest")
        self.frames.minimumWidth, self.frames.minimumHeight = 4 * (THUMBNAIL + 24), 2 * (THUMBNAIL + 40)
        step = -(-count // MOST_THUMBNAILS)
        self._shown = list(range(0, count, step))
        with tempfile.TemporaryDirectory() as folder:
            for number in self._shown:
                icon = qt.QIcon(_thumbnail(values[number], Path(folder)))
                self.frames.addItem(qt.QListWidgetItem(icon, str(number + 1)))
        self.frames.setCurrentRow(0)
        layout.addWidget(self.frames)
        buttons = qt.QDialogButtonBox()
        buttons.setStandardButtons(qt.QDialogButtonBox.Ok | qt.QDialogButtonBox.Cancel)
        buttons.connect("accepted()", self.dialog.accept)
        buttons.connect("rejected()", self.dialog.reject)
        self.frames.connect("itemDoubleClicked(QListWidgetItem*)", lambda item: self.dialog.accept())
        layout.addWidget(buttons)

    def exec_(self) -> int | None:
        """Opens the dialog; the chosen frame, from 0, or None."""
        return self._shown[self.frames.currentRow] if self.dialog.exec_() else None


def _thumbnail(frame: NDArray, folder: Path) -> Any:
    """A frame as a small picture, its own range of values spread over the greys."""
    step = max(1, -(-max(frame.shape[:2]) // THUMBNAIL))
    small = frame[::step, ::step].astype(np.float32)
    if small.ndim == 3:
        small = small.mean(axis=-1)
    low, high = np.nanpercentile(small, (1.0, 99.0))
    grey = np.clip((small - low) / max(high - low, 1e-6) * 255, 0, 255).astype(np.uint8)
    rows, columns = grey.shape
    path = folder / "thumbnail.pgm"  # a portable grey map, which Qt reads by itself
    path.write_bytes(f"P5 {columns} {rows} 255 ".encode() + grey.tobytes())
    return qt.QPixmap(str(path))
