"""The live rows of the Export section: where poses go by OpenIGTLink, start and stop, and how the connection stands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from slicer.i18n import tr as _

from radgs.errors import RadgsError
from radgs.export import ReleasePolicy
from RadGSRegLib.export.registered_levels import KeptLevel
from RadGSRegLib.export.stream import StreamState
from RadGSRegLib.sections.export_gate import ExportGate
from RadGSRegLib.sections.export_texts import state_text
from RadGSRegLib.sections.texts import without_long_words


class LiveRows:
    """Start -> Stop, and the state.

    The stream goes on while another module is open; what it sends was chosen when it was started.

    Args:
        ui: The form's widgets by name.
        logic: A ``RadGSRegLogic``.
        gate: Asks before a pose in doubt leaves.
        say_error: Shows what is wrong, and the way out.
        changed: Called when the stream was started or has ended.
    """

    def __init__(
        self,
        ui: Any,
        logic: Any,
        gate: ExportGate,
        say_error: Callable[[RadgsError], None],
        changed: Callable[[], None],
    ) -> None:
        self._ui, self._logic, self._gate = ui, logic, gate
        self._say_error, self._changed = say_error, changed
        self._ct: Any = None
        self._chosen: Sequence[KeptLevel] = ()
        self._running = False
        ui.streamButton.connect("clicked(bool)", self._press)
        logic.stream.changed = self._show
        self._show(logic.stream.state)

    def follow(self, ct: Any, chosen: Sequence[KeptLevel], why_not: str | None) -> None:
        """Shows what the button does.

        Args:
            ct: The CT.
            chosen: The levels that are ticked.
            why_not: Why they cannot leave now, as the next thing to do; None where they can.
        """
        self._ct, self._chosen = ct, chosen
        running = self._running = self._logic.stream.running
        names = ", ".join(kept.level for kept in chosen)
        why_not = why_not or (None if self._ui.streamHostEdit.text.strip() else _("Type the host"))
        button = self._ui.streamButton
        button.enabled = running or why_not is None
        button.text = _("Stop") if running else why_not or _("Start: {levels}").format(levels=names)
        button.toolTip = (
            _("End the stream; receivers keep the last pose they got")
            if running
            else why_not or _("Send the poses now, and again whenever they change")
        )
        for widget in (self._ui.streamHostEdit, self._ui.streamPortSpinBox, self._ui.streamListenCheckBox):
            widget.enabled = not running

    def _press(self) -> None:
        if self._logic.stream.running:
            self._logic.stopStream()
            self._changed()
            return
        deed = _("send {levels} live").format(levels=", ".join(kept.level for kept in self._chosen))
        self._gate.ask(self._chosen, deed, self._start)

    def _start(self, policy: ReleasePolicy) -> None:
        ui, names = self._ui, [kept.level for kept in self._chosen]
        host, port, listen = ui.streamHostEdit.text.strip(), ui.streamPortSpinBox.value, ui.streamListenCheckBox.checked
        try:
            self._logic.startStream(self._ct, host, port, listen, names, policy)
        except RadgsError as error:
            self._say_error(error)
        self._changed()

    def _show(self, state: StreamState) -> None:
        text = state_text(state)
        self._ui.streamStateLabel.text = without_long_words(text)
        self._ui.streamStateLabel.toolTip = text
        self._ui.streamStateLabel.setVisible(bool(text))
        if self._running != self._logic.stream.running:
            self._changed()
