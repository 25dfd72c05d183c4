"""Registered levels on their way out of the scene, as files or live: what a script asks of the module's logic.

What needs numerical libraries is imported where it is used, as in ``RadGSRegLib.logic``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radgs.ports import OPENIGTLINK_PORT

if TYPE_CHECKING:
    from radgs.export import ReleasePolicy
    from RadGSRegLib.export.registered_levels import KeptLevel
    from RadGSRegLib.export.stream import LevelStream, StreamState


class LevelExports:
    """The part of ``RadGSRegLogic`` that writes and sends poses."""

    _stream: LevelStream | None = None

    def registeredLevels(self, ct: Any) -> dict[str, KeptLevel]:
        """The levels of a CT in the scene, by name: ``KeptLevel``, with verdict and obstacle."""
        from RadGSRegLib.export.registered_levels import kept_levels

        return kept_levels(ct)

    def exportLevels(
        self,
        ct: Any,
        folder: str | Path,
        formats: Sequence[str] = ("tfm",),
        levels: Sequence[str] = (),
        policy: ReleasePolicy | None = None,
        ctDicom: Sequence[str | Path] | None = None,
        xrayDicom: Sequence[str | Path] = (),
    ) -> list[Path]:
        """Writes registered levels of a CT into files, each read back and compared, and returns their paths.

        Args:
            ct: The CT.
            folder: Where to.
            formats: Names of ``radgs.export.FILE_FORMATS``.
            levels: Which levels; all by default.
            policy: A ``radgs.export.ReleasePolicy``. Without one only levels with the verdict ``accept`` leave.
            ctDicom: The CT's DICOM files or folders; by default those that Slicer loaded it from, if it did.
            xrayDicom: The X-rays' DICOM files or folders, if they are calibrated in their frame of reference.

        Raises:
            WithheldError: A verdict needs a consent that was not given (``.verdict``, ``.levels``).
            RadgsError: A level is not as it was registered, or a file cannot be written; the message says why.
        """
        from radgs.export import ReleasePolicy
        from RadGSRegLib.export.files import FileExport, export_levels
        from RadGSRegLib.export.registered_levels import choose
        from RadGSRegLib.scene.dicom_sources import dicom_files

        known = dicom_files(ct) if ctDicom is None else ctDicom
        paths = [tuple(map(Path, given)) for given in (known, xrayDicom)]
        export = FileExport(Path(folder), tuple(formats), policy or ReleasePolicy(), *paths)
        return list(export_levels(ct, choose(ct, levels), export).files)

    def startStream(
        self,
        ct: Any,
        host: str,
        port: int = OPENIGTLINK_PORT,
        listen: bool = False,
        levels: Sequence[str] = (),
        policy: ReleasePolicy | None = None,
    ) -> StreamState:
        """Sends registered levels of a CT to a navigation system by OpenIGTLink, now and whenever they change.

        Returns at once; ``stream.state`` tells how it stands, ``stopStream`` ends it.

        Args:
            ct: The CT.
            host: Of the navigation system's server; with ``listen``, the own address to listen at.
            port: Of the same.
            listen: Be the server, and wait for the navigation system to connect.
            levels: Which levels; all by default.
            policy: A ``radgs.export.ReleasePolicy`` for the poses as they are now.

        Raises:
            WithheldError: A verdict needs a consent that was not given (``.verdict``, ``.levels``).
            ExportError: A level is not as it was registered, or the address cannot be used; the message says why.
        """
        from RadGSRegLib.export.registered_levels import choose
        from RadGSRegLib.export.stream import StreamTarget

        return self.stream.start(ct, choose(ct, levels), StreamTarget(host, port, listen), policy)

    def stopStream(self, withhold: str | None = None) -> None:
        """Ends the stream of poses, if there is one.

        Args:
            withhold: Why the poses sent before are out of date, as a phrase; None where they are not.
        """
        if self._stream is not None:
            self._stream.stop(withhold)

    @property
    def stream(self) -> LevelStream:
        """The stream of poses, a ``RadGSRegLib.export.stream.LevelStream``, and how it stands."""
        if self._stream is None:
            from RadGSRegLib.export.stream import LevelStream

            self._stream = LevelStream()
        return self._stream

    def restoreLevel(self, ct: Any, level: str) -> None:
        """Puts a level's transform back to the pose that its registration found.

        Raises:
            ExportError: The level has not been registered.
        """
        from RadGSRegLib.export.registered_levels import choose, restore

        restore(choose(ct, [level])[0])
