"""What goes into a registration: a CT with labelled vertebrae, calibrated X-rays, and where to start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from radgs.case.checks import check_case, check_ct, check_label, check_level, problems_of_levels
from radgs.case.checks.headers import StatedView, compare_headers
from radgs.case.checks.identity import compare_identities
from radgs.case.checks.views import check_size, doubtful_size
from radgs.case.content import CaseContent, InitialPose, Level, WorldOrientation, level_named
from radgs.case.result import Reason
from radgs.errors import CaseError, InputFileError, RadgsError
from radgs.geometry import ViewGeometry, Volume, XRayView
from radgs.io.case_file import CaseFile, ViewEntry, read_case_file, write_case_file
from radgs.io.content import ContentHashes
from radgs.io.dicom_identity import read_identity
from radgs.io.volumes import read_ct, read_labels, write_volume
from radgs.io.xray_images import read_xray, write_xray


@dataclass(frozen=True, eq=False)
class LabelledCT:
    """What is known before any X-ray is taken: enough to prepare networks for a vertebra.

    Attributes:
        ct: Hounsfield units, int16 or float32.
        labels: Label map, whole numbers, possibly on another grid than the CT.
        levels: The vertebrae that the case names.
    """

    ct: Volume
    labels: Volume
    levels: tuple[Level, ...]

    @classmethod
    def load(cls, path: str | Path) -> LabelledCT:
        """Reads the CT, the labels and the levels of a case.json; its views may be missing.

        Raises:
            InputFileError: A file is missing, unreadable, or not what it should be.
            CaseError: A field of the case.json is missing or of a wrong type.
        """
        file = read_case_file(Path(path))
        levels = tuple(Level(name, label) for name, label in file.levels)
        return cls(read_ct(file.ct), read_labels(file.labels), levels)

    def checked_level(self, name: str) -> Level:
        """The level of that name, whole in the CT.

        Raises:
            InputFileError: The CT or the labels are not what they should be.
            CaseError: There is no such level, or its label shows no whole vertebra.
        """
        level = level_named(self.levels, name)
        check_ct(self.ct)
        check_label(self.ct, self.labels, level)
        return level


@dataclass(frozen=True, eq=False)
class RegistrationCase(CaseContent):
    """Everything one registration needs, read from files, written to files, and checked."""

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        ct_reader: Callable[[Path], Volume] = read_ct,
        label_reader: Callable[[Path], Volume] = read_labels,
        hashes: ContentHashes | None = None,
    ) -> RegistrationCase:
        """Reads a case.json (or the one in a folder) with all its files, and validates it.

        Args:
            path: The case.json or its folder.
            ct_reader: Reads the CT; a program that runs for long may remember what it has read.
            label_reader: Reads the label map.
            hashes: Remembers what unchanged files hash to.

        Raises:
            InputFileError: A file is missing, unreadable, changing, or not what it should be.
            CaseError: The parts of the case do not fit together.
            GeometryError: A view's geometry, or the views' arrangement, cannot be used.
        """
        hashes = hashes or ContentHashes()
        file = read_case_file(Path(path))
        sha256 = file.sha256(hashes)
        case = cls(
            ct=ct_reader(file.ct),
            labels=label_reader(file.labels),
            levels=tuple(Level(name, label) for name, label in file.levels),
            views=tuple(_read_view(entry) for entry in file.views),
            initial={
                level: InitialPose(
                    file.clicks.get(level, {}), file.initial_poses.get(level), file.start_sigmas_mm.get(level)
                )
                for level in (*file.clicks, *file.initial_poses)
            },
            truth=file.truth,
            sha256=sha256,
            world_orientation=None if file.world_orientation is None else WorldOrientation(*file.world_orientation),
        )
        case = replace(case, cautions=_compare_files(file, case))
        if file.sha256(hashes) != sha256:
            raise InputFileError(f"{path} changed while it was read.", "Wait until it is written, then go on.")
        case.validate()
        return case

    def save(self, folder: str | Path) -> Path:
        """Writes the case as case.json with ct.nii.gz, labels.nii.gz and one .nrrd of line integrals per view.

        Returns:
            Path of the case.json.

        Raises:
            InputFileError: A file cannot be written.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        orientation = self.world_orientation
        file = CaseFile(
            path=folder / "case.json",
            ct=folder / "ct.nii.gz",
            labels=folder / "labels.nii.gz",
            levels=tuple((level.name, level.label) for level in self.levels),
            views=tuple(_view_entry(view, folder / f"{view.name}.nrrd") for view in self.views),
            clicks={name: initial.clicks for name, initial in self.initial.items() if initial.clicks},
            initial_poses={name: i.ct_to_world for name, i in self.initial.items() if i.ct_to_world is not None},
            start_sigmas_mm={name: i.sigma_mm for name, i in self.initial.items() if i.sigma_mm is not None},
            truth=self.truth,
            world_orientation=None if orientation is None else (orientation.superior, orientation.anterior),
        )
        write_volume(file.ct, self.ct)
        write_volume(file.labels, self.labels)
        for view, entry in zip(self.views, file.views, strict=True):
            write_xray(entry.image, view)
            if isinstance(entry.field, Path) and view.field is not None:
                write_xray(entry.field, replace(view, image=view.field.astype(np.float32)))
        write_case_file(file)
        return file.path

    def validate(self) -> None:
        """Refuses bad input, each case of it with its own message; one level that can be registered is enough.

        Raises:
            InputFileError: The CT, the labels or an X-ray are not what they should be.
            CaseError: The parts of the case do not fit together.
            GeometryError: A view's geometry, or the views' arrangement, cannot be used.
        """
        check_case(self)

    def problems_of_levels(self) -> dict[str, RadgsError]:
        """Validates, and says by name which levels cannot be registered, and why; the others can.

        Raises:
            RadgsError: As ``validate`` does.
        """
        return problems_of_levels(self)

    def usable_level(self, name: str) -> Level:
        """The level of that name, where it can be registered.

        Raises:
            RadgsError: There is no such level, or its label or its start cannot be used.
        """
        level = self.level(name)
        check_level(self, level)
        return level


