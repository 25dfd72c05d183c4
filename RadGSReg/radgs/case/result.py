"""What comes out of a registration: a pose per level, a verdict, and the grounds for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from radgs.case.pose_covariance import PoseCovariance
from radgs.case.self_calibration import SelfCalibratedView
from radgs.errors import InputFileError, RadgsError
from radgs.geometry import RigidTransform, largest_distance
from radgs.io.atomic import cannot_write, write_text
from radgs.io.json_fields import JsonObject, json_text, null_for_nan, read_json_object
from radgs.io.transforms import write_transform

RESULT_SCHEMA = "radgs.result/1"

Verdict = Literal["accept", "check", "reject"]

#: From the best to the worst.
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
#: What stands beside a verdict's word wherever it is shown, so that colour is never alone.
VERDICT_SIGNS: Mapping[str, str] = {"accept": "✓", "check": "?", "reject": "✗"}

StageName = Literal["start", "kabsch", "regm", "refined"]

#: No pose is accepted whose predicted 95th-percentile surface error is larger, mm.
ACCEPT_P95_MM = 2.2
#: ``ct_to_world`` and the last stage are one pose, mm.
SAME_POSE_MM = 0.01
#: Codes of reasons that speak against a pose; others explain a stage.
AGAINST_A_POSE = frozenset(
    {
        *("uncertain", "dissimilar", "indistinct", "beaten", "articulation", "level", "other_level", "stray"),
        *("disagreement", "identity", "dates", "header", "mirrored", "views", "self_calibrated"),
    }
)

#: Code of the reason of a level that could not be registered; its message is the error's.
FAILED = "failed"

#: In the order in which they run.
STAGES: tuple[StageName, ...] = get_args(StageName)


@dataclass(frozen=True)
class Reason:
    """A ground for a verdict: a code for programs, a message for people."""

    code: str
    message: str


@dataclass(frozen=True)
class OpenQuestion:
    """What no image can say of a pose, asked of a person: a code for programs, a message for people."""

    code: str
    message: str


@dataclass(frozen=True, eq=False)
class LevelResult:
    """One vertebra's registration.

    Attributes:
        ct_to_world: The pose found; None when every stage failed.
        verdict: Whether to trust it.
        predicted_error_mm: Predicted errors by name, e.g. ``surface_p95``; NaN where one could not be computed.
        reasons: Grounds for the verdict, and why a stage failed.
        similarity: Per view, the similarity of X-ray and model at the ``start`` and the ``result``.
        stages: Pose after each stage of ``STAGES``; None where it failed or did not run.
        seconds: Time the level took.
        covariance: How uncertain the pose is in every direction; None where that is not known.
        questions: What a person answers before the pose is used.
    """

    ct_to_world: RigidTransform | None
    verdict: Verdict
    predicted_error_mm: Mapping[str, float] = field(default_factory=dict)
    reasons: tuple[Reason, ...] = ()
    similarity: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    stages: Mapping[StageName, RigidTransform | None] = field(default_factory=dict)
    seconds: float = 0.0
    covariance: PoseCovariance | None = None
    questions: tuple[OpenQuestion, ...] = ()

    @classmethod
    def failed(cls, error: RadgsError, seconds: float = 0.0) -> LevelResult:
        """A level that could not be registered: no pose, and what was wrong with what to do about it."""
        return cls(None, "reject", reasons=(Reason(FAILED, str(error)),), seconds=seconds)

    def to_json_dict(self) -> dict[str, Any]:
        """The level as result.json holds it: every stage is named, and a number that is none becomes null."""
        return {
            "ct_to_world": _matrix_or_none(self.ct_to_world),
            "verdict": self.verdict,
            "predicted_error_mm": {name: null_for_nan(error) for name, error in self.predicted_error_mm.items()},
            "reasons": [asdict(reason) for reason in self.reasons],
            "questions": [asdict(question) for question in self.questions],
            "similarity": {
                view: {when: null_for_nan(value) for when, value in values.items()}
                for view, values in self.similarity.items()
            },
            "stages": {stage: _matrix_or_none(self.stages.get(stage)) for stage in STAGES},
            "seconds": null_for_nan(self.seconds),
            "pose_covariance": None if self.covariance is None else self.covariance.to_json_dict(),
        }

    @classmethod
    def from_json_dict(cls, values: dict[str, Any], source: str) -> LevelResult:
        """The level that ``to_json_dict`` wrote.

        Args:
            values: As result.json holds it.
            source: Where they were found, for messages.

        Raises:
            InputFileError: A field is missing or of a wrong type.
            GeometryError: A transform is not rigid.
        """
        return _read_level(JsonObject(values, Path(source), "", InputFileError))


@dataclass(frozen=True, eq=False)
class RegistrationResult:
    """What ``radgs.pipeline.register`` returns.

    Attributes:
        levels: Per level, its result.
        case_sha256: Of the case's files, where it was read from files.
        models: The models used, by level or by part.
        versions: Versions of the engine and its libraries.
        device: Where it ran, e.g. "cpu".
        case: The case.json that was registered, relative to result.json where it can be; None where nobody says.
        self_calibration: The view whose geometry was solved for, and what that changed; None where the case's was used.
    """

    levels: Mapping[str, LevelResult]
    case_sha256: str | None = None
    models: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    device: str = "cpu"
    case: str | None = None
    self_calibration: SelfCalibratedView | None = None

    @property
    def worst_verdict(self) -> Verdict:
        """The worst verdict of all levels; a result without levels is rejected."""
        if not self.levels:
            return "reject"
        return max((level.verdict for level in self.levels.values()), key=VERDICTS.index)

    def to_json_dict(self) -> dict[str, Any]:
        """The result as result.json holds it, schema radgs.result/1."""
        named: dict[str, Any] = {} if self.case is None else {"case": self.case}
        if self.self_calibration is not None:
            named["self_calibration"] = self.self_calibration.to_json_dict()
        return {
            "schema": RESULT_SCHEMA,
            "frame": "RAS",
            "unit": "mm",
            "levels": {name: level.to_json_dict() for name, level in self.levels.items()},
            **named,
            "case_sha256": self.case_sha256,
            "models": dict(self.models),
            "versions": dict(self.versions),
            "device": self.device,
        }

    def save(self, folder: str | Path) -> Path:
        """Writes result.json and, for every level with a pose, ``<level>_ct_to_world.tfm``.

        ``radgs.pipeline.result_folder`` writes them as part of a folder that holds one run.

        Returns:
            Path of the result.json, which is written last.

        Raises:
            OutputError: A file cannot be written.
        """
        folder = Path(folder)
        path = folder / "result.json"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            for name in self.levels:  # a level that failed must not find an earlier run's pose beside it
                (folder / f"{name}_ct_to_world.tfm").unlink(missing_ok=True)
        except OSError as problem:
            raise cannot_write(folder, problem) from problem
        for name, level in self.levels.items():
            if level.ct_to_world is not None:
                write_transform(folder / f"{name}_ct_to_world.tfm", level.ct_to_world)
        write_text(path, json_text(self.to_json_dict()))
        return path

    @classmethod
    def load(cls, path: str | Path) -> RegistrationResult:
        """Reads a result.json, or the one in a folder.

        Raises:
            InputFileError: Missing, not JSON, another schema, frame or unit, a field of a wrong type, or a level that
                contradicts itself.
            GeometryError: A transform is not rigid.
        """
        path = Path(path)
        top = read_json_object(path / "result.json" if path.is_dir() else path, RESULT_SCHEMA, InputFileError)
        for key, expected in (("frame", "RAS"), ("unit", "mm")):
            if top.text(key) != expected:
                raise top.fail(key, f'"{expected}"')
        levels = {name: _read_level(level) for name, level in top.object("levels").members()}
        for name, level in levels.items():
            _refuse_contradiction(name, level)
        return cls(
            levels=levels,
            case_sha256=top.text("case_sha256") if top.values.get("case_sha256") is not None else None,
            models=top.object("models").values,
            versions=top.object("versions").values,
            device=top.text("device"),
            case=top.text("case") if top.values.get("case") is not None else None,
            self_calibration=SelfCalibratedView.read(top.object("self_calibration"))
            if "self_calibration" in top
            else None,
        )


def _read_level(level: JsonObject) -> LevelResult:
    verdicts: dict[str, Verdict] = {verdict: verdict for verdict in VERDICTS}
    if level.text("verdict") not in verdicts:
        raise level.fail("verdict", "one of " + ", ".join(VERDICTS))
    errors = level.object("predicted_error_mm")
    stages = level.object("stages")
    return LevelResult(
        ct_to_world=_read_pose(level, "ct_to_world"),
        verdict=verdicts[level.text("verdict")],
        predicted_error_mm={name: errors.number_or_nan(name) for name in errors.values},
        reasons=tuple(Reason(reason.text("code"), reason.text("message")) for reason in level.objects("reasons")),
        # Results from before it was asked leave nothing open that anybody knows of.
        questions=_read_questions(level) if "questions" in level else (),
        similarity={
            view: {when: values.number_or_nan(when) for when in values.values}
            for view, values in level.object("similarity").members()
        },
        stages={stage: _read_pose(stages, stage) for stage in STAGES},
        seconds=level.number_or_nan("seconds"),
        covariance=_read_covariance(level),
    )


def _read_questions(level: JsonObject) -> tuple[OpenQuestion, ...]:
    return tuple(OpenQuestion(asked.text("code"), asked.text("message")) for asked in level.objects("questions"))


def _refuse_contradiction(name: str, level: LevelResult) -> None:
    """A file may be damaged or edited: what it says twice must agree."""
    contradiction = _contradiction(level)
    if contradiction is not None:
        raise InputFileError(
            f"The result of {name} contradicts itself: {contradiction}.", "Do not use it; register again."
        )


def _contradiction(level: LevelResult) -> str | None:
    pose, refined = level.ct_to_world, level.stages.get("refined")
    if refined is not None and pose is None:
        return "it has a refined pose in its stages and no ct_to_world"
    if refined is not None and pose is not None:
        apart = largest_distance(pose, refined)
        if not apart <= SAME_POSE_MM:
            return f"ct_to_world and stages.refined are up to {apart:.2g} mm apart"
    if any(error < 0 for error in level.predicted_error_mm.values()):
        return "its predicted error is negative"
    if level.verdict != "accept":
        return None
    if pose is None:
        return "its verdict is accept, and it has no pose"
    against = [reason.code for reason in level.reasons if reason.code in AGAINST_A_POSE]
    if against:
        return f"its verdict is accept, and its reasons speak against it ({', '.join(against)})"
    predicted = level.predicted_error_mm.get("surface_p95", 0.0)
    if not predicted <= ACCEPT_P95_MM:
        return f"its verdict is accept, and its predicted error is {predicted:.1f} mm"
    return None


def _read_pose(holder: JsonObject, key: str) -> RigidTransform | None:
    return None if holder.values.get(key) is None else holder.rigid(key)


def _read_covariance(level: JsonObject) -> PoseCovariance | None:
    """Results of earlier versions have none."""
    if level.values.get("pose_covariance") is None:
        return None
    return PoseCovariance.read(level.object("pose_covariance"))


def _matrix_or_none(pose: RigidTransform | None) -> list[list[float]] | None:
    return None if pose is None else pose.matrix.tolist()
