"""Taking back an Accept or a Revert, one step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from RadGSRegLib.scene.levels import activate, active_level, level_transforms, revert
from RadGSRegLib.scene.node_contract import ACCEPTED_ATTRIBUTE, RESULT_ATTRIBUTE


@dataclass(frozen=True, eq=False)
class Judgement:
    """What the user's judgement of a level was at one moment.

    Attributes:
        ct: The CT.
        level: The level that it followed.
        result: The level's result, as its transform keeps it.
        accepted: The verdict at which it had been accepted; None where it had not.
    """

    ct: Any
    level: str
    result: str | None
    accepted: str | None

    def holds(self) -> bool:
        """Whether the level still has the result that was judged."""
        transform = level_transforms(self.ct).get(self.level)
        return transform is not None and transform.GetAttribute(RESULT_ATTRIBUTE) == self.result

    def restore(self, segmentation: Any) -> None:
        """Puts CT and segmentation under the level again, and gives back the acceptance, or takes it away."""
        transform = level_transforms(self.ct)[self.level]
        if active_level(self.ct) != self.level:
            revert(self.ct, segmentation)
            activate(transform, self.ct, segmentation)
        if self.accepted is None:
            transform.RemoveAttribute(ACCEPTED_ATTRIBUTE)
        else:
            transform.SetAttribute(ACCEPTED_ATTRIBUTE, self.accepted)


def judgement_of(ct: Any, level: str) -> Judgement:
    """The judgement as it is now, to come back to."""
    transform = level_transforms(ct)[level]
    return Judgement(ct, level, transform.GetAttribute(RESULT_ATTRIBUTE), transform.GetAttribute(ACCEPTED_ATTRIBUTE))
