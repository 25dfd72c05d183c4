"""Results: a row per level with verdict, predicted error and similarity; Accept and Revert."""

from __future__ import annotations

import math
from html import escape
from typing import Any
from urllib.parse import quote, unquote

import qt
from slicer.i18n import tr as _

from radgs.errors import RadgsError
from RadGSRegLib.engine.result_import import result_of
from RadGSRegLib.review import acceptance
from RadGSRegLib.review.judgement_undo import Judgement, judgement_of
from RadGSRegLib.review.never_found import never_found
from RadGSRegLib.review.verdicts import signed_verdict, verdict_colours
from RadGSRegLib.review.where_to_look import where_to_look
from RadGSRegLib.scene.levels import active_level, level_transforms
from RadGSRegLib.sections.reasons import ReasonsSection
from RadGSRegLib.sections.section import Section
from RadGSRegLib.theme import colour, darken_selection

#: How a link begins that shows a reason.
SHOW = "show:"


class ResultsSection(Section):
    """Reads the levels' transforms, and what the CT keeps of levels never found: a saved scene shows the same."""

    def connect(self) -> None:
        """Connects the table and the buttons."""
        table = self.ui.resultsTable
        headings = _headings()
        table.setColumnCount(len(headings))
        for column, (title, meaning) in enumerate(headings.items()):
            heading = qt.QTableWidgetItem(title)
            heading.setToolTip(meaning)
            table.setHorizontalHeaderItem(column, heading)
        table.verticalHeader().setVisible(False)
        table.horizontalHeader().setHighlightSections(False)
        for column in range(len(headings)):
            last = column == len(headings) - 1
            mode = qt.QHeaderView.Stretch if last else qt.QHeaderView.ResizeToContents
            table.horizontalHeader().setSectionResizeMode(column, mode)
        darken_selection(table)
        table.connect("itemSelectionChanged()", self._select)
        self.ui.acceptButton.connect("clicked(bool)", self._accept)
        self.ui.revertButton.connect("clicked(bool)", self._revert)
        self.ui.undoButton.connect("clicked(bool)", self._undo)
        self.ui.reasonsLabel.connect("linkActivated(QString)", self._show_reason)
        #: What Undo comes back to, and what it takes back.
        self._before: tuple[Judgement, str] | None = None

    def let_go(self) -> None:
        """Forgets what could be undone."""
        self._before = None

    def follow(self, parameters: Any) -> None:
        """Shows the results of the CT's levels; the selected row is the level that the CT follows."""
        self._results = _results_of(parameters.ct)
        self._obstacles = {level: kept.obstacle for level, kept in self.logic.registeredLevels(parameters.ct).items()}
        self._show_rows()
        self._show_reasons()
        self._show_buttons()

    def _show_rows(self) -> None:
        table = self.ui.resultsTable
        blocked = table.blockSignals(True)
        table.setRowCount(len(self._results))
        for row, (level, (transform, result)) in enumerate(self._results.items()):
            for column, text in enumerate([*_texts(level, result), self._state(level, transform)]):
                table.setItem(row, column, self._item(text, result["verdict"] if column == 1 else None))
        active = active_level(self.panel.parameters.ct)
        if active in self._results:
            table.selectRow(list(self._results).index(active))
        else:
            table.clearSelection()
        table.resizeRowsToContents()
        height = table.horizontalHeader().height + sum(table.rowHeight(row) for row in range(len(self._results))) + 4
        table.setFixedHeight(max(height, 50))
        table.blockSignals(blocked)

    def _show_reasons(self) -> None:
        level = active_level(self.panel.parameters.ct)
        without_pose = [name for name, (transform, _result) in self._results.items() if transform is None]
        shown = [level, *without_pose] if level in self._results else list(self._results)
        reasons = [
            _reason_line(name, number, reason, colour("link", self.ui.reasonsLabel))
            for name in shown
            for number, reason in enumerate(self._results[name][1]["reasons"])
        ]
        if not self._results:
            reasons = [_("Nothing has been registered yet.")]
        self.ui.reasonsLabel.text = "<br>".join(reasons)
        self.ui.reasonsLabel.setVisible(bool(reasons))

    def _show_reason(self, link: str) -> None:
        """Brings what a reason speaks of before the user's eyes."""
        name, number = link.removeprefix(SHOW).rsplit("/", 1)
        level = unquote(name)
        if level not in self._results:
            return
        self._follow_level(level)
        reason = self._results[level][1]["reasons"][int(number)]
        self.panel.section(ReasonsSection).show_reason(reason["code"], reason["message"])

    def _show_buttons(self) -> None:
        level = active_level(self.panel.parameters.ct)
        accept, revert = self.ui.acceptButton, self.ui.revertButton
        revert.enabled = level is not None and not self.logic.running
        revert.toolTip = (
            _("Put CT and segmentation back where they were; the registered vertebra stays")
            if level
            else _("CT and segmentation stand where they were before any registration")
        )
        self._show_undo()
        why_not = self._why_not_to_accept(level)
        accept.enabled = why_not is None
        accept.text = _("Accept {level}").format(level=level) if level else _("Accept")
        accept.toolTip = why_not or _("Mark the pose of {level} as judged and good").format(level=level)

    def _show_undo(self) -> None:
        if self._before is not None and not self._before[0].holds():
            self._before = None  # another result, another judgement
        button = self.ui.undoButton
        button.enabled = self._before is not None and not self.logic.running
        button.text = _("Undo") if self._before is None else _("Undo {deed}").format(deed=self._before[1])
        button.toolTip = (
            _("There is no Accept or Revert to take back")
            if self._before is None
            else _("Back to how it was before {deed}").format(deed=self._before[1])
        )

    def _why_not_to_accept(self, level: str | None) -> str | None:
        if self.logic.running:
            return _("A registration is under way")
        if level is None or level not in self._results:
            return _("Select a level first") if self._results else _("Nothing has been registered yet")
        transform, result = self._results[level]
        if result["verdict"] == "reject":
            return _("A rejected pose cannot be accepted: correct the inputs, and register again")
        if (obstacle := self._obstacles.get(level)) is not None:
            return f"{level}: {obstacle.why}. {obstacle.remedy}"
        if acceptance.is_accepted(transform):
            return _("{level} is accepted").format(level=level)
        return None

    def _state(self, level: str, transform: Any) -> str:
        """Whether a pose is accepted; one that does not hold any more is not, whatever it was."""
        if transform is None:
            return ""
        if self._results[level][1]["ct_to_world"] is not None and self._obstacles.get(level) is not None:
            return _("moved since")
        return _("✓ accepted") if acceptance.is_accepted(transform) else _("not accepted")

    def _select(self) -> None:
        rows = {index.row() for index in self.ui.resultsTable.selectionModel().selectedRows()}
        inputs = self.logic.inputs()
        levels = list(self._results)
        if len(rows) != 1 or inputs.segmentation is None or max(rows) >= len(levels):
            return
        self._follow_level(levels[rows.pop()])

    def _follow_level(self, level: str) -> None:
        """Puts CT and segmentation where a level was found, if it ever was."""
        if self._results[level][0] is None:
            return
        inputs = self.logic.inputs()
        try:
            if inputs.segmentation is not None and active_level(inputs.ct) != level:
                self.logic.setActiveLevel(inputs, level)
        except RadgsError as error:
            self.panel.say_error(error)
        self.panel.refresh()

    def _accept(self) -> None:
        ct = self.panel.parameters.ct
        level = active_level(ct)
        if level is None:
            return
        _transform, result = self._results[level]
        question = _question(level, result)
        if question and not self.panel.confirm(question):
            return
        before = judgement_of(ct, level)
        try:
            acceptance.accept(ct, level)
        except RadgsError as error:
            self.panel.say_error(error)
        else:
            self._before = before, _("Accept {level}").format(level=level)
        self.panel.refresh()

    def _revert(self) -> None:
        inputs = self.logic.inputs()
        if inputs.ct is None or inputs.segmentation is None:
            return
        level = active_level(inputs.ct)
        if level is not None and level in self._results:
            self._before = judgement_of(inputs.ct, level), _("Revert")
            acceptance.withdraw_acceptance(self._results[level][0])
        self.logic.revert(inputs)
        self.panel.refresh()

    def _undo(self) -> None:
        inputs, before = self.logic.inputs(), self._before
        self._before = None
        if before is not None and inputs.segmentation is not None:
            before[0].restore(inputs.segmentation)
        self.panel.refresh()

    def _item(self, text: str, verdict: str | None) -> Any:
        item = qt.QTableWidgetItem(text)
        if verdict is not None:
            # A patch beside the word, because a selected row takes the word's own colour away.
            colours = verdict_colours(verdict, self.ui.resultsTable)
            icon = qt.QIcon()
            for mode, shade in zip((qt.QIcon.Normal, qt.QIcon.Selected), colours, strict=True):
                patch = qt.QPixmap(12, 12)
                patch.fill(qt.QColor(shade))
                icon.addPixmap(patch, mode)
            item.setIcon(icon)
            item.setForeground(qt.QBrush(qt.QColor(colours[0])))
            font = item.font()
            font.setBold(True)
            item.setFont(font)
        return item


