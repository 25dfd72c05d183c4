"""What an export format is, and the common kind: one file per level that holds nothing but the pose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from radgs.export.released_poses import ReleasedPose, ReleasedPoses
from radgs.geometry import RigidTransform


@dataclass(frozen=True, eq=False)
class WrittenFile:
    """A file and the poses in it, in their order."""

    path: Path
    poses: tuple[ReleasedPose, ...]


class ExportFormat(Protocol):
    """A kind of file: how poses get in, how they come out again, and what the sidecar says of it."""

    @property
    def name(self) -> str:
        """What the command line calls it."""
        ...

    @property
    def title(self) -> str:
        """What a person is offered, in a line."""
        ...

    def write(self, released: ReleasedPoses, folder: Path) -> list[WrittenFile]:
        """Writes the poses into a folder that exists.

        Raises:
            RadgsError: They cannot be written.
        """
        ...

    def read(self, path: Path) -> list[RigidTransform]:
        """Every ``ct_to_world`` (RAS, mm) of a file, in its order.

        Raises:
            RadgsError: The file is not what it should be.
        """
        ...

    def explain(self, written: WrittenFile) -> str | None:
        """What the file holds and how to try it, for its sidecar; None where the file says so itself."""
        ...


@dataclass(frozen=True)
class PoseFileFormat:
    """One file per level, ``<level>_ct_to_world<suffix>``.

    Attributes:
        name: What the command line calls it.
        suffix: Of the files.
        title: What a person is offered.
        holds: The map in the file, its direction, frame and unit.
        trial: How a pose's point is tried, given the pose.
        write_pose: Writes ``ct_to_world``.
        read_pose: Reads ``ct_to_world``.
    """

    name: str
    suffix: str
    title: str
    holds: str
    trial: Callable[[ReleasedPose], str]
    write_pose: Callable[[Path, RigidTransform], None]
    read_pose: Callable[[Path], RigidTransform]

    def write(self, released: ReleasedPoses, folder: Path) -> list[WrittenFile]:
        """See ``ExportFormat``."""
        written = []
        for pose in released.poses:
            path = folder / f"{pose.level}_ct_to_world{self.suffix}"
            self.write_pose(path, pose.ct_to_world)
            written.append(WrittenFile(path, (pose,)))
        return written

    def read(self, path: Path) -> list[RigidTransform]:
        """See ``ExportFormat``."""
        return [self.read_pose(path)]

    def explain(self, written: WrittenFile) -> str:
        """See ``ExportFormat``."""
        return f"{self.holds}\n{self.trial(written.poses[0])}"
