"""The engine's pictures of one level, as the panel shows them: X-ray and DRR compared, the contour over them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import qt
from numpy.typing import NDArray

from radgs.anatomy import LEVELS
from radgs.colours import DOUBTFUL, NEIGHBOUR, PLAN, POSES
from radgs.geometry import FloatArray, RigidTransform, ViewGeometry
from RadGSRegLib.review.comparison import Comparison

#: Of lines by their kind, pixels.
PLAN_WIDTH, BESIDE_WIDTH, MARK_WIDTH = 1.6, 1.2, 3.0
#: Where a level's name begins, clear of the letters at the border, pixels.
NAME_INSET = 18
LINE_WIDTHS = {"silhouette": 2.0, "crest": 1.0, "neighbour": 0.8}


class OverlayPictures:
    """One overlay.json and the pictures it names, read once.

    Args:
        folder: Where the engine wrote it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        described = json.loads((folder / "overlay.json").read_text(encoding="utf-8"))
        self.level: str = described["level"]
        #: Points (3,) of the vertebra by name, the CT's own RAS.
        self.landmarks = {name: np.array(point) for name, point in described["landmarks"].items()}
        self._views: dict[str, dict[str, Any]] = described["views"]
        self._pixmaps: dict[str, Any] = {}

    @property
    def views(self) -> list[str]:
        """Names of the views."""
        return list(self._views)

    def put_live(self, pose: str, folder: Path) -> None:
        """Takes a pose from a live.json in place of what was drawn of it before; its files may go afterwards.

        Args:
            pose: What it is called here, "nudged".
            folder: Where the engine wrote it.
        """
        live = json.loads((folder / "live.json").read_text(encoding="utf-8"))
        for name, drawn in live["views"].items():
            known = f"live {pose} {name}"
            self._pixmaps[known] = qt.QPixmap(str(folder / drawn["drr"]))
            self._views[name]["poses"][pose] = {**drawn, "drr": known, "ct_to_world": live["ct_to_world"]}

    def forget(self, pose: str) -> None:
        """Leaves a pose out from now on."""
        for view in self._views.values():
            view["poses"].pop(pose, None)

    def is_complete(self, pose: str) -> bool:
        """Whether a pose was drawn with all that there is to compare, not only as it was moved."""
        return all("whole" in view["poses"].get(pose, {}) for view in self._views.values())

    def has(self, pose: str) -> bool:
        """Whether a pose was drawn."""
        return all(pose in view["poses"] for view in self._views.values())

    def whole_drr(self, view: str, pose: str) -> tuple[Path, int]:
        """The file of a view's whole DRR, and how many of the X-ray's pixels go side by side into one of its."""
        return self._folder / self._views[view]["poses"][pose]["whole"], self.binned(view)

    def binned(self, view: str) -> int:
        """How many of the X-ray's pixels go side by side into one of what is whole."""
        return int(self._views[view]["binned"])

    def whole(self, view: str, pose: str, kind: str) -> NDArray[np.uint8]:
        """(H, W) "edges", "difference" or "agreement" over a view's whole film, in the pixels of the whole DRR."""
        path = self._folder / self._views[view]["poses"][pose][f"whole_{kind}"]
        return np.asarray(np.load(path, allow_pickle=False))

    def reconstruction(self, view: str) -> NDArray[np.float32] | None:
        """(H, W) line integrals of the reconstruction over a view's film, in the same pixels; None without one."""
        name = self._views[view].get("whole_reconstruction")
        return None if name is None else np.asarray(np.load(self._folder / name, allow_pickle=False))

    def unmeasured(self, view: str) -> NDArray[np.uint8]:
        """(H, W) 1 where a view's film shows nothing, in the same pixels."""
        return np.asarray(np.load(self._folder / self._views[view]["whole_unmeasured"], allow_pickle=False))

    def places(self, view: str, points: FloatArray) -> tuple[FloatArray, FloatArray]:
        """How far across a view's picture world points (..., 3) are cast, and how far down: 0..1 within it."""
        geometry = self._geometry(view)
        column, row = np.moveaxis(geometry.project(points) + 0.5, -1, 0)
        return column / geometry.shape[1], row / geometry.shape[0]

    def contour_lines(self, view: str, pose: str, beside: str | None = None) -> list[tuple[FloatArray, str]]:
        """Points (K, 3) that a view's source casts onto the contour's lines, world mm, and each line's colour.

        Args:
            view: The view's name.
            pose: A pose that was drawn.
            beside: Another pose whose silhouette belongs to it, below.
        """
        described = self._views[view]["poses"]
        lines = [] if beside is None else [(line, POSES[beside]) for line in _silhouette(described[beside])]
        lines += [(line, _colour(line, pose)) for line in described[pose]["contour"]]
        geometry = self._geometry(view)
        return [(geometry.pixel_to_ras(np.array(line["points"])), colour) for line, colour in lines]

    def edges_agree(self, view: str, pose: str) -> float | None:
        """How far X-ray and DRR agree on the vertebra's edges, -1..1; None where that was not measured."""
        return self._views[view]["poses"][pose].get("agreement", {}).get("mean")

    def pose(self, name: str) -> RigidTransform:
        """The ct_to_world of a pose that was drawn."""
        view = next(iter(self._views.values()))
        return RigidTransform.from_matrix(view["poses"][name]["ct_to_world"])

    def compared(
        self,
        view: str,
        pose: str,
        comparison: Comparison,
        contour: bool,
        size: int,
        plans: Sequence[FloatArray] = (),
        beside: str | None = None,
        marked: bool = False,
    ) -> Any:
        """A square QPixmap of one view.

        Args:
            view: The view's name.
            pose: A pose that was drawn, such as "start" or "result".
            comparison: How X-ray and DRR are compared.
            contour: Whether to draw the vertebra's contour, and faintly its neighbours'.
            size: Side in pixels.
            plans: Lines (K, 3) planned in the CT, its own RAS; drawn where the pose puts them.
            beside: Another pose whose contour is drawn too, thinly, in its own colour.
            marked: Whether to frame it, so that the eye goes there.
        """
        described = self._views[view]
        xray, drawn = self._pixmap(described["xray"]), described["poses"][pose]
        canvas = qt.QPixmap(size, size)
        canvas.fill(qt.QColor("black"))
        painter = qt.QPainter()
        painter.begin(canvas)
        painter.setRenderHint(qt.QPainter.SmoothPixmapTransform, True)
        painter.setRenderHint(qt.QPainter.Antialiasing, True)
        whole = qt.QRect(0, 0, size, size)
        painter.drawPixmap(whole, xray)
        comparison.paint(painter, size, lambda kind: self._compared_with({**drawn, **described}, kind))
        painter.drawPixmap(whole, self._pixmap(described["unmeasured"]))
        if contour:
            if beside is not None:
                for line in _silhouette(described["poses"][beside]):
                    _draw_line(painter, line["points"], POSES[beside], BESIDE_WIDTH, size / xray.width())
            for line in drawn["contour"]:
                _draw_line(painter, line["points"], _colour(line, pose), LINE_WIDTHS[line["kind"]], size / xray.width())
        for plan in plans:
            cast = self._geometry(view).project(self.pose(pose).apply(plan))
            if np.isfinite(cast).all():
                for colour, width in (("black", PLAN_WIDTH + 2.0), (PLAN, PLAN_WIDTH)):
                    _draw_line(painter, cast.tolist(), colour, width, size / xray.width())
        _draw_borders(painter, described["borders"], size)
        if contour:
            _draw_level_names(painter, named_rows(self.level, drawn["contour"]), size / xray.width())
        if marked:
            pen = qt.QPen(qt.QColor(DOUBTFUL))
            pen.setWidthF(2.0 * MARK_WIDTH)  # the outer half lies beyond the picture
            painter.setPen(pen)
            painter.drawRect(whole)
        painter.end()
        return canvas

    def _compared_with(self, drawn: dict[str, Any], kind: str) -> Any:
        """A kind of picture of a pose or its view; None where it was drawn without, as while it is moved."""
        named = drawn.get(kind)
        return None if named is None else self._pixmap(named["picture"] if kind == "agreement" else named)

    def _geometry(self, view: str) -> ViewGeometry:
        described = self._views[view]
        xray = self._pixmap(described["xray"])
        source, to_ras = (np.array(described[key]) for key in ("source_ras", "detector_to_ras"))
        return ViewGeometry(source, to_ras, (xray.height(), xray.width()))

    def _pixmap(self, name: str) -> Any:
        if name not in self._pixmaps:
            self._pixmaps[name] = qt.QPixmap(str(self._folder / name))
        return self._pixmaps[name]


