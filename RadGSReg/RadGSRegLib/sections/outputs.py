"""Outputs: where a level's results go, new nodes or some that there are; for several levels, what they are called."""

from __future__ import annotations

from functools import partial
from typing import Any

from slicer.i18n import tr as _

from RadGSRegLib.engine.result_import import name_of
from RadGSRegLib.scene.fitting import fits_as_output_transform, fits_as_output_volume, offer, offer_all
from RadGSRegLib.scene.levels import level_transforms
from RadGSRegLib.scene.node_contract import RECONSTRUCTION_ROLE
from RadGSRegLib.sections.section import Section
from RadGSRegLib.sections.texts import put_text


class OutputsSection(Section):
    """Two selectors while one level is ticked; with several, the names' patterns under Advanced count."""

    def let_go(self) -> None:
        """Offers everything again."""
        for selector in (self.ui.outputTransformSelector, self.ui.outputVolumeSelector):
            offer_all(selector)

    def follow(self, parameters: Any) -> None:
        """Shows where the results of the ticked levels go."""
        ui, levels = self.ui, list(parameters.segments)
        names = {level: name_of(parameters.transformName, level) for level in levels}
        known = {} if parameters.ct is None else level_transforms(parameters.ct)
        single = levels[0] if len(levels) == 1 and parameters.ct is not None else None
        if single is not None and self._drop_misfits(parameters, single):
            return  # the parameters have changed, and every section has followed again
        for row in (ui.outputTransformCaption, ui.outputTransformSelector, ui.outputVolumeCaption):
            row.setVisible(single is not None)
        ui.outputVolumeSelector.setVisible(single is not None)
        if single is not None:
            self._show_selectors(parameters, single, known.get(single))
        words = {level: _("{name} (will be replaced)") if level in known else _("{name} (new)") for level in levels}
        lines = [
            words[level].format(name=known[level].GetName() if level in known else names[level]) for level in levels
        ]
        put_text(ui.outputsLabel, ", ".join(lines))
        for widget in (ui.outputsCaption, ui.outputsLabel):
            widget.setVisible(len(levels) > 1)
        edits = (ui.transformNameEdit, ui.reconstructionNameEdit, ui.outputTransformSelector, ui.outputVolumeSelector)
        for widget in edits:
            widget.enabled = not self.logic.running

    @staticmethod
    def _drop_misfits(parameters: Any, level: str) -> bool:
        """Lets go of an output that belongs to another level, or has become an input; True where there was one."""
        transform, volume, ct = parameters.outputTransform, parameters.outputVolume, parameters.ct
        if transform is not None and not fits_as_output_transform(transform, ct, level):
            parameters.outputTransform = None
            return True
        if volume is not None and not fits_as_output_volume(volume, ct, level):
            parameters.outputVolume = None
            return True
        return False

    def _show_selectors(self, parameters: Any, level: str, transform: Any) -> None:
        volume = None if transform is None else transform.GetNodeReference(RECONSTRUCTION_ROLE)
        selectors = (self.ui.outputTransformSelector, self.ui.outputVolumeSelector)
        chosen = (parameters.outputTransform, parameters.outputVolume)
        rules = (fits_as_output_transform, fits_as_output_volume)
        patterns = (parameters.transformName, parameters.reconstructionName)
        for selector, node, fits, own, pattern in zip(
            selectors, chosen, rules, (transform, volume), patterns, strict=True
        ):
            name = name_of(pattern, level)
            selector.baseName = name
            text = _("New: {name}").format(name=name) if own is None else _("Replace {name}").format(name=own.GetName())
            _say_for_none(selector, text)
            offer(selector, node, partial(fits, ct=parameters.ct, level=level))


def _say_for_none(selector: Any, text: str) -> None:
    """What a selector says where nothing is chosen.

    Slicer's takes the entry out and puts another in, and meanwhile a neighbour becomes the current one, of which nobody
    may hear.
    """
    if selector.noneDisplay != text:
        chosen, blocked = selector.currentNode(), selector.blockSignals(True)
        selector.noneDisplay = text
        selector.setCurrentNode(chosen)
        selector.blockSignals(blocked)
