"""A real browser without a window, driven by the DevTools protocol over a pipe: https://chromedevtools.github.io/devtools-protocol."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
PATIENCE_S = 60.0


def chromium() -> str | None:
    """Where Chromium is; None where there is none."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Page:
    """One page that is open; what it asks of the network and what goes wrong in it is kept."""

    def __init__(self, process: subprocess.Popen[bytes], to_browser: int, from_browser: int) -> None:
        self._process, self._to, self._from = process, to_browser, from_browser
        self._received, self._number, self._session = b"", 0, ""
        self.requested: list[str] = []
        self.errors: list[str] = []
        self._happened: set[str] = set()

    def open(self, path: Path, width: int = 1200, height: int = 900, dark: bool = False) -> None:
        """Opens a file and waits until it is there."""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime"):
            self.ask(f"{domain}.enable")
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.requested.clear()
        self._happened.discard("Page.loadEventFired")
        self.ask("Page.navigate", url=path.resolve().as_uri())
        while "Page.loadEventFired" not in self._happened:
            self._take(self._message())

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command and its answer."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._message()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer["error"]
                return answer["result"]
            self._take(answer)

    def value(self, expression: str) -> Any:
        """What an expression of the page's comes to."""
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def box(self, selector: str) -> tuple[float, float, float, float]:
        """Left, top, width and height of an element, scrolled into sight."""
        found = self.value(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            " e.scrollIntoView({block: 'center'});"
            " const b = e.getBoundingClientRect(); return [b.left, b.top, b.width, b.height]; })()"
        )
        return tuple(found)

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """The mouse goes down at one place and up at another."""
        (x0, y0), (x1, y1) = start, end
        for kind, x, y, buttons in (
            ("mouseMoved", x0, y0, 0),
            ("mousePressed", x0, y0, 1),
            ("mouseMoved", x1, y1, 1),
            ("mouseReleased", x1, y1, 0),
        ):
            button = "none" if kind == "mouseMoved" and not buttons else "left"
            self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button=button, buttons=buttons, clickCount=1)

    def click(self, selector: str) -> None:
        """A click in the middle of an element."""
        left, top, width, height = self.box(selector)
        middle = (left + width / 2, top + height / 2)
        self.drag(middle, middle)

    def screenshot(self, path: Path, selector: str | None = None) -> Path:
        """What is to be seen, or one element of it, as PNG."""
        options: dict[str, Any] = {}
        if selector is not None:
            left, top, width, height = self.box(selector)
            scroll = self.value("window.scrollY")
            options["clip"] = {"x": left, "y": top + scroll, "width": width, "height": height, "scale": 1}
        answer = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=True, **options)
        path.write_bytes(base64.b64decode(answer["data"]))
        return path

    def _message(self) -> dict[str, Any]:
        until = time.monotonic() + PATIENCE_S
        while b"\0" not in self._received:
            ready, _, _ = select.select([self._from], [], [], max(0.0, until - time.monotonic()))
            assert ready, "the browser says nothing"
            received = os.read(self._from, 1 << 20)
            assert received, "the browser has gone"
            self._received += received
        line, _, self._received = self._received.partition(b"\0")
        return json.loads(line)

    def _take(self, message: dict[str, Any]) -> None:
        method, values = message.get("method", ""), message.get("params", {})
        self._happened.add(method)
        if method == "Network.requestWillBeSent":
            self.requested.append(values["request"]["url"])
        if method == "Runtime.exceptionThrown":
            self.errors.append(str(values["exceptionDetails"]))


@contextmanager
def browser(program: str, profile: Path) -> Iterator[Page]:
    """A browser with a profile of its own; it ends with the block."""
    (child_reads, to_browser), (from_browser, child_writes) = os.pipe(), os.pipe()

    def lay_pipes() -> None:
        """The browser reads commands from descriptor 3 and answers on 4."""
        reads, writes = os.dup(child_reads), os.dup(child_writes)
        for held, wanted in ((reads, 3), (writes, 4)):
            os.dup2(held, wanted)

    flags = (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        "--disable-dev-shm-usage",
        "--no-first-run",
    )
    process = subprocess.Popen(
        [program, *flags, f"--user-data-dir={profile}", "--remote-debugging-pipe", "about:blank"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        close_fds=False,
        preexec_fn=lay_pipes,
    )
    os.close(child_reads)
    os.close(child_writes)
    try:
        yield Page(process, to_browser, from_browser)
    finally:
        os.close(to_browser)
        os.close(from_browser)
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