def _silhouette(drawn: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [line for line in drawn["contour"] if line["kind"] == "silhouette"]


def _colour(line: Mapping[str, Any], pose: str) -> str:
    return NEIGHBOUR if line["kind"] == "neighbour" else POSES[pose]


def _draw_line(painter: Any, line: list[list[float]], colour: str, width: float, scale: float) -> None:
    pen = qt.QPen(qt.QColor(colour))
    pen.setWidthF(width)
    painter.setPen(pen)
    path = qt.QPainterPath()
    # A pixel's centre is a whole number in the line, and half a pixel further for the painter.
    points = [((column + 0.5) * scale, (row + 0.5) * scale) for column, row in line]
    path.moveTo(*points[0])
    for point in points[1:]:
        path.lineTo(*point)
    painter.drawPath(path)


def named_rows(level: str, contour: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """At which row of a picture each vertebra lies that is drawn, by its name; {} where it is alone, or no vertebra.

    Args:
        level: What the vertebra is called.
        contour: Its lines and its neighbours', as overlay.json holds them.
    """
    rows = [row for line in contour if line["kind"] == "silhouette" for _column, row in line["points"]]
    others = [[row for _column, row in line["points"]] for line in contour if line["kind"] == "neighbour"]
    if level not in LEVELS or not rows or not others:
        return {}
    place, middle = LEVELS.index(level), sum(rows) / len(rows)
    found = {0: rows}
    for other in others:
        side = -1 if sum(other) / len(other) < middle else 1  # rows run down the spine, as levels do
        found.setdefault(side, []).extend(other)
    known = {place + side: sum(own) / len(own) for side, own in found.items() if 0 <= place + side < len(LEVELS)}
    return {LEVELS[number]: row for number, row in known.items()}


def _draw_level_names(painter: Any, rows: Mapping[str, float], scale: float) -> None:
    """A name beside each vertebra, so that they can be counted."""
    painter.setPen(qt.QPen(qt.QColor(NEIGHBOUR)))
    for name, row in rows.items():
        area = qt.QRect(NAME_INSET, round(row * scale) - NAME_INSET // 2, 2 * NAME_INSET, NAME_INSET)
        painter.drawText(area, int(qt.Qt.AlignLeft | qt.Qt.AlignVCenter), name)


def _draw_borders(painter: Any, borders: dict[str, str], size: int) -> None:
    """The patient's directions at the borders."""
    painter.setPen(qt.QPen(qt.QColor("white")))
    area = qt.QRect(4, 2, size - 8, size - 4)
    sides = {
        "left": qt.Qt.AlignLeft | qt.Qt.AlignVCenter,
        "right": qt.Qt.AlignRight | qt.Qt.AlignVCenter,
        "top": qt.Qt.AlignHCenter | qt.Qt.AlignTop,
        "bottom": qt.Qt.AlignHCenter | qt.Qt.AlignBottom,
    }
    for side, text in borders.items():
        painter.drawText(area, int(sides[side]), text)
