"""Texts that fit: words too long to be broken are shortened in the middle, and the rest is in the tooltip."""

from __future__ import annotations

import re
from html import escape
from typing import Any

from radgs.errors import RadgsError

#: Characters of the longest word that fits into the panel's width, with some to spare.
MAX_WORD_LENGTH = 56

#: A run of characters at which no line breaks; a tag of rich text ends it.
LONG_WORD = re.compile(rf"[^\s<>]{{{MAX_WORD_LENGTH + 1},}}")


def without_long_words(text: str) -> str:
    """A text whose words all fit into a line; of a longer one the beginning and the end are left, as of a path."""
    return LONG_WORD.sub(lambda found: shortened(found[0]), text)


def shortened(word: str) -> str:
    """A word of at most ``MAX_WORD_LENGTH`` characters: its beginning, an ellipsis, its end."""
    if len(word) <= MAX_WORD_LENGTH:
        return word
    end = (MAX_WORD_LENGTH - 1) * 2 // 3  # a file's name is at the end of its path
    return f"{word[: MAX_WORD_LENGTH - 1 - end]}…{word[-end:]}"


def put_text(label: Any, text: str) -> None:
    """Shows a text on a label; where it had to be shortened, the whole is in the tooltip."""
    fitting = without_long_words(text)
    label.text = fitting
    if fitting != text:
        label.toolTip = text


def error_text(error: RadgsError) -> str:
    """What is wrong, and the way out; rich text, whatever characters the error quotes."""
    return f"<b>{_plain(error.problem)}</b><br>{_plain(error.remedy)}"


def _plain(text: str) -> str:
    return escape(without_long_words(text), quote=False)


def fit(dialog: Any) -> None:
    """Makes a dialog as large as what it holds; ``adjustSize`` alone cuts off lines of labels that wrap."""
    dialog.adjustSize()
    needed = dialog.layout().totalHeightForWidth(dialog.width)
    if needed > dialog.height:
        dialog.resize(dialog.width, needed)
