"""X-rays beside the DRR that their geometry would give, in the dialogs in which a geometry is chosen or typed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import qt
from slicer.i18n import tr as _

from radgs.errors import RadgsError
from radgs.geometry import ViewGeometry
from RadGSRegLib.engine.exposure_run import ExposureRequest, PossibleView
from RadGSRegLib.scene.ct_placement import CtPlacement
from RadGSRegLib.scene.placement import in_scene
from RadGSRegLib.sections.texts import fit
from RadGSRegLib.theme import style


class ExposurePictures:
    """Asks the engine for pictures of geometries, and says why there are none.

    Args:
        logic: A ``RadGSRegLogic``.
        show: Called with the QPixmaps of what was asked for last, in its order; with none where there are none.
        say: Called with why there are none, after ``show``; with "" where there is nothing to say.
    """

    def __init__(self, logic: Any, show: Callable[[list[Any]], None], say: Callable[[str], None]) -> None:
        self._logic, self._show, self._say = logic, show, say
        self._inputs = logic.inputs()
        self._placement: CtPlacement | None = None
        self._over = False

    def draw(self, geometries: Sequence[Sequence[tuple[Any, ViewGeometry]]], beside: Sequence[Any] = ()) -> None:
        """Asks for pictures, which come later; those of an earlier call may come before.

        Args:
            geometries: For each picture, X-rays with the geometry that they might have.
            beside: X-rays with their geometry that help to place the CT and are not drawn.
        """
        if not geometries:
            self._nothing("")
            return
        if not in_scene(self._inputs.ct):
            self._nothing(_("Choose the CT first, and you will see what each geometry would show of it."))
            return
        try:
            if self._placement is None:
                self._placement = CtPlacement(self._inputs, self._logic.getParameterNode().parameterNode)
            pictures = [self._views(views, beside) for views in geometries]
        except RadgsError as error:
            self._nothing(error.problem)
            return
        self._logic.drawExposures(ExposureRequest(self._inputs, pictures, self._take, self._fail))

    def stop(self) -> None:
        """Nobody looks any more."""
        self._over = True
        self._logic.stopDrawingExposures()

    def _views(self, views: Sequence[tuple[Any, ViewGeometry]], beside: Sequence[Any]) -> list[PossibleView]:
        assert self._placement is not None
        pose = self._placement.pose([*views, *beside])
        return [PossibleView(xray, geometry, pose) for xray, geometry in views]

    def _take(self, folder: Path) -> None:
        if not self._over:
            files = sorted(folder.glob("*.png"), key=lambda path: int(path.stem))
            self._show([qt.QPixmap(str(path)) for path in files])

    def _fail(self, error: RadgsError) -> None:
        if not self._over:
            self._nothing(_("No DRR: {why}").format(why=error.problem))

    def _nothing(self, why: str) -> None:
        self._show([])
        self._say(why)


class ExposurePreview:
    """One X-ray and its DRR, under a form, and a line that says what they are, or why there are none.

    Args:
        logic: A ``RadGSRegLogic``.
        dialog: The dialog that grows and shrinks with the picture.
    """

    def __init__(self, logic: Any, dialog: Any) -> None:
        self._dialog = dialog
        self.widget = qt.QWidget()
        layout = qt.QVBoxLayout(self.widget)
        layout.setContentsMargins(0, 0, 0, 0)
        self.picture = qt.QLabel()
        self.picture.objectName = "exposurePictureLabel"
        self.picture.alignment = qt.Qt.AlignCenter
        self.picture.toolTip = _(
            "The CT's level is put on the clicks, or else where the X-rays' middles meet, and is not registered: head "
            "and feet, left and right and the size should agree."
        )
        layout.addWidget(self.picture)
        self.caption = qt.QLabel()
        self.caption.objectName = "exposureCaptionLabel"
        self.caption.wordWrap = True
        layout.addWidget(self.caption)
        self._pictures = ExposurePictures(logic, self._show, self._say)
        self.clear()

    def show(self, xray: Any, geometry: ViewGeometry, beside: Sequence[tuple[Any, ViewGeometry]]) -> None:
        """Has the X-ray drawn with the DRR of a geometry.

        Args:
            xray: The X-ray.
            geometry: Where its source and film may stand.
            beside: Other X-rays with their geometry, which help to place the CT.
        """
        self._pictures.draw([[(xray, geometry)]], beside)

    def clear(self) -> None:
        """Shows nothing."""
        self._pictures.draw([])

    def stop(self) -> None:
        """Nobody looks any more."""
        self._pictures.stop()

    def _show(self, pictures: list[Any]) -> None:
        if pictures:
            self.picture.setPixmap(pictures[0])
            self._say(_("The X-ray, and the CT as this geometry would show it, not registered"))
        self.picture.setVisible(bool(pictures))
        fit(self._dialog)

    def _say(self, text: str) -> None:
        self.caption.text, self.caption.styleSheet = text, style("faint", self._dialog)
        self.caption.setVisible(bool(text))
        fit(self._dialog)
