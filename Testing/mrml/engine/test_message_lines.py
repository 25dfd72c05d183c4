"""Messages come whole, wherever the reads fall."""

from __future__ import annotations

import json
from typing import Any

import pytest


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_messages_survive_any_division_into_reads(a_logic: Any, size: int) -> None:
    from RadGSRegLib.engine.message_lines import MessageLines

    sent = [{"type": "log", "message": f"Wirbel {n}: größer als 5 µm, 椎骨"} for n in range(4)]
    data = "".join(json.dumps(message, ensure_ascii=False) + "\n" for message in sent).encode()
    lines = MessageLines()
    received = [message for n in range(0, len(data), size) for message in lines.feed(data[n : n + size])]
    assert received == sent


def test_what_is_no_message_is_a_log_line(a_logic: Any) -> None:
    from RadGSRegLib.engine.message_lines import MessageLines

    words = b'launcher: hello\n[1, 2]\n{"no": "type"}\n\n\xff\xfe\n'
    messages = list(MessageLines().feed(words))
    assert [message["type"] for message in messages] == ["log"] * 4
    assert messages[0]["message"] == "launcher: hello"


def test_half_a_line_waits(a_logic: Any) -> None:
    from RadGSRegLib.engine.message_lines import MessageLines

    lines = MessageLines()
    assert list(lines.feed(b'{"type": "rea')) == []
    assert list(lines.feed(b'dy"}\n')) == [{"type": "ready"}]
