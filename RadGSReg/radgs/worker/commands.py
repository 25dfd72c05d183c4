"""The worker's commands: register, overlay, live, exposures, prepare, report."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, get_args

from radgs.worker.requests import Message, exposures, minutes, poses, prepared_networks, starts

if TYPE_CHECKING:
    from radgs.case import RegistrationCase
    from radgs.io.json_fields import JsonObject
    from radgs.overlay.exposures import ExposurePictures
    from radgs.overlay.live import LivePictures
    from radgs.pipeline import Registration
    from radgs.pipeline.case_cache import CaseCache


class Job(Protocol):
    """A request being served, as its command sees it."""

    def report(self, level: str, stage: str, fraction: float, message: str, **more: Any) -> None:
        """Tells where the request stands."""

    def interruptible(self) -> AbstractContextManager[None]:
        """Within it, a cancellation ends the work at once, between two instructions."""

    def cancelled(self) -> bool:
        """Whether a cancellation came; outside ``interruptible`` the command asks, and ends gently."""


#: A terminal wider than this is none.
MAX_COLUMNS = 10_000
#: What a command does, as people are told when it is cancelled.
NOUNS = {
    "register": "registration",
    "overlay": "drawing",
    "live": "drawing",
    "exposures": "drawing",
    "prepare": "preparation",
    "report": "report",
}


class Commands:
    """The commands by name, and what they keep from one request to the next."""

    def __init__(self) -> None:
        #: What draws a pose that is moved, and what it was made for.
        self._moved: tuple[Any, LivePictures] | None = None
        #: The same for exposures whose geometry is being edited.
        self._exposed: tuple[Any, ExposurePictures] | None = None
        self.by_name: dict[str, Callable[[JsonObject, Job], Message]] = {
            "register": self._register,
            "overlay": self._overlay,
            "live": self._live,
            "exposures": self._exposures,
            "prepare": self._prepare,
            "report": self._report,
        }

    @cached_property
    def _cache(self) -> CaseCache:
        from radgs.io.cache_folder import user_cache
        from radgs.pipeline.case_cache import CaseCache

        return CaseCache(user_cache())

    def _register(self, request: JsonObject, job: Job) -> Message:
        from radgs.io.case_file import read_case_file
        from radgs.pipeline import Progress, register, register_self_calibrating
        from radgs.pipeline.result_folder import naming_case, result_folder, write_result_folder

        case_path, out = request.path("case"), request.path("out")
        overlays, self_calibrate = request.flag("overlays", False), request.flag("self_calibrate", False)

        def tell(progress: Progress) -> None:
            job.report(progress.level, progress.stage, progress.fraction, progress.message)

        moments = [time.perf_counter()]
        with result_folder(out) as to_be:
            device, networks, nudged = request.text("device", "auto"), prepared_networks(request), starts(request)
            with job.interruptible():
                job.report("", "read", 0.0, "reading the case")
                to_be.refuse_inputs([*read_case_file(case_path).inputs, *map(Path, request.texts("models"))])
                case = self._cache.load(case_path)
                moments.append(time.perf_counter())
                known = self._cache.vertebrae(case)
                options: dict[str, Any] = {
                    "device": device,
                    "vertebrae": known,
                    "networks": networks,
                    "keep": self._cache.keep,
                    "progress": tell,
                    "starts": nudged,
                    "remembered": self._cache.folder,
                }
                if self_calibrate:
                    case, registration = register_self_calibrating(case, **options)
                else:
                    registration = register(case, **options)
            moments.append(time.perf_counter())
            if "print" in request:
                registration = naming_case(registration, to_be, case_path)
            files = write_result_folder(to_be, case, registration, overlays=overlays)
        printed = {"printed": printed_registration(request, case, registration, files)} if "print" in request else {}
        moments.append(time.perf_counter())
        seconds = [after - before for before, after in pairwise(moments)]
        return {
            "folder": str(out),
            "files": [str(file) for file in files],
            "verdict": registration.result.worst_verdict,
            "models_reused": sorted(known),
            "seconds": dict(zip(("read", "register", "write"), seconds, strict=True)),
            **printed,
        }

    def _overlay(self, request: JsonObject, job: Job) -> Message:
        from radgs.io.volumes import read_volume
        from radgs.overlay.pictures import save_pictures

        case_path, out = request.path("case"), request.path("out")
        name, shown = request.text("level"), poses(request)
        reconstruction = request.path("reconstruction") if "reconstruction" in request else None
        with job.interruptible():
            job.report(name, "read", 0.0, "reading the case")
            case = self._cache.load(case_path)
            level = case.usable_level(name)
            reconstructed = None if reconstruction is None else read_volume(reconstruction)
            job.report(name, "draw", 0.2, "drawing the CT as X-rays")
            anatomy, centre = self._cache.anatomy(case, level)
            start = shown.pop("start", None) or case.start_pose(name, centre)
            contours = self._cache.contours(case, level, anatomy.frame_to_ct)
            files = save_pictures(out, name, anatomy, contours, case.views, {"start": start, **shown}, reconstructed)
        return {"folder": str(out), "files": [str(file) for file in files]}

    def _live(self, request: JsonObject, job: Job) -> Message:
        from radgs.overlay.live import LivePictures

        case_path, out, name = request.path("case"), request.path("out"), request.text("level")
        around, pose = request.rigid("around"), request.rigid("pose")
        with job.interruptible():
            # A hand that moves a pose waits for nothing: the same file of a case is not read again.
            key = (*_state_of(case_path), name, around.matrix.tobytes())
            if self._moved is None or self._moved[0] != key:
                case = self._cache.load(case_path)
                level = case.usable_level(name)
                anatomy, _centre = self._cache.anatomy(case, level)
                contours = self._cache.contours(case, level, anatomy.frame_to_ct)
                self._moved = key, LivePictures(name, anatomy, contours, case.views, around)
            files = self._moved[1].save(out, pose)
        return {"folder": str(out), "files": [str(file) for file in files]}

    def _exposures(self, request: JsonObject, job: Job) -> Message:
        from radgs.io.volumes import read_ct
        from radgs.overlay.exposures import ExposurePictures

        ct, out, pictures = request.path("ct"), request.path("out"), exposures(request)
        with job.interruptible():
            if self._exposed is None or self._exposed[0] != _state_of(ct):
                job.report("", "read", 0.0, "reading the CT")
                self._exposed = _state_of(ct), ExposurePictures(read_ct(ct))
            files = self._exposed[1].save(out, pictures)
        return {"folder": str(out), "files": [str(file) for file in files]}

    def _report(self, request: JsonObject, job: Job) -> Message:
        from radgs.case import RegistrationResult
        from radgs.report import write_report

        case_path, out = request.path("case"), request.path("out")
        with job.interruptible():
            result = RegistrationResult.load(request.path("result"))
            job.report("", "read", 0.0, "reading the case")
            case = self._cache.load(case_path)
            job.report("", "draw", 0.2, "drawing the CT as X-rays")
            written = write_report(out, result, case, case_path)
        return {"report": str(written)}

    def _prepare(self, request: JsonObject, job: Job) -> Message:
        from radgs.io.model_header import work_folder
        from radgs.training.base import anatomy_and_base
        from radgs.training.prepare import PreparationProgress, prepare

        case_path, out = request.path("case"), request.path("out")
        name, budget = request.text("level"), minutes(request)
        device = request.text("device", "auto")
        base = None if request.values.get("base") is None else request.path("base")

        def tell(at: PreparationProgress) -> None:
            accuracy = None if at.accuracy is None else asdict(at.accuracy)
            job.report(name, at.stage, at.fraction, at.message, seconds_left=at.seconds_left, accuracy=accuracy)

        with job.interruptible():
            job.report(name, "read", 0.0, "reading the case", seconds_left=60.0 * budget, accuracy=None)
            anatomy, level, networks = anatomy_and_base(case_path, name, out, base)
        prepared = prepare(
            anatomy.ct,
            anatomy.labels,
            level,
            networks,
            out,
            minutes=budget,
            device=device,
            progress=tell,
            cancelled=job.cancelled,
        )
        accuracy = None if prepared.accuracy is None else asdict(prepared.accuracy)
        return {"model": str(out), "level": name, "finished": not work_folder(out).exists(), "accuracy": accuracy}


def printed_registration(
    request: JsonObject, case: RegistrationCase, registration: Registration, files: Sequence[Path]
) -> str:
    """What the caller prints of a registration, as the command line prints it."""
    from radgs.evaluation.metrics import true_errors
    from radgs.report.summary import ColourSystem, registration_json, registration_text

    wanted, out = request.object("print"), request.path("out")
    errors = true_errors(case, registration)
    if wanted.flag("json", False):
        return registration_json(registration.result, errors, files, out)
    columns = round(wanted.number("columns", above=0, at_most=MAX_COLUMNS))
    colours = None if wanted.values.get("colours") is None else wanted.text("colours")
    known = {name: name for name in get_args(ColourSystem)}
    if colours is not None and colours not in known:
        raise wanted.fail("colours", f"null or one of {', '.join(known)}")
    note = wanted.text("note") if errors else ""
    return registration_text(
        registration.result,
        errors,
        files,
        out,
        note,
        columns=columns,
        colours=None if colours is None else known[colours],
    )


def _state_of(path: Path) -> tuple[Path, int | None]:
    """A file, and which version of it: the same state is not read again."""
    return path, path.stat().st_mtime_ns if path.is_file() else None
