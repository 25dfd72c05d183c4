"""A page that holds everything itself: the look that all reports share."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

from radgs.colours import AGREEING, DOUBTFUL, NEIGHBOUR, POSES, VERDICT_COLOURS
from radgs.report.markup import Markup, element

#: Nothing is loaded from anywhere: the page says everything itself.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


def document(title: str, body: Sequence[Markup], scripts: Sequence[str] = ()) -> str:
    """A page as HTML.

    Args:
        title: What the window is called.
        body: What the page shows.
        scripts: Names of the engine's own scripts that it runs.
    """
    head = [
        element("meta", charset="utf-8"),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        Markup(f"<style>\n{_colours()}{_asset('report.css')}</style>"),
    ]
    run = (Markup(f"<script>\n{_asset(script)}</script>") for script in scripts)
    return f"<!DOCTYPE html>\n{element('html', element('head', *head), element('body', *body, *run), lang='en')}\n"


def _colours() -> str:
    """Colours that the engine's pictures have too, as variables."""
    named: dict[str, str] = {"neighbour": NEIGHBOUR, "agreeing": AGREEING, "doubtful": DOUBTFUL, **POSES}
    named |= {str(verdict): colour for verdict, colour in VERDICT_COLOURS.items()}
    return ":root {" + " ".join(f"--{name}: {colour};" for name, colour in named.items()) + "}\n"


def _asset(name: str) -> str:
    return files("radgs").joinpath("data", "report", name).read_text(encoding="utf-8")
