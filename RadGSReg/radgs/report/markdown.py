"""Reports that are written as Markdown, as a page: headings, tables, lists, pictures, and paragraphs with code."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import groupby

from radgs.report.document import document
from radgs.report.markup import Markup, element, joined, picture_address, table

HEADING = re.compile(r"(#{1,3}) (.*)")
PICTURE = re.compile(r"!\[([^\]]*)\]\(([^)]*)\)")
CODE = re.compile(r"`([^`]*)`")
#: A bar between two cells; one that stands in a cell has a backslash before it.
BAR = re.compile(r"(?<!\\)\|")


def markdown_page(text: str, pictures: Callable[[str], bytes], headline: Markup | None = None) -> str:
    """The page of a report.

    Args:
        text: Its Markdown; the first heading is the page's title.
        pictures: Gives the PNG of a picture's name.
        headline: What stands under the title, before everything else.
    """
    title, blocks = "", []
    for block in _blocks(text):
        if (heading := HEADING.fullmatch(block[0])) is not None:
            level, words = len(heading[1]), heading[2]
            title = title or words
            blocks.append(element("header", element("h1", words)) if level == 1 else element(f"h{level}", words))
            if level == 1 and headline is not None:
                blocks.append(headline)
        else:
            blocks += _body(block, pictures)
    return document(title, blocks)


def _blocks(text: str) -> Iterator[list[str]]:
    """Lines that belong together: what blank lines part, and a heading by itself."""
    for blank, lines in groupby(text.splitlines(), lambda line: not line.strip()):
        if not blank:
            for is_heading, part in groupby(lines, lambda line: HEADING.fullmatch(line) is not None):
                held = list(part)
                yield from ([line] for line in held) if is_heading else [held]


def _body(lines: list[str], pictures: Callable[[str], bytes]) -> list[Markup]:
    if lines[0].startswith("|"):
        headings, _rule, *rows = ([_words(cell) for cell in _cells(line)] for line in lines)
        return [table(headings, rows)]
    if lines[0].startswith("- "):
        return [element("ul", *(element("li", _words(line[2:])) for line in lines))]
    if PICTURE.fullmatch(lines[0]) is not None:
        found = [(name, file) for line in lines for name, file in PICTURE.findall(line)]
        images = (element("img", src=picture_address(pictures(file)), alt=name) for name, file in found)
        return [element("div", *images, class_="plots")]
    return [element("p", _words(" ".join(lines)))]


def _cells(row: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in BAR.split(row.strip())[1:-1]]


def _words(text: str) -> Markup:
    """Text with its code set apart, and everything else as it stands."""
    parts = CODE.split(text)
    return joined(element("code", part) if number % 2 else part for number, part in enumerate(parts))
