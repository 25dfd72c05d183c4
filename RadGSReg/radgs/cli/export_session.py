"""``radgs export`` in a terminal: the verdicts, the question, the files, the stream."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer

from radgs.cli.console import people_console, print_json, print_released
from radgs.errors import ExportError
from radgs.export import (
    AutoscoperFormat,
    ExportFormat,
    ReleasedPoses,
    ReleasePolicy,
    SpatialRegistrationFormat,
    WithheldError,
    export_files,
    format_named,
    release,
)
from radgs.export.igtl.link import Link
from radgs.export.igtl.message import pose_device
from radgs.export.live import LivePoses, ResultWatch, load_current, pose_messages
from radgs.io.dicom_series import read_dicom_series

#: How often a followed result.json is looked at, seconds.
WATCH_S = 0.1


@dataclass(frozen=True)
class LinkOptions:
    """Where OpenIGTLink goes.

    Attributes:
        host: Of the receiver's server, or the own address to listen at.
        port: Of the same.
        listen: Wait for receivers to connect.
        follow: Stay, and send whatever changes.
        timeout_s: Without ``follow``, how long to wait for a receiver.
    """

    host: str
    port: int
    listen: bool = False
    follow: bool = False
    timeout_s: float = 10.0


@dataclass(frozen=True)
class ExportRequest:
    """What the command line was asked for.

    Attributes:
        result: A result.json, or the folder that holds one.
        file_formats: Names of formats that are files.
        out: Their folder.
        levels: Which levels; all when empty.
        policy: What was agreed to beforehand.
        ct_dicom: DICOM files of the CT.
        xray_dicom: DICOM files of the X-rays.
        tracking: Autoscoper's poses that the case was imported with.
        tracking_row: Their row that was registered.
        link: Where OpenIGTLink goes; None without it.
        as_json: Print one JSON object; never ask.
    """

    result: Path
    file_formats: tuple[str, ...]
    out: Path | None
    levels: tuple[str, ...] = ()
    policy: ReleasePolicy = field(default_factory=ReleasePolicy)
    ct_dicom: tuple[Path, ...] = ()
    xray_dicom: tuple[Path, ...] = ()
    tracking: Path | None = None
    tracking_row: int | None = None
    link: LinkOptions | None = None
    as_json: bool = False


def run_export(request: ExportRequest) -> None:
    """Does what was asked for, in the order files, then stream.

    Raises:
        WithheldError: A verdict stands in the way and nobody confirmed it.
        RadgsError: Something cannot be read, written, or reached.
    """
    formats = _formats(request)
    if not formats and request.link is not None and request.link.follow:
        _follow(request, request.link)
        return
    released = _let_out(request)
    inputs = [request.result, *request.ct_dicom, *request.xray_dicom]
    inputs += [] if request.tracking is None else [request.tracking]
    files = [file for chosen in formats for file in export_files(released, chosen, _folder(request), inputs)]
    done: dict[str, Any] = {"files": [str(file) for file in files]}
    if request.link is not None and not request.link.follow:
        done["sent"] = _send(released, request.link)
    if request.as_json:
        levels = {pose.level: {"verdict": pose.verdict, "release": pose.release} for pose in released.poses}
        print_json({"levels": levels, **done})
    else:
        print_released(released, files)
    if request.link is not None and request.link.follow:
        _follow(request, request.link)


def _formats(request: ExportRequest) -> list[ExportFormat]:
    dicom_given = request.ct_dicom or request.xray_dicom
    if dicom_given and "dicom" not in request.file_formats:
        raise ExportError("--ct-dicom and --xray-dicom say nothing to these formats.", "Add --format dicom.")
    tracking_given = request.tracking is not None or request.tracking_row is not None
    if tracking_given and "tra" not in request.file_formats:
        raise ExportError("--tracking and --tracking-row say nothing to these formats.", "Add --format tra.")
    return [_format(request, name) for name in dict.fromkeys(request.file_formats)]


def _format(request: ExportRequest, name: str) -> ExportFormat:
    if name == "dicom" and (request.ct_dicom or request.xray_dicom):
        return SpatialRegistrationFormat(
            ct=read_dicom_series(request.ct_dicom) if request.ct_dicom else None,
            xrays=read_dicom_series(request.xray_dicom) if request.xray_dicom else None,
        )
    if name == "tra":
        if request.tracking is None or request.tracking_row is None:
            raise ExportError(
                "Nothing says in which world the poses of a .tra are.",
                "Give --tracking and --tracking-row: the poses, and the row, that the case was imported with.",
            )
        return AutoscoperFormat(request.tracking, request.tracking_row)
    return format_named(name)


def _folder(request: ExportRequest) -> Path:
    if request.out is None:
        raise ExportError("The folder for the files is not named.", "Name it with --out.")
    return request.out


def _let_out(request: ExportRequest) -> ReleasedPoses:
    """The poses, after the question where there is one to ask and a person to ask."""
    if request.file_formats:
        _folder(request)
    path = request.result / "result.json" if request.result.is_dir() else request.result
    result, digest = load_current(path)
    if request.out is not None and request.out.resolve() == path.parent.resolve():
        raise ExportError(
            f"{request.out} is the folder of the result itself, which the next registration replaces.",
            "Name another folder with --out.",
        )
    try:
        return release(result, request.policy, request.levels, digest)
    except WithheldError as withheld:
        if withheld.verdict != "check" or request.as_json or not _somebody_is_there():
            raise
        people_console().print(withheld.problem, style="bold yellow", markup=False, soft_wrap=True)
        if not typer.confirm("Have you compared the contour with the X-ray in every view? Export it?", err=True):
            raise
    return release(result, ReleasePolicy(check=True, reject=request.policy.reject), request.levels, digest)


def _somebody_is_there() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _say(sentence: str) -> None:
    people_console().print(sentence, markup=False, soft_wrap=True)


def _link(options: LinkOptions) -> Link:
    link = Link(options.host, options.port, listen=options.listen, report=_say)
    if options.listen:
        _say(f"Listening at {link.host}:{link.port}.")
    return link


def _send(released: ReleasedPoses, options: LinkOptions) -> dict[str, Any]:
    """Sends the poses once, to whoever is there within the time."""
    messages = [pose_messages(pose, time.time()) for pose in released.poses]
    with _link(options) as link:
        for of_level in messages:
            link.publish(of_level)
        end = time.monotonic() + options.timeout_s
        while not link.delivered:
            if time.monotonic() > end:
                raise _nobody(link, options)
            link.tick(WATCH_S)
        return {"devices": [pose_device(pose.level) for pose in released.poses], "peers": link.peers}


def _nobody(link: Link, options: LinkOptions) -> ExportError:
    if options.listen:
        return ExportError(
            f"No receiver has connected to {link.host}:{link.port} within {options.timeout_s:g} s.",
            "Connect the navigation system as a client, or wait longer with --timeout.",
        )
    return ExportError(
        f"No receiver at {link.host}:{link.port} has taken the poses within {options.timeout_s:g} s.",
        "Start the navigation system's OpenIGTLink server, check --host and --port, or be the server with --listen.",
    )


def _follow(request: ExportRequest, options: LinkOptions) -> None:
    """Sends now and at every change, until Ctrl-C; never asks."""
    watch = ResultWatch(request.result, _say)
    with _link(options) as link:
        live = LivePoses(link, request.policy, request.levels, _say)
        _say(f"Following {request.result}; Ctrl-C ends it.")
        try:
            while True:
                result = watch.changed()
                if result is not None:
                    live.update(result)
                link.tick(WATCH_S)
        except KeyboardInterrupt:
            _say("Stopped.")
