"""What every section of the panel has in common, and what it may ask of the panel."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from radgs.errors import RadgsError

AnySection = TypeVar("AnySection", bound="Section")


class PanelServices(Protocol):
    """What the panel does for its sections; ``RadGSRegLib.panel.Panel`` is the one that does it."""

    @property
    def parameters(self) -> Any:
        """The scene's parameters, a ``RadGSRegParameterNode``; None while the module is not open."""

    def refresh(self) -> None:
        """Has every section follow again; for what changes without the parameter node's knowing."""

    def say(self, text: str) -> None:
        """Shows a line of rich text under the Apply button; an empty one takes it away. See ``theme.in_colour``."""

    def say_error(self, error: RadgsError) -> None:
        """Shows what is wrong, and the way out."""

    def announce(self, text: str) -> None:
        """Says in the application's status bar that something has come to its end."""

    def confirm(self, question: str) -> bool:
        """Asks the user in a dialog; True for yes."""

    def section(self, kind: type[AnySection]) -> AnySection:
        """Another section, for what only it can do."""


class Section:
    """One part of the panel.

    A section connects its widgets once, when it is made, and from then on shows in ``follow`` what parameters and scene
    say. It keeps no state of its own that a saved scene would have to bring back.

    Args:
        ui: The form's widgets by name; a section touches its own only.
        logic: A ``RadGSRegLogic``.
        panel: What the panel does for it.
    """

    #: Whether the user has something in it to look at.
    looking = False

    def __init__(self, ui: Any, logic: Any, panel: PanelServices) -> None:
        self.ui, self.logic, self.panel = ui, logic, panel
        self.connect()

    def connect(self) -> None:
        """Connects the section's widgets."""

    def take_up(self) -> None:
        """The module was opened: parameters and scene are there."""

    def follow(self, parameters: Any) -> None:
        """Shows what the parameters say.

        Args:
            parameters: A ``RadGSRegParameterNode``.
        """

    def forget_patient(self) -> None:
        """Forgets what was typed for a patient whose scene is about to be closed, also while the module is not open."""

    def let_go(self) -> None:
        """Lets go of everything in the scene: the module is left, or the scene is about to be closed."""
