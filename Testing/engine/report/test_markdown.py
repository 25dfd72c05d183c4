"""A report that is written as Markdown, as a page: the same words, in the same tables, and nothing that could run."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from radgs.evaluation.tables import table
from radgs.report.markdown import markdown_page

TEXT = "\n\n".join(
    [
        "# A title",
        "Run by `radgs <x>`:\nin two lines & more.",
        "## Numbers\n\n" + table(["", "what | how"], [["a|b", "<script>alert(1)</script>"], ["", "2"]]),
        "- one\n- two",
        "![errors](errors.png)\n![stages](stages.png)",
    ]
)


class Reader(HTMLParser):
    """What stands in the page, by the elements that it stands in."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self.images: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.images.append(str(dict(attributes)["src"]))
        elif tag not in ("meta",):
            self._open.append(tag)
            if tag in ("td", "th"):
                self.found.append((tag, ""))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, text: str) -> None:
        if not text.strip() or self._open[-1] == "style":
            return
        if self._open[-1] in ("td", "th"):
            self.found[-1] = (self._open[-1], text)
        else:
            self.found.append((self._open[-1], text))


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    return reader


def test_words_and_tables_are_those_of_the_markdown() -> None:
    found = read(markdown_page(TEXT, lambda name: name.encode())).found
    assert found == [
        ("title", "A title"),
        ("h1", "A title"),
        ("p", "Run by "),
        ("code", "radgs <x>"),
        ("p", ": in two lines & more."),
        ("h2", "Numbers"),
        ("th", ""),
        ("th", "what | how"),
        ("th", "a|b"),
        ("td", "<script>alert(1)</script>"),
        ("th", ""),
        ("td", "2"),
        ("li", "one"),
        ("li", "two"),
    ]


def test_pictures_are_within_and_nothing_runs() -> None:
    page = markdown_page(TEXT, lambda name: name.encode())
    assert len(read(page).images) == 2
    assert all(source.startswith("data:image/png;base64,") for source in read(page).images)
    assert "<script" not in page
    assert not re.search(r'(src|href)="(?!data:)', page)
