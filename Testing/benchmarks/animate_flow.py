"""Draws a registration of the demo case as a short animation: X-rays, DRR at the start, on its way, the result.

.venv/bin/python Testing/benchmarks/animate_flow.py
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from scipy.spatial.transform import Rotation, Slerp

import radgs
from radgs.case import VERDICT_SIGNS, LevelResult, RegistrationCase
from radgs.colours import NEIGHBOUR, RESULT, START, VERDICT_COLOURS, rgb
from radgs.geometry import RigidTransform
from radgs.overlay import Contours, ViewCrop, crop_view, drr, for_display, projected_lines
from radgs.overlay.pictures import DrawnAnatomy, drawn_anatomy
from radgs.pipeline import register

PICTURE = Path(__file__).resolve().parents[2] / "docs" / "pictures" / "judging" / "flow.gif"
DEMO = Path(radgs.__file__).resolve().parent / "data" / "demo"
LEVEL = "L3"

#: Of one view's picture, pixels, and of the words under both.
SIDE, WORDS = 260, 26
DPI = 100
#: Frames of a mixture that comes or goes, and of the way from start to result; milliseconds of one, and of a rest.
MIXING, MOVING, FRAME_MS, REST_MS = 5, 16, 110, 1500
#: How much of the DRR is mixed in while it moves.
SHARE = 0.55
WIDTHS = {"silhouette": 1.3, "crest": 0.6, "neighbour": 0.5}
#: So many greys, and of every colour so many steps to each of three of them: shared by all frames, they keep the file
#: small.
GREYS, STEPS = 56, 4
MAX_BYTES = 2_000_000


class Stage:
    """The two views of the demo case around its result, and what is drawn into them."""

    def __init__(self, case: RegistrationCase, result: RigidTransform) -> None:
        level = case.level(LEVEL)
        self._anatomy: DrawnAnatomy = drawn_anatomy(case.ct, case.labels, level)
        self._contours = Contours.of(case.labels, level.label, self._anatomy.frame_to_ct)
        self._crops: list[ViewCrop] = [crop_view(view, self._anatomy, result, SIDE) for view in case.views]
        self.centre = self._anatomy.centre

    def frame(self, pose: RigidTransform | None, share: float, colour: str, words: str, paint: str) -> Image.Image:
        """Both views with a share of the DRR mixed in, the contour in a colour, and words under them."""
        size = (2 * SIDE + 4, SIDE + WORDS)
        figure = Figure(figsize=(size[0] / DPI, size[1] / DPI), dpi=DPI, facecolor="white")
        canvas = FigureCanvasAgg(figure)
        for number, crop in enumerate(self._crops):
            left = number * (SIDE + 4) / size[0]
            axis = figure.add_axes((left, WORDS / size[1], SIDE / size[0], SIDE / size[1]))
            axis.set(xlim=(-0.5, SIDE - 0.5), ylim=(SIDE - 0.5, -0.5))
            axis.axis("off")
            image = for_display(crop.image, crop.pixel_mm, crop.valid > 0.5)
            if pose is not None:
                expected = drr(self._anatomy, pose, crop.geometry)
                image = (1 - share) * image + share * for_display(expected, crop.pixel_mm, expected > 0)
            axis.imshow(image, cmap="gray", vmin=0, vmax=1)
            for line in projected_lines(self._contours, pose, crop.geometry) if pose is not None else ():
                drawn = NEIGHBOUR if line.kind == "neighbour" else colour
                axis.plot(*line.points.T, color=drawn, linewidth=WIDTHS[line.kind])
        figure.text(0.5, 0.5 * WORDS / size[1], words, ha="center", va="center", fontsize=9, color=paint)
        canvas.draw()
        return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")


def palette_with(*colours: str) -> Image.Image:
    """Greys, and colours on their way to dark, middle and light grey, as where a thin line is drawn over a picture."""
    greys = np.repeat(np.linspace(0.0, 1.0, GREYS)[:, None], 3, axis=1)
    shares = np.linspace(0.0, 1.0, STEPS, endpoint=False)[:, None]
    ways = [(1 - shares) * np.array(rgb(colour)) + shares * grey for colour in colours for grey in (0.1, 0.45, 0.8)]
    found = np.round(255 * np.concatenate([greys, *ways])).astype(int)
    palette = Image.new("P", (1, 1))
    palette.putpalette(np.resize(found, (256, 3)).ravel().tolist())
    return palette


def poses_between(start: RigidTransform, result: RigidTransform, centre: np.ndarray) -> Iterator[RigidTransform]:
    """The way from start to result: slow at its ends, the body's centre on a line."""
    turn = Slerp([0.0, 1.0], Rotation.from_matrix([start.rotation, result.rotation]))
    ends = start.apply(centre), result.apply(centre)
    for step in np.linspace(0.0, 1.0, MOVING + 1)[1:]:
        share = float(3 * step**2 - 2 * step**3)
        rotation = turn(share).as_matrix()
        yield RigidTransform(rotation, (1 - share) * ends[0] + share * ends[1] - rotation @ centre)


def frames(stage: Stage, level: LevelResult) -> Iterator[tuple[Image.Image, int]]:
    """Every frame, and how long it stays, milliseconds."""
    start, result = level.stages["start"], level.ct_to_world
    if start is None or result is None:
        raise SystemExit("The demo case was not registered.")
    yield stage.frame(None, 0.0, START, "Two calibrated X-rays", "0.2"), REST_MS
    for step in range(1, MIXING + 1):
        share = SHARE * step / MIXING
        yield stage.frame(start, share, START, "The CT as X-rays (DRR) where two clicks put it", "0.2"), FRAME_MS
    yield stage.frame(start, SHARE, START, "The CT as X-rays (DRR) where two clicks put it", "0.2"), REST_MS
    for pose in poses_between(start, result, stage.centre):
        yield (
            stage.frame(pose, SHARE, RESULT, "The registration brings it to where the X-rays show it", "0.2"),
            FRAME_MS,
        )
    for step in range(1, MIXING + 1):
        yield stage.frame(result, SHARE * (1 - step / MIXING), RESULT, "The contour on the X-rays", "0.2"), FRAME_MS
    error = level.predicted_error_mm["surface_p95"]
    verdict = f"{VERDICT_SIGNS[level.verdict]} {level.verdict}: predicted error {error:.1f} mm"
    yield stage.frame(result, 0.0, RESULT, verdict, VERDICT_COLOURS[level.verdict]), 2 * REST_MS


def main() -> None:
    """Registers the demo case, and writes the animation."""
    case = RegistrationCase.load(DEMO)
    level = register(case, device="cpu").result.levels[LEVEL]
    if level.ct_to_world is None:
        raise SystemExit("The demo case was not registered.")
    drawn, milliseconds = zip(*frames(Stage(case, level.ct_to_world), level), strict=True)
    palette = palette_with(START, RESULT, VERDICT_COLOURS[level.verdict])
    small = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in drawn]
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    small[0].save(PICTURE, save_all=True, append_images=small[1:], duration=list(milliseconds), loop=0, optimize=True)
    size = PICTURE.stat().st_size
    if size > MAX_BYTES:
        raise SystemExit(f"{PICTURE} has {size} bytes, more than {MAX_BYTES}.")
    print(f"Drawn: {PICTURE}, {len(small)} frames, {size / 1e6:.2f} MB.")


if __name__ == "__main__":
    main()
