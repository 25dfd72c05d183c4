"""Fields for one exposure of a C-arm in a clinician's terms, and what they come to in plain words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import qt
from slicer.i18n import tr as _

from radgs.geometry import FloatArray, ViewGeometry
from radgs.geometry.c_arm import PRESETS, CArm, FilmTurn, machine_to_patient
from radgs.io.calibrations.calibration import moved_view

#: Further than any C-arm reaches, mm.
FARTHEST = 5000.0

#: A direction that makes less of the beam than this is not spoken of: the sine of 3 degrees.
NOT_SPOKEN_OF = 0.05


class CArmFields:
    """A form of angles, distances, pixel size, and how the patient lies.

    Args:
        size: Columns and rows of the X-ray.
        changed: Called when the user changed something.
    """

    def __init__(self, size: tuple[int, int], changed: Callable[[], None]) -> None:
        self._size, self._changed, self._quiet = size, changed, False
        self.widget = qt.QWidget()
        self._form = qt.QFormLayout(self.widget)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._add_preset()
        self._add_patient()
        self._add_angles()
        self._add_distances()
        self._add_image()
        self.words = qt.QLabel()
        self.words.objectName = "exposureWordsLabel"
        self.words.wordWrap = True
        self.words.toolTip = _("Where the detector and the source stand about the patient")
        self._form.addRow(self.words)

    def put(self, c_arm: CArm, isocentre: FloatArray) -> None:
        """Shows an exposure and its isocentre (3,), RAS mm, in angles of the patient's."""
        self._quiet = True
        self.primary.value, self.secondary.value = c_arm.primary_deg, c_arm.secondary_deg
        self.detector.value, self.isocentre.value = c_arm.source_to_detector_mm, c_arm.source_to_isocentre_mm
        for box, value in zip(self.spacing, c_arm.spacing_mm, strict=True):
            box.value = value
        middle = ((self._size[0] - 1) / 2, (self._size[1] - 1) / 2)
        for box, value in zip(self.centre, c_arm.isocentre_pixel or middle, strict=True):
            box.value = value
        for box, value in zip(self.place, isocentre, strict=True):
            box.value = float(value)
        self.turn.setCurrentIndex(c_arm.turn.quarters % 4)
        self.mirrored.checked = c_arm.turn.flipped
        self.patient.setCurrentIndex(0)
        self.preset.setCurrentIndex(0)
        self._quiet = False
        self._name_the_sides()

    def geometry(self) -> ViewGeometry:
        """Source and film as the fields say, RAS mm.

        Raises:
            GeometryError: The distances are impossible.
        """
        c_arm = CArm(
            self.primary.value,
            self.secondary.value,
            self.detector.value,
            self.isocentre.value,
            (self.spacing[0].value, self.spacing[1].value),
            self._size,
            (self.centre[0].value, self.centre[1].value),
            FilmTurn(self.turn.currentIndex, self.mirrored.checked),
        )
        turned = moved_view(c_arm.view(), machine_to_patient(tuple(patient_positions())[self.patient.currentIndex]))
        film, isocentre = turned.detector_to_ras.copy(), self.isocentre_ras
        film[:3, 3] += isocentre
        return ViewGeometry(turned.source_ras + isocentre, film, turned.shape)

    @property
    def isocentre_ras(self) -> FloatArray:
        """(3,) the isocentre, RAS mm."""
        return np.array([box.value for box in self.place])

    def show_words(self, geometry: ViewGeometry) -> None:
        """Says in words where detector and source of a geometry stand."""
        beyond = geometry.source_to_detector_mm - self.isocentre.value
        text = _("The detector is {where}, {beyond:.0f} mm from the isocentre; the source {before:.0f} mm beyond it.")
        self.words.text = text.format(
            where=direction_in_words(geometry.normal), beyond=beyond, before=self.isocentre.value
        )

    def _add_preset(self) -> None:
        self.preset = self._choice(
            "presetComboBox",
            [_("Keep these numbers"), *preset_titles().values()],
            _("Usual numbers of a machine, to start from; change what you know better"),
        )
        self.preset.connect("currentIndexChanged(int)", self._take_preset)
        self._form.addRow(_("Start from:"), self.preset)

    def _add_patient(self) -> None:
        self.patient = self._choice(
            "patientComboBox",
            list(patient_positions().values()),
            _(
                "How the patient lies, where the angles are read off the machine. In DICOM files they are the "
                "patient's already: leave the first."
            ),
        )
        self.patient.connect("currentIndexChanged(int)", lambda index: self._change())
        self._form.addRow(_("Patient lies:"), self.patient)

    def _add_angles(self) -> None:
        self.primary = self._number("primaryAngleSpinBox", (-180.0, 180.0), 3, "")
        self.primary.toolTip = _(
            "Primary angle, degrees: 0 with the detector in front of the patient, +90 (LAO) with the detector at the "
            "patient's left, -90 (RAO) at the right"
        )
        self.secondary = self._number("secondaryAngleSpinBox", (-90.0, 90.0), 3, "")
        self.secondary.toolTip = _(
            "Secondary angle, degrees: positive (cranial) with the detector tilted to the head, negative (caudal) to "
            "the feet"
        )
        self._form.addRow(_("Left / right:"), self.primary)
        self._form.addRow(_("Head / feet:"), self.secondary)

    def _add_distances(self) -> None:
        self.detector = self._number("sourceToDetectorSpinBox", (1.0, FARTHEST), 2, _(" mm"))
        self.detector.toolTip = _("Distance from the source to the detector (SDD, also called SID in DICOM), mm")
        self.isocentre = self._number("sourceToIsocentreSpinBox", (1.0, FARTHEST), 2, _(" mm"))
        self.isocentre.toolTip = _("Distance from the source to the isocentre, about which the C-arm turns, mm")
        self.place = [self._number(f"isocentre{axis}SpinBox", (-FARTHEST, FARTHEST), 2, "") for axis in "RAS"]
        for box in self.place:
            box.toolTip = _(
                "Where the isocentre is: mm to the patient's right, front and head. X-rays of one machine whose table "
                "stood still have the same"
            )
        self._form.addRow(_("Source to detector:"), self.detector)
        self._form.addRow(_("Source to isocentre:"), self.isocentre)
        self._form.addRow(_("Isocentre R, A, S:"), self._in_a_row(self.place))

    def _add_image(self) -> None:
        self.spacing = [self._number(f"pixel{side}SpinBox", (0.001, 10.0), 5, _(" mm")) for side in ("Width", "Height")]
        for box in self.spacing:
            box.toolTip = _("Size of a pixel on the detector, mm: width, height")
        self.centre = [self._number(f"isocentre{axis}SpinBox", (-1e5, 1e5), 2, _(" px")) for axis in ("Column", "Row")]
        for box in self.centre:
            box.toolTip = _(
                "Where the isocentre falls in the image: column and row, the first pixel's centre being 0. The middle, "
                "unless the image is a part of the detector"
            )
        self.turn = self._choice(
            "filmTurnComboBox",
            [_("as it was taken"), _("turned right"), _("upside down"), _("turned left")],
            _("How the image is turned against the detector; at 0 and 0 an image as taken has the head up"),
        )
        self.turn.connect("currentIndexChanged(int)", lambda index: self._change())
        self.mirrored = qt.QCheckBox(_("mirrored"))
        self.mirrored.objectName = "mirroredCheckBox"
        self.mirrored.toolTip = _(
            "Whether left and right are exchanged: an image as taken at 0 and 0 has the patient's left on its right"
        )
        self.mirrored.connect("toggled(bool)", lambda checked: self._change())
        self._form.addRow(_("Pixel size:"), self._in_a_row(self.spacing))
        self._form.addRow(_("Isocentre at pixel:"), self._in_a_row(self.centre))
        self._form.addRow(_("Image:"), self._in_a_row([self.turn, self.mirrored]))

    def _number(self, name: str, limits: tuple[float, float], decimals: int, suffix: str) -> Any:
        box = qt.QDoubleSpinBox()
        box.objectName = name
        box.setDecimals(decimals)
        box.setRange(*limits)
        box.suffix = suffix
        box.connect("valueChanged(double)", lambda value: self._change())
        return box

    @staticmethod
    def _choice(name: str, items: list[str], tooltip: str) -> Any:
        box = qt.QComboBox()
        box.objectName = name
        for item in items:
            box.addItem(item)
        box.toolTip = tooltip
        return box

    @staticmethod
    def _in_a_row(widgets: list[Any]) -> Any:
        row = qt.QWidget()
        layout = qt.QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in widgets:
            layout.addWidget(widget)
        return row

    def _take_preset(self, index: int) -> None:
        if self._quiet or index == 0:
            return
        usual = usual_exposure(tuple(preset_titles())[index - 1], self._size)
        chosen, place = self.preset.currentIndex, self.isocentre_ras
        self.put(usual, place)
        self._quiet = True
        self.preset.setCurrentIndex(chosen)
        self._quiet = False
        self._changed()

    def _change(self) -> None:
        if not self._quiet:
            self._name_the_sides()
            self._changed()

    def _name_the_sides(self) -> None:
        """LAO or RAO, cranial or caudal: a sign alone is read wrongly too often."""
        blocked = [box.blockSignals(True) for box in (self.primary, self.secondary)]
        self.primary.suffix = "°" + _side(self.primary.value, _(" LAO (left)"), _(" RAO (right)"))
        self.secondary.suffix = "°" + _side(self.secondary.value, _(" cranial (head)"), _(" caudal (feet)"))
        for box, was in zip((self.primary, self.secondary), blocked, strict=True):
            box.blockSignals(was)