def load_case(path: str | Path) -> RegistrationCase:
    """Reads a case.json (or the one in a folder) with all its files, and validates it.

    Raises:
        InputFileError: A file is missing, unreadable, or not what it should be.
        CaseError: The parts of the case do not fit together.
        GeometryError: A view's geometry, or the views' arrangement, cannot be used.
    """
    return RegistrationCase.load(path)


def _compare_files(file: CaseFile, case: RegistrationCase) -> tuple[Reason, ...]:
    """What two files, or a file and the case.json, say differently of the same thing."""
    seen = ((entry.name, read_identity(entry.image)) for entry in file.views)
    identities = compare_identities(read_identity(file.ct), {name: one for name, one in seen if one is not None})
    stated = [
        StatedView(view.name, view.geometry, entry.image) for view, entry in zip(case.views, file.views, strict=True)
    ]
    pairs = zip(case.views, file.views, strict=True)
    cropped = [reason for view, entry in pairs for reason in doubtful_size(view.name, view.geometry, entry.size)]
    return (*identities, *compare_headers(stated), *cropped)


def _read_view(entry: ViewEntry) -> XRayView:
    xray = read_xray(entry.image, entry.pixel_type)
    rows, columns = xray.image.shape
    check_size(entry.name, (rows, columns), entry.size)
    geometry = ViewGeometry(entry.source_ras, entry.detector_to_ras, (rows, columns))
    given = entry.pixel_type == "attenuation" and entry.conversion is not None
    conversion = str(entry.conversion) if given else xray.conversion
    sigma = entry.geometry_sigma
    field = _read_field(entry, (rows, columns))
    return XRayView(entry.name, xray.image, geometry, conversion, field, sigma)


def _read_field(entry: ViewEntry, shape: tuple[int, int]) -> NDArray[np.bool_] | None:
    """(H, W) where the case says that the X-ray was measured; None where it says nothing."""
    if entry.field is None:
        return None
    if isinstance(entry.field, Path):
        field = read_xray(entry.field, "attenuation").image > 0
    else:
        from skimage.draw import polygon2mask  # only here: the panel reads cases where it is not installed

        field = polygon2mask(shape, entry.field[:, ::-1])
    if field.shape != shape or not field.any():
        raise CaseError(
            f"The field of view {entry.name} is empty, or not of its image's {shape[1]} x {shape[0]} pixels.",
            "Give a mask of the same size, or a polygon of (column, row) corners on the image.",
        )
    return np.asarray(field)


def _view_entry(view: XRayView, image: Path) -> ViewEntry:
    field = None if view.field is None or view.field.all() else image.with_name(f"{view.name}_field.nrrd")
    return ViewEntry(
        view.name,
        image,
        "attenuation",
        view.geometry.source_ras,
        view.geometry.detector_to_ras,
        view.conversion,
        geometry_sigma=view.geometry_sigma,
        field=field,
        size=(view.geometry.shape[1], view.geometry.shape[0]),
    )
