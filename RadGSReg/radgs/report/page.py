"""The whole page: verdicts first, then what can be looked at, then what can be looked up."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from radgs.case import VERDICT_SIGNS, LevelResult, OpenQuestion, Reason, RegistrationCase, RegistrationResult
from radgs.colours import POSES
from radgs.overlay.arrays import Pictured
from radgs.overlay.contours import Contours
from radgs.report.document import document
from radgs.report.films import film
from radgs.report.markup import Markup, element, json_block, picture_address
from radgs.report.scene import ShownVertebra, scene_values
from radgs.report.tables import geometry_table, matrix_block, origin_table, pose_table

DISCLAIMER = (
    "Research use only, not a medical device. A verdict is the program's own opinion: look at the pictures before "
    "a pose is used for anything."
)
MEANING = {
    "accept": "Nothing was found that speaks against this pose.",
    "check": "There is doubt: look at every picture before this pose is used.",
    "reject": "Do not use this pose.",
}


@dataclass(frozen=True, eq=False)
class ReportedLevel:
    """A level with what its pictures need.

    Attributes:
        result: Its result.
        anatomy: The vertebra.
        contours: Its surface and its neighbours', in the CT.
        vertebra: Its surface where it was found; None without a pose.
        pictures: Other pictures of it (title, PNG file), where there are any.
    """

    result: LevelResult
    anatomy: Pictured
    contours: Contours
    vertebra: ShownVertebra | None
    pictures: Sequence[tuple[str, Path]] = ()


def page(
    result: RegistrationResult,
    case: RegistrationCase,
    levels: Mapping[str, ReportedLevel],
    case_name: str,
    origins: Mapping[str, str],
) -> str:
    """The page as HTML.

    Args:
        result: What is reported.
        case: What was registered.
        levels: Those of the result that can be drawn, by name; of the others, the verdict is told.
        case_name: What the case is called for people.
        origins: Per view, where its geometry comes from.
    """
    title = f"RadGS-Reg: {', '.join(result.levels)}"
    now = datetime.now().astimezone().isoformat(" ", "minutes")
    shown = [level.vertebra for level in levels.values() if level.vertebra is not None]
    numbered = enumerate(levels.items(), 1)
    body = [
        element("header", element("h1", title), element("p", f"{case_name}; written {now}", class_="faint")),
        element("section", *(_verdict(name, level) for name, level in result.levels.items()), id="verdicts"),
        element("p", DISCLAIMER, class_="disclaimer"),
        *(_level_section(f"level{number}", name, level, case) for number, (name, level) in numbered),
        _scene_section(),
        _geometry_section(result, case, origins),
        element("section", element("h2", "Origin"), origin_table(result, case_name, case.sha256), id="origin"),
        element("footer", element("p", DISCLAIMER)),
        json_block("scene-data", {**scene_values(shown, case.views), "colour": POSES["result"]}),
    ]
    return document(title, body, ("films.js", "scene.js"))


def _verdict(name: str, level: LevelResult) -> Markup:
    """The level's verdict with its grounds, before anything else."""
    error = level.predicted_error_mm.get("surface_p95", math.nan)
    expected = f"95 % of the surface within {error:.1f} mm, predicted" if math.isfinite(error) else "no predicted error"
    badge = element("span", f"{VERDICT_SIGNS[level.verdict]} {level.verdict}", class_=f"badge {level.verdict}")
    reasons = [_sentences(level.reasons)] if level.reasons else []
    questions = [element("p", "Only you can say:"), _sentences(level.questions)] if level.questions else []
    heading = element("h2", f"{name} ", badge, element("span", "no pose" if level.ct_to_world is None else expected))
    meaning = element("p", MEANING[level.verdict])
    return element("article", heading, meaning, *reasons, *questions, class_=f"verdict {level.verdict}")


def _sentences(said: Sequence[Reason | OpenQuestion]) -> Markup:
    return element("ul", *(element("li", one.message) for one in said))


def _level_section(identifier: str, name: str, level: ReportedLevel, case: RegistrationCase) -> Markup:
    films = [
        film(f"{identifier}-view{number}", level.result, level.anatomy, level.contours, view)
        for number, view in enumerate(case.views, 1)
    ]
    pose = level.result.ct_to_world
    matrix = (
        element("details", element("summary", "ct_to_world (RAS, mm)"), matrix_block(pose)) if pose is not None else ""
    )
    pictures = [
        element("details", element("summary", title), element("img", src=picture_address(path.read_bytes()), alt=title))
        for title, path in level.pictures
    ]
    return element(
        "section",
        element("h2", f"{name} on the X-rays"),
        _legend(),
        element("div", *films, class_="films"),
        *pictures,
        element("h3", "Poses"),
        pose_table(level.result, level.anatomy.surface),
        matrix,
        id=identifier,
        class_="level",
    )


def _legend() -> Markup:
    return element(
        "p",
        element("span", "contour at the start", class_="key start"),
        element("span", "contour at the result", class_="key result"),
        element("span", "neighbours, as the CT has them", class_="key neighbour"),
        element("span", "agreement: edges that X-ray and DRR agree on", class_="key agreeing"),
        element("span", "and those that they do not", class_="key doubtful"),
        class_="legend",
    )


def _geometry_section(result: RegistrationResult, case: RegistrationCase, origins: Mapping[str, str]) -> Markup:
    told = result.self_calibration.sentences if result.self_calibration is not None else ()
    said = (element("p", sentence) for sentence in told)
    return element(
        "section", element("h2", "Geometry of the X-rays"), geometry_table(case.views, origins), *said, id="geometry"
    )


def _scene_section() -> Markup:
    buttons = [
        element("button", text, type="button", data_look=look)
        for look, text in (
            ("all", "Everything"),
            ("vertebra", "Vertebra"),
            ("front", "From the front"),
            ("side", "From the side"),
        )
    ]
    hint = "Drag to turn, wheel to come nearer; with the keyboard, arrows and + and -."
    canvas = element(
        "canvas", id="scene", tabindex="0", role="img", aria_label="Vertebrae, sources, films and beams in 3D"
    )
    return element(
        "section",
        element("h2", "In space"),
        element("p", hint, class_="faint screen-only"),
        canvas,
        element("div", *buttons, class_="choices screen-only"),
        id="space",
    )
