"""What the slice views show of the pictures: on each film the DRR or what is compared with it, contour and plan."""

from __future__ import annotations

from typing import Any

import numpy as np

from radgs.colours import POSES
from radgs.geometry import FloatArray
from RadGSRegLib.engine.overlay_pictures import OverlayPictures
from RadGSRegLib.review.comparison import Comparison
from RadGSRegLib.scene import xray_nodes
from RadGSRegLib.scene.compared_nodes import (
    put_agreement,
    put_difference,
    put_edges,
    put_part_of_drr,
    put_reconstruction,
)
from RadGSRegLib.scene.contour_nodes import put_contour
from RadGSRegLib.scene.drr_nodes import drr_of, put_drr
from RadGSRegLib.scene.film_nodes import all_on_films, on_film, take_off_film
from RadGSRegLib.scene.film_shading import put_shading
from RadGSRegLib.scene.node_contract import COMPARED_ROLE, CONTOUR_ROLE, SHADING_ROLE
from RadGSRegLib.scene.placement import remove
from RadGSRegLib.scene.plan_lines import show_on_films
from RadGSRegLib.scene.slice_views import exchange, lay_over


class FilmViews:
    """The slice views show a pose once it has been drawn whole; until then, the one before, and the lines alone move.

    Args:
        logic: A ``RadGSRegLogic``.
    """

    def __init__(self, logic: Any) -> None:
        self._logic = logic
        #: The pose on the films, and what it was drawn with.
        self._on_films: tuple[OverlayPictures, str] | None = None
        #: How they were compared last.
        self._mode = Comparison().mode
        #: Where each view's whole DRR lies in the view's picture, of the pictures that are shown.
        self._places: dict[str, tuple[FloatArray, FloatArray]] = {}

    def show(self, pictures: OverlayPictures, pose: str, comparison: Comparison) -> None:
        """Lays a pose over its X-rays; one that is being moved has no DRR that large."""
        if not pictures.is_complete(pose):
            return
        if self._on_films is None or self._on_films[0] is not pictures:
            self._places = {}
        self._on_films = pictures, pose
        for xray in self._xrays(pictures):
            put_drr(xray, pictures.level, *pictures.whole_drr(xray_nodes.view_name(xray), pose))
            put_shading(xray, pictures.unmeasured(xray_nodes.view_name(xray)))
            self._leave_another(xray, comparison)
            lay_over(xray, *self._put(xray, comparison))
        self._mode = comparison.mode

    def compare(self, comparison: Comparison) -> None:
        """Compares what lies on the films in another way; nothing else sets its opacity once it lies there."""
        if self._on_films is None:
            return
        for xray in self._xrays(self._on_films[0]):
            if drr_of(xray) is not None:
                self._leave_another(xray, comparison)
                former = [drr_of(xray), on_film(xray, COMPARED_ROLE)]
                exchange(xray, former, *self._put(xray, comparison))
        self._mode = comparison.mode

    def _leave_another(self, xray: Any, comparison: Comparison) -> None:
        """Another way to compare has a volume of another kind, or none but the DRR."""
        if comparison.mode != self._mode:
            self._leave(xray)

    def _leave(self, xray: Any) -> None:
        compared, drr = on_film(xray, COMPARED_ROLE), drr_of(xray)
        if drr is not None:
            exchange(xray, [compared], drr, 0.0)
        take_off_film(xray, COMPARED_ROLE)

    def _put(self, xray: Any, comparison: Comparison) -> tuple[Any, float]:
        """What lies over an X-ray, the DRR or what is compared in its place, and its opacity."""
        assert self._on_films is not None
        if comparison.mode != "reconstruction":
            return self._put_pose(xray, comparison), comparison.share
        projected = self._on_films[0].reconstruction(xray_nodes.view_name(xray))
        if projected is None:
            return drr_of(xray), 0.0  # the X-ray alone, as in the panel's picture
        return put_reconstruction(xray, projected), comparison.share

    def _put_pose(self, xray: Any, comparison: Comparison) -> Any:
        """The DRR at the pose, or what is made of it."""
        assert self._on_films is not None
        (pictures, pose), view = self._on_films, xray_nodes.view_name(xray)
        if comparison.mode in ("split", "checkerboard"):
            return put_part_of_drr(xray, comparison.shows_drr(*self._where(xray)))
        if comparison.mode == "edges":
            return put_edges(xray, pictures.whole(view, pose, "edges"), POSES[pose])
        if comparison.mode == "difference":
            return put_difference(xray, pictures.whole(view, pose, "difference"))
        if comparison.mode == "agreement":
            return put_agreement(xray, pictures.whole(view, pose, "agreement"))
        return drr_of(xray)

    def _where(self, xray: Any) -> tuple[FloatArray, FloatArray]:
        """(H, W) of the whole DRR's pixels: how far across the view's picture they lie, and how far down."""
        assert self._on_films is not None
        pictures, view = self._on_films[0], xray_nodes.view_name(xray)
        if view not in self._places:
            film = xray_nodes.geometry_of(xray).binned(pictures.binned(view))
            rows, columns = np.indices(film.shape)
            self._places[view] = pictures.places(view, film.pixel_to_ras(np.stack([columns, rows], axis=-1)))
        return self._places[view]

    def draw_lines(self, pictures: OverlayPictures, pose: str, beside: str | None, contour: bool) -> None:
        """Draws a pose's contour on the films, where it is wanted, and what was planned in the CT."""
        xrays = self._xrays(pictures)
        show_on_films(self._logic.inputs().ct, xrays, pictures.pose(pose))
        for xray in xrays:
            if contour:
                lines = pictures.contour_lines(xray_nodes.view_name(xray), pose, beside)
                put_contour(xray, pictures.level, lines)
            else:
                take_off_film(xray, CONTOUR_ROLE)

    def clear(self) -> None:
        """Takes the lines off the films, the shading, and what is compared; DRRs stay."""
        self._on_films, self._places = None, {}
        inputs = self._logic.inputs()
        show_on_films(inputs.ct, [], None)
        for xray in inputs.xrays:
            if on_film(xray, COMPARED_ROLE) is not None:
                self._leave(xray)
        for role in (COMPARED_ROLE, CONTOUR_ROLE, SHADING_ROLE):
            for node in all_on_films(role):
                remove(node)

    def _xrays(self, pictures: OverlayPictures) -> list[Any]:
        return [xray for xray in self._logic.inputs().xrays if xray_nodes.view_name(xray) in pictures.views]