def _headings() -> dict[str, str]:
    """The table's headings; what stands behind each is its tooltip."""
    return {
        _("Level"): _("The vertebra; select a row to put CT and segmentation where it was found"),
        _("Verdict"): _("accept: every check passed; check: compare the contour yourself; reject: do not use"),
        _("Error"): _("Predicted: 95 % of the vertebra's surface is expected to lie within this of its true place"),
        _("Similarity"): _("Of X-ray and CT, before and after, 1 at best; not a measure of accuracy"),
        _("State"): _("Whether you accepted the pose"),
    }


def _reason_line(level: str, number: int, reason: dict[str, Any], link: str) -> str:
    """A reason as rich text, with a link, in a colour, that leads to where it can be seen."""
    said = escape(f"{level}: {reason['message']}", quote=False)
    if where_to_look(reason["code"]) is None:
        return said
    place = f"{SHOW}{quote(level, safe='')}/{number}"
    return f'{said} <a href="{place}" style="color: {link}">{_("Show")}</a>'


def _results_of(ct: Any) -> dict[str, tuple[Any, dict[str, Any]]]:
    """Transform and result by level, for the levels of a CT that have been registered; those never found have none."""
    if ct is None:
        return {}
    results = {level: (transform, result_of(transform)) for level, transform in level_transforms(ct).items()}
    found = {level: (transform, result) for level, (transform, result) in results.items() if result is not None}
    return {**found, **{level: (None, result) for level, result in never_found(ct).items() if level not in found}}


