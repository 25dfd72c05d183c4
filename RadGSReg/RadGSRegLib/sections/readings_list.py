"""The ways to read a calibration, each with the X-rays beside the DRRs that it would give: one is chosen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import qt
from slicer.i18n import tr as _

from radgs.geometry.projection import Convention
from radgs.io.calibrations import Calibration
from RadGSRegLib.sections.exposure_pictures import ExposurePictures
from RadGSRegLib.sections.texts import fit
from RadGSRegLib.theme import style

#: Of a reading's picture, pixels: two X-rays with their DRRs, as ``radgs.overlay.exposures`` draws them.
PICTURE_WIDTH, PICTURE_HEIGHT = 460, 112
#: So many readings are seen without scrolling, each with a line of words under it.
MOST_IN_SIGHT, LINE = 2, 20


class ReadingsList:
    """A list that grows with what it holds; it is hidden while there is nothing to see.

    Args:
        logic: A ``RadGSRegLogic``.
        dialog: The dialog that grows and shrinks with the list.
        chosen: Called with the convention of the reading that the user chooses.
    """

    def __init__(self, logic: Any, dialog: Any, chosen: Callable[[Convention], None]) -> None:
        self._dialog, self._chosen = dialog, chosen
        self._readings: tuple[Calibration, ...] = ()
        self._answered: Convention | None = None
        self.widget = qt.QWidget()
        layout = qt.QVBoxLayout(self.widget)
        layout.setContentsMargins(0, 0, 0, 0)
        self.caption = qt.QLabel()
        self.caption.objectName = "readingsCaptionLabel"
        self.caption.wordWrap = True
        layout.addWidget(self.caption)
        self.readings = qt.QListWidget()
        self.readings.objectName = "readingsList"
        self.readings.setViewMode(qt.QListView.IconMode)
        self.readings.setMovement(qt.QListView.Static)
        self.readings.setIconSize(qt.QSize(PICTURE_WIDTH, PICTURE_HEIGHT))
        self.readings.toolTip = _(
            "Each X-ray, and beside it the CT as this reading would show it, not registered: head and feet, left and "
            "right and the size should agree. Click the reading that fits."
        )
        self.readings.connect("currentRowChanged(int)", self._choose)
        layout.addWidget(self.readings)
        self._pictures = ExposurePictures(logic, self._show, self._say)
        self._show([])
        self._say("")

    def show(
        self,
        readings: Sequence[Calibration],
        views: Sequence[tuple[Any, int]],
        answered: Convention,
    ) -> None:
        """Has every reading drawn.

        Args:
            readings: What remains; empty to show nothing.
            views: The X-rays, and which of a reading's views is whose.
            answered: What the user said of the convention so far.
        """
        self._readings, self._answered = tuple(readings), answered
        geometries = [[(xray, reading.views[number].geometry) for xray, number in views] for reading in readings]
        self._pictures.draw(geometries if views else [])
        self._select()

    def stop(self) -> None:
        """Nobody looks any more."""
        self._pictures.stop()

    def _show(self, pictures: list[Any]) -> None:
        if len(pictures) != len(self._readings):  # of an earlier question
            pictures = []
        blocked = self.readings.blockSignals(True)
        self.readings.clear()
        for picture, reading in zip(pictures, self._readings, strict=False):
            self.readings.addItem(qt.QListWidgetItem(qt.QIcon(picture), reading_in_words(reading.convention)))
        self.readings.blockSignals(blocked)
        self.readings.setVisible(bool(pictures))
        if pictures:
            several = _("Each X-ray beside the CT as a reading would show it, not registered: click the one that fits.")
            alone = _("Each X-ray beside the CT as this calibration would show it, not registered: they should agree.")
            self._say(several if len(pictures) > 1 else alone)
            self.readings.setFixedHeight(min(len(pictures), MOST_IN_SIGHT) * (PICTURE_HEIGHT + LINE) + LINE // 2)
            self.readings.minimumWidth = PICTURE_WIDTH + 48
        self._select()
        fit(self._dialog)

    def _select(self) -> None:
        """The reading that the answers name is selected, where they name one."""
        said = self._answered
        row = next((n for n, one in enumerate(self._readings) if said is not None and _names(said, one)), -1)
        blocked = self.readings.blockSignals(True)
        self.readings.setCurrentRow(row if row < self.readings.count else -1)
        self.readings.blockSignals(blocked)

    def _choose(self, row: int) -> None:
        if 0 <= row < len(self._readings):
            convention = self._readings[row].convention
            if convention is not None:
                self._chosen(convention)

    def _say(self, text: str) -> None:
        self.caption.text, self.caption.styleSheet = text, style("faint", self._dialog)
        self.caption.setVisible(bool(text))
        fit(self._dialog)


def _names(said: Convention, reading: Calibration) -> bool:
    """Whether answers name a reading and no other."""
    of = reading.convention
    if of is None:
        return True
    return said.rows == of.rows and (of.extrinsics is None or said.extrinsics == of.extrinsics)


def reading_in_words(convention: Convention | None) -> str:
    """What tells a reading from the others."""
    if convention is None:
        return ""
    maps = {
        "world-to-camera": _("R and t map the world to the camera"),
        "camera-to-world": _("R and t map the camera to the world"),
        None: "",
    }[convention.extrinsics]
    rows = {"down": _("rows from the top"), "up": _("rows from the bottom"), None: ""}[convention.rows]
    return ", ".join(part for part in (maps, rows) if part)
