"""Load...: what calibration files leave open is asked in words and by pictures; their views go to the X-rays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import qt
from slicer.i18n import tr as _

from radgs.errors import RadgsError
from radgs.geometry.projection import Convention
from radgs.io.calibrations import Calibration
from RadGSRegLib.scene import geometry_files, xray_nodes
from RadGSRegLib.scene.geometry_files import Answers
from RadGSRegLib.scene.trial_files import calibration_files
from RadGSRegLib.sections.readings_list import ReadingsList
from RadGSRegLib.sections.texts import error_text, fit
from RadGSRegLib.theme import in_colour

#: Axes of a calibration's world, as ``radgs`` names them.
AXES = ("+x", "-x", "+y", "-y", "+z", "-z")

#: What a picture tells of a convention, in the order of the choices.
READ_AS: dict[str, tuple[Any, ...]] = {"extrinsics": ("world-to-camera", "camera-to-world"), "rows": ("down", "up")}

#: Millimetres of the units that files come in, in the order of the choice.
UNITS_MM = (1.0, 10.0, 1000.0)


class CalibrationDialog:
    """Asks for conventions and for which view is whose; OK is there when nothing is open and everything fits.

    Args:
        paths: The calibration's files; a trial of Autoscoper, and poses that it tracked, among them.
        xrays: The X-rays of the panel, in its order.
        asked: The number of the one that the geometry is asked for.
        clicks: Per X-ray, the same bone as (column, row); None where nothing was clicked in both.
        parent: The widget in front of which the dialog opens.
        logic: A ``RadGSRegLogic``, which has the readings drawn.

    Raises:
        RadgsError: A file is no calibration.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        xrays: Sequence[Any],
        asked: int,
        clicks: Sequence[tuple[float, float]] | None,
        parent: Any,
        logic: Any,
    ) -> None:
        files = calibration_files(paths)
        self._chosen_paths, self._paths, self._poses = tuple(paths), files.cameras, files.poses
        self._xrays, self._clicks = tuple(xrays), clicks
        self._asked = asked
        self._questions = geometry_files.questions_of(self._paths, tracked=bool(self._poses))
        self._calibration: Calibration | None = None
        self._possible: tuple[Calibration, ...] = ()
        rows, columns = xray_nodes.pixels_of(self._xrays[asked]).shape[:2]
        self._size = (columns, rows)
        self.dialog = qt.QDialog(parent)
        self.dialog.windowTitle = _("Load geometry")
        self._form = qt.QFormLayout(self.dialog)
        self._add_files()
        self.choices: dict[str, Any] = {}
        for question in self._questions:
            self._ask(question)
        self.views = [self._add_view_choice(number, xray) for number, xray in enumerate(self._xrays)]
        self._readings = ReadingsList(logic, self.dialog, self._take_reading)
        self._form.addRow(self._readings.widget)
        self._add_status_and_buttons()
        self._read()

    def exec_(self) -> bool:
        """Opens the dialog; True where the X-rays have got their geometry.

        Raises:
            RadgsError: They could not take it.
        """
        try:
            if not self.dialog.exec_() or self._calibration is None:
                return False
            geometry_files.apply(self._calibration, self._chosen(), self._source)
        finally:
            self._readings.stop()
            self.dialog.deleteLater()  # its parent would keep it as long as the panel lives
        return True

    @property
    def _source(self) -> str:
        return ", ".join(path.name for path in self._chosen_paths)

    def _add_files(self) -> None:
        self.files = qt.QLabel(self._source)
        self.files.objectName = "calibrationFilesLabel"
        self.files.wordWrap = True
        self.files.minimumWidth = 380
        self.files.toolTip = "\n".join(str(path) for path in (*self._chosen_paths, *self._paths))
        self._form.addRow(_("Files:"), self.files)

    def _ask(self, question: str) -> None:
        if question == "directions":
            captions = {"superior": _("Patient's head is along:"), "anterior": _("Patient's front is along:")}
            tooltip = _("An axis of the world that the calibration is in")
            for name, caption in captions.items():
                self._add_choice(name, caption, [_("choose"), *AXES], tooltip)
            return
        if question == "pose":
            tooltip = _("A pose of a bone that was tracked tells how the patient lies: as the bone lies in its CT")
            self._add_choice(
                "pose", _("The X-rays show:"), [_("choose"), *(name for name, _pose in self._poses)], tooltip
            )
            return
        caption, items, tooltip = _texts(question)
        self._add_choice(question, caption, items, tooltip)

    def _add_choice(self, name: str, caption: str, items: Sequence[str], tooltip: str) -> None:
        box = qt.QComboBox()
        box.objectName = f"{name}ComboBox"
        for item in items:
            box.addItem(item)
        box.toolTip = tooltip
        box.connect("currentIndexChanged(int)", lambda index: self._read())
        self._form.addRow(caption, box)
        self.choices[name] = box

    def _add_view_choice(self, number: int, xray: Any) -> Any:
        box = qt.QComboBox()
        box.objectName = f"viewOf{number}ComboBox"
        box.toolTip = _("Which view of the calibration this X-ray is")
        box.connect("currentIndexChanged(int)", lambda index: self._show_status())
        self._form.addRow(_("View of {xray}:").format(xray=xray_nodes.view_name(xray)), box)
        return box

    def _add_status_and_buttons(self) -> None:
        self.status = qt.QLabel()
        self.status.objectName = "calibrationStatusLabel"
        self.status.wordWrap = True
        self.status.toolTip = _("What the files say, and what is still open")
        self._form.addRow(self.status)
        self.buttons = qt.QDialogButtonBox()
        self.buttons.setStandardButtons(qt.QDialogButtonBox.Ok | qt.QDialogButtonBox.Cancel)
        self.buttons.connect("accepted()", self.dialog.accept)
        self.buttons.connect("rejected()", self.dialog.reject)
        self._form.addRow(self.buttons)

    def _answers(self) -> Answers:
        def chosen(name: str, values: Sequence[Any]) -> Any:
            """The answer to a question; None while it is open, or where it was not asked."""
            index = self.choices[name].currentIndex - 1 if name in self.choices else -1
            return values[index] if index >= 0 else None

        unit = self.choices["unit"].currentIndex if "unit" in self.choices else 0
        convention = Convention(
            chosen("extrinsics", READ_AS["extrinsics"]),
            chosen("rows", READ_AS["rows"]),
            chosen("pixels", ("centre", "corner", "one")),
        )
        pose = chosen("pose", [pose for _name, pose in self._poses])
        return Answers(convention, UNITS_MM[unit], chosen("superior", AXES), chosen("anterior", AXES), pose)

    def _read(self) -> None:
        """Reads the files with the answers so far."""
        self._calibration, self._said = None, ""
        try:
            reading = geometry_files.read_views(self._paths, self._answers(), self._size, self._clicks_by_view())
        except RadgsError as error:
            self._said = f'<span style="color: @bad">{error_text(error)}</span>'
        else:
            self._calibration = reading.calibration
            if reading.still_open:
                named = ", ".join(_question_in_words(question) for question in reading.still_open)
                self._said = _("Still to be said: {what}.").format(what=named)
        try:
            self._possible = geometry_files.possible_readings(
                self._paths, self._answers(), self._size, self._clicks_by_view()
            )
        except RadgsError:  # said above
            self._possible = ()
        if self._possible:
            self._offer_views(self._possible[0])
        self._show_status()

    def _take_reading(self, convention: Convention) -> None:
        """The user chose a reading by its picture: the questions that it answers are answered."""
        for name, values in READ_AS.items():
            if name in self.choices and getattr(convention, name) is not None:
                blocked = self.choices[name].blockSignals(True)
                self.choices[name].setCurrentIndex(values.index(getattr(convention, name)) + 1)
                self.choices[name].blockSignals(blocked)
        self._read()

    def _clicks_by_view(self) -> list[tuple[float, float]] | None:
        """The clicks in the order of the files, where their names are the X-rays', else in the panel's."""
        if self._clicks is None:
            return None
        names = [xray_nodes.view_name(xray) for xray in self._xrays]
        files = [path.stem for path in self._paths]
        order = [names.index(name) for name in files] if set(files) == set(names) else range(len(names))
        return [self._clicks[number] for number in order]

    def _offer_views(self, calibration: Calibration) -> None:
        """Which view is whose: asked once, as all readings have the same views."""
        if self.views[0].count:
            return
        for box, number in zip(self.views, geometry_files.assign(self._xrays, calibration, self._asked), strict=True):
            blocked = box.blockSignals(True)
            box.clear()
            box.addItem(_("keeps its own geometry"))
            for view in calibration.views:
                box.addItem(view.name)
            box.setCurrentIndex(0 if number is None else number + 1)
            box.blockSignals(blocked)

    def _chosen(self) -> list[tuple[Any, int]]:
        pairs = zip(self._xrays, self.views, strict=True)
        return [(xray, box.currentIndex - 1) for xray, box in pairs if box.currentIndex > 0]

    def _show_status(self) -> None:
        said = self._said
        ready = self._calibration is not None and bool(self._chosen())
        if self._calibration is not None:
            said = self._what_it_gives(self._calibration)
        self.status.text = in_colour(said, self.dialog)
        for box in self.views:
            box.enabled = bool(self._possible)
        self._readings.show(self._possible, self._chosen(), self._answers().convention)
        self.buttons.button(qt.QDialogButtonBox.Ok).enabled = ready
        fit(self.dialog)

    def _what_it_gives(self, calibration: Calibration) -> str:
        lines = [calibration.kind]
        for xray, number in self._chosen():
            view = calibration.views[number]
            text = _("{xray}: source {sdd:.0f} mm from the film")
            sdd = view.geometry.source_to_detector_mm
            lines.append(text.format(xray=xray_nodes.view_name(xray), sdd=sdd))
        lines += sorted({sentence for view in calibration.views for sentence in view.assumed})
        if len(self._chosen()) < len(self._xrays):
            kept = _("An X-ray that keeps its own geometry has to be calibrated in the same world.")
            lines.append(f'<span style="color: @doubt">{kept}</span>')
        return "<br>".join(lines)