def _texts(level: str, result: dict[str, Any]) -> list[str]:
    """A row's cells, but the last."""
    verdict = result["verdict"]
    return [
        level,
        signed_verdict(verdict),
        _predicted(result),
        _similarities(result),
    ]


def _predicted(result: dict[str, Any]) -> str:
    if result["ct_to_world"] is None:
        return _("no pose")
    error = result["predicted_error_mm"].get("surface_p95")
    known = error is not None and math.isfinite(error)
    return _("{error:.1f} mm").format(error=error) if known else _("unknown")


def _similarities(result: dict[str, Any]) -> str:
    """Before and after, per view; a value that could not be computed is a dash."""
    parts = []
    for view, values in result["similarity"].items():
        before, after = (values.get(when) for when in ("start", "result"))
        numbers = " → ".join("–" if value is None else f"{value:.2f}" for value in (before, after))
        parts.append(f"{view} {numbers}")
    return "\n".join(parts)


def _question(level: str, result: dict[str, Any]) -> str:
    """What is asked before a pose is accepted; nothing where nothing is open."""
    asked = []
    if result["verdict"] == "check":
        reasons = " ".join(reason["message"] for reason in result["reasons"])
        text = _("The pose of {level} is to be checked: {reasons}\n\nHave you compared the contour with both X-rays?")
        asked.append(text.format(level=level, reasons=reasons))
    asked += [question["message"] for question in result.get("questions", ())]
    if not asked:
        return ""
    return "\n\n".join([*asked, _("Accept {level}?").format(level=level)])
