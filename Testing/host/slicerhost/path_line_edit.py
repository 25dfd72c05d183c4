"""A stand-in for ctkPathLineEdit: a line for a path, with a validator, a history and a button that opens a dialog."""

from __future__ import annotations

import re
from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets

from slicerhost.pythonqt import plain_property

MAX_HISTORY = 5


class ctkPathLineEdit(QtWidgets.QWidget):  # noqa: N801
    """Tells of a path only where its validator accepts it, and never accepts an empty one."""

    STAND_IN = True
    SIGNALS = ("currentPathChanged(QString)", "validInputChanged(bool)")
    currentPathChanged = QtCore.Signal(str)  # noqa: N815
    validInputChanged = QtCore.Signal(bool)  # noqa: N815
    label = plain_property(str, "_label", "")
    minimumContentsLength = plain_property(int, "_minimumContentsLength", 0)  # noqa: N815
    Dirs, Files, Drives, NoSymLinks, Readable, Writable, Executable = 0x1, 0x2, 0x4, 0x8, 0x10, 0x20, 0x40
    AllEntries, Modified, Hidden, System, AllDirs, CaseSensitive = 0x7, 0x80, 0x100, 0x200, 0x400, 0x800
    NoDotAndDotDot, NoDot, NoDotDot, NoFilter = 0x1000, 0x2000, 0x4000, -1
    filters = plain_property(int, "_filters", AllEntries | NoDotAndDotDot | Readable | Executable)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.__dict__.update(_nameFilters=[], _settingKey="")
        self._was_valid = False
        self._validator = QtGui.QRegularExpressionValidator(self)
        self._combo: QtWidgets.QComboBox | None = None
        self._line: QtWidgets.QLineEdit | None = None
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        self._make_line(with_history=True)
        self._button = QtWidgets.QToolButton(self)
        self._button.setText("...")
        self._button.setSizePolicy(QtWidgets.QSizePolicy.Policy.Fixed, QtWidgets.QSizePolicy.Policy.Ignored)
        self._button.clicked.connect(self.browse)
        row.addWidget(self._button)
        self.setSizePolicy(QtWidgets.QSizePolicy.Policy.Expanding, QtWidgets.QSizePolicy.Policy.Fixed)
        self.setFocusProxy(self._line)

    def _make_line(self, with_history: bool) -> None:
        path = self.currentPath
        self._combo = None
        if with_history:
            self._combo = QtWidgets.QComboBox(self)
            self._combo.setEditable(True)
            self._combo.setInsertPolicy(QtWidgets.QComboBox.InsertPolicy.NoInsert)
            self._line, shown = self._combo.lineEdit(), self._combo
        else:
            self._line = shown = QtWidgets.QLineEdit(self)
        self._line.setValidator(self._validator)
        former = self.layout().itemAt(0)
        if former is not None:
            former.widget().hide()
            former.widget().deleteLater()
            self.layout().removeItem(former)
        self.layout().insertWidget(0, shown)
        self._validate()
        self.retrieveHistory()
        self.currentPath = path
        self._line.textChanged.connect(self._text_changed)

    def _validate(self) -> None:
        self._validator.setRegularExpression(QtCore.QRegularExpression(pattern_of(self.__dict__["_nameFilters"])))

    def _text_changed(self) -> None:
        was, self._was_valid = self._was_valid, self._line.hasAcceptableInput()
        if self._was_valid:
            self.currentPathChanged.emit(self.currentPath)
        if was != self._was_valid:
            self.validInputChanged.emit(self._was_valid)

    def _get_path(self) -> str:
        return "" if self._line is None else self._line.text

    def _set_path(self, path: str) -> None:
        self._line.setText(path)

    currentPath = QtCore.Property(str, _get_path, _set_path)  # noqa: N815

    def _get_filters(self) -> list[str]:
        return self.__dict__["_nameFilters"]

    def _set_filters(self, filters: list[str]) -> None:
        self.__dict__["_nameFilters"] = list(filters)
        self._validate()

    nameFilters = QtCore.Property("QStringList", _get_filters, _set_filters)  # noqa: N815

    def _get_key(self) -> str:
        return self.__dict__["_settingKey"]

    def _set_key(self, key: str) -> None:
        self.__dict__["_settingKey"] = key
        self.retrieveHistory()

    settingKey = QtCore.Property(str, _get_key, _set_key)  # noqa: N815

    showHistoryButton = QtCore.Property(  # noqa: N815
        bool, lambda self: self._combo is not None, lambda self, shown: self._make_line(shown)
    )
    showBrowseButton = QtCore.Property(  # noqa: N815
        bool, lambda self: self._button.isVisibleTo(self), lambda self, shown: self._button.setVisible(shown)
    )

    def comboBox(self) -> QtWidgets.QComboBox | None:  # noqa: N802
        return self._combo

    def setCurrentPath(self, path: str) -> None:  # noqa: N802
        self.currentPath = path

    def retrieveHistory(self) -> None:  # noqa: N802
        """Fills the list from the settings; an empty line then shows the newest path, whose patient's it ever was."""
        if self._combo is None:
            return
        path = self.currentPath
        blocked = self.blockSignals(True)
        self._combo.clear()
        self._combo.addItems(_as_list(QtCore.QSettings().value(self._full_key()))[:MAX_HISTORY])
        if path:
            self.currentPath = path
            self.blockSignals(blocked)
        else:
            self.blockSignals(blocked)
            self._combo.setCurrentIndex(0)

    def addCurrentPathToHistory(self) -> None:  # noqa: N802
        if self._combo is None or not self.currentPath:
            return
        path = self.currentPath
        history = [path, *(one for one in _as_list(QtCore.QSettings().value(self._full_key())) if one != path)]
        QtCore.QSettings().setValue(self._full_key(), history)
        index = self._combo.findText(path)
        if index >= 0:
            self._combo.removeItem(index)
        while self._combo.count >= MAX_HISTORY:
            self._combo.removeItem(self._combo.count - 1)
        self._combo.insertItem(0, path)
        self._combo.setCurrentIndex(0)

    def _full_key(self) -> str:
        return f"ctkPathLineEdit/{self.settingKey or self.objectName}"

    def browse(self) -> None:
        """Opens the dialog that the filters ask for."""
        names, dialog = ";;".join(self.nameFilters), QtWidgets.QFileDialog
        if not self.filters & self.Files:
            path = dialog.getExistingDirectory(self, "Select a directory...", self.currentPath)
        elif self.filters & self.Writable:
            path = dialog.getSaveFileName(self, "Select a file to save ", self.currentPath, names)
        else:
            path = dialog.getOpenFileName(self, "Open a file", self.currentPath, names)
        if path:
            self.currentPath = path

    def sizeHint(self) -> QtCore.QSize:  # noqa: N802
        shown = self._combo or self._line
        arrow = 0 if self._combo is None else 30
        return QtCore.QSize(arrow + self._button.minimumSizeHint().width(), shown.minimumSizeHint().height())

    def minimumSizeHint(self) -> QtCore.QSize:  # noqa: N802
        return self.sizeHint()


def pattern_of(name_filters: list[str]) -> str:
    """The expression that a whole path has to match: of each wildcard, only what follows its first "*.", up to a dot.

    So "Models (*.radgs.safetensors)" accepts paths that end in ".radgs", and a model's own name never.
    """
    endings = []
    for one in name_filters:
        in_brackets = re.fullmatch(r"(.*)\(([a-zA-Z0-9_.*? +;#\-\[\]@{}/!<>$%&=^~:|]*)\)", one)
        bare = [one] if re.fullmatch(r"[\w\s.*~$\[\]]+", one) else []
        wildcards = in_brackets[2].split() if in_brackets else bare
        endings += [match[1] for match in (re.search(r"\*\.(\w+)", wildcard) for wildcard in wildcards) if match]
    return "({})".format("|".join(rf".*\.{ending}?$" for ending in endings)) if endings else ".+"


def _as_list(value: Any) -> list[str]:
    """A list of texts, which settings keep as a text where there is only one."""
    return [value] if isinstance(value, str) else list(value or [])