def _texts(question: str) -> tuple[str, list[str], str]:
    """Caption, items and tooltip of a question."""
    if question == "extrinsics":
        return (
            _("R and t map:"),
            [_("choose"), _("the world to the camera: x = R X + t"), _("the camera to the world: t is its place")],
            _("Which way the rotation and the translation of the file go"),
        )
    if question == "rows":
        return (
            _("Rows are counted:"),
            [
                _("choose"),
                _("from the top; the camera looks along +z (OpenCV)"),
                _("from the bottom; along -z (OpenGL)"),
            ],
            _("Where the file's first row is, and so which way its camera looks"),
        )
    if question == "pixels":
        return (
            _("First pixel's centre:"),
            [_("choose"), "(0, 0)", "(0.5, 0.5)", _("(1, 1), as in MATLAB")],
            _("Where whole numbers lie in the file's pixel coordinates. No click tells half a pixel: say it"),
        )
    return (
        _("Unit of the file:"),
        [_("millimetres"), _("centimetres"), _("metres")],
        _("In what MayaCam 1.0 gives the camera's place; the file does not say"),
    )


def _question_in_words(question: str) -> str:
    return {
        "extrinsics": _("which way R and t map"),
        "rows": _("where rows are counted from"),
        "pixels": _("where the first pixel's centre is"),
        "directions": _("how the patient lies in the calibration's world"),
    }[question]