def _side(value: float, positive: str, negative: str) -> str:
    return "" if value == 0 else positive if value > 0 else negative


def usual_exposure(key: tuple[str, int], size: tuple[int, int]) -> CArm:
    """A preset's exposure of an image of any size: the film keeps its size, its pixels do not.

    Args:
        key: One of ``preset_titles``: the preset, and 0 for its frontal or 1 for its lateral exposure.
        size: Columns and rows.
    """
    return PRESETS[key[0]][key[1]].for_image(size)


def preset_titles() -> dict[tuple[str, int], str]:
    """Title of every preset's exposures, by preset and number."""
    return {
        ("mobile-c-arm", 0): _("Mobile C-arm, frontal"),
        ("mobile-c-arm", 1): _("Mobile C-arm, lateral"),
        ("biplane-suite", 0): _("Biplane suite, frontal"),
        ("biplane-suite", 1): _("Biplane suite, lateral"),
    }


def patient_positions() -> dict[str, str]:
    """How a patient may lie, in words, by DICOM's code."""
    return {
        "HFS": _("on the back, head first (or angles are the patient's)"),
        "HFP": _("face down, head first"),
        "FFS": _("on the back, feet first"),
        "FFP": _("face down, feet first"),
    }


def direction_in_words(direction: FloatArray) -> str:
    """A direction (3,) from the patient, RAS, in words, what makes most of it first."""
    words = (
        (_("to the patient's right"), _("to the patient's left")),
        (_("in front of the patient"), _("behind the patient")),
        (_("towards the head"), _("towards the feet")),
    )
    axes = sorted(range(3), key=lambda axis: -abs(direction[axis]))
    spoken_of = [axis for axis in axes if abs(direction[axis]) > NOT_SPOKEN_OF]
    return ", ".join(words[axis][int(direction[axis] < 0)] for axis in spoken_of)
