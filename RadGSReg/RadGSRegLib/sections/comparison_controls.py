"""The controls that say how X-ray and DRR are compared: a choice of modes, and a slider whose meaning goes with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import qt

from RadGSRegLib.review.comparison import (
    FIRST_AMOUNT,
    FIRST_AMOUNTS,
    Comparison,
    mode_titles,
    mode_tooltips,
    slider_ends,
)


class ComparisonControls:
    """Mode and slider; a flicker's clock runs while there is something to see.

    Args:
        ui: The form's widgets by name.
        changed: Called when the pictures have to be painted anew.
    """

    def __init__(self, ui: Any, changed: Callable[[], None]) -> None:
        self._ui, self._changed = ui, changed
        self._amounts = dict(FIRST_AMOUNTS)
        self._shown = False
        #: How X-ray and DRR are compared now.
        self.comparison = Comparison()
        for mode, title in mode_titles().items():
            ui.modeComboBox.addItem(title, mode)
        for number, said in enumerate(mode_tooltips().values()):
            ui.modeComboBox.setItemData(number, said, qt.Qt.ToolTipRole)
        ui.modeComboBox.toolTip = mode_tooltips()[self.comparison.mode]
        self._clock = qt.QTimer()
        self._clock.connect("timeout()", self._swap)
        ui.modeComboBox.connect("currentIndexChanged(int)", lambda number: self._choose())
        ui.blendSlider.connect("valueChanged(int)", lambda value: self._move())

    def show(self, shown: bool) -> None:
        """There are pictures, or there are none any more."""
        self._shown = shown
        for widget in (self._ui.modeComboBox, self._ui.blendSlider):
            widget.enabled = shown
        self._run_clock()

    def choose(self, mode: str) -> None:
        """Compares in another way, as if the user had chosen it."""
        self._ui.modeComboBox.setCurrentIndex(self._ui.modeComboBox.findData(mode))

    def step(self, share: float) -> None:
        """Moves the slider by a share of its way, where it can be moved."""
        slider = self._ui.blendSlider
        if slider.enabled:
            slider.value = slider.value + round(share * slider.maximum)

    def drag_to(self, place: float) -> None:
        """Takes the line of a split to a place across the picture, 0..1; other ways to compare have none."""
        if self.comparison.mode == "split" and self._ui.blendSlider.enabled:
            self._ui.blendSlider.value = round(place * self._ui.blendSlider.maximum)

    def _choose(self) -> None:
        """Every mode keeps where its slider stood."""
        ui, mode = self._ui, self._ui.modeComboBox.currentData
        self._amounts[self.comparison.mode] = self.comparison.amount
        self.comparison = Comparison(mode, self._amounts.get(mode, FIRST_AMOUNT))
        blocked = ui.blendSlider.blockSignals(True)
        ui.blendSlider.value = round(self.comparison.amount * ui.blendSlider.maximum)
        ui.blendSlider.blockSignals(blocked)
        ui.blendCaption.text, ui.blendEndCaption.text = slider_ends(mode)
        ui.modeComboBox.toolTip = mode_tooltips()[mode]
        self._run_clock()
        self._changed()

    def _move(self) -> None:
        slider = self._ui.blendSlider
        self.comparison = replace(self.comparison, amount=slider.value / slider.maximum)
        self._run_clock()
        self._changed()

    def _swap(self) -> None:
        self.comparison = replace(self.comparison, second=not self.comparison.second)
        self._changed()

    def _run_clock(self) -> None:
        period = self.comparison.period_ms if self._shown else None
        if period is None:
            self._clock.stop()
        elif not self._clock.isActive() or self._clock.interval != period:
            self._clock.start(period)
