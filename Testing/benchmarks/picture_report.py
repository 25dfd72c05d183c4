"""Registers the demo case, writes its report, and pictures it in Chromium for the documentation.

.venv/bin/python Testing/benchmarks/picture_report.py
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

import radgs

PROJECT = Path(__file__).resolve().parents[2]
sys.path.append(str(PROJECT / "Testing" / "engine"))

from headless_browser import browser, chromium  # noqa: E402

PICTURE = PROJECT / "docs" / "pictures" / "judging" / "report.png"
DEMO = Path(radgs.__file__).resolve().parent / "data" / "demo"


def main() -> None:
    """Writes the picture; exits with a sentence where there is no browser."""
    program = chromium()
    if program is None:
        sys.exit("No Chromium is installed: apt install chromium")
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result"
        for command in (["register", str(DEMO), "--out", str(result)], ["report", str(result)]):
            subprocess.run([sys.executable, "-m", "radgs", *command], check=False, stdout=subprocess.DEVNULL)
        with browser(program, Path(folder) / "profile") as page:
            page.open(result / "report.html", width=1000, height=1270)
            page.click("#level1-view2 .show-agreement")
            page.box("h1")
            shot = page.screenshot(Path(folder) / "report.png")
        PICTURE.parent.mkdir(parents=True, exist_ok=True)
        picture = Image.open(shot).convert("RGB").crop((0, 0, 1000, 1270))
        picture.resize((800, 1016)).quantize(256, method=Image.Quantize.FASTOCTREE).save(PICTURE, optimize=True)
    print(f"Pictured: {PICTURE}")


if __name__ == "__main__":
    main()
