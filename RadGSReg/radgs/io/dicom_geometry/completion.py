"""X-rays whose files do not say all of their geometry: what is missing comes from a usual C-arm, and is said to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from radgs.geometry.c_arm import CArm
from radgs.io.dicom_geometry.geometry import DicomView, Given, read_dicom_view


def completed(view: DicomView, usual: CArm, given: Given | None = None) -> DicomView:
    """A view whose missing attributes are those of a usual C-arm.

    Args:
        view: What its file says.
        usual: The exposure of a preset.
        given: What the user said; it stays.

    Raises:
        InputFileError: The file cannot be read any more.
    """
    if not view.missing:
        return view
    lacks = " ".join(view.missing)
    said = given or Given()
    if "Primary Angle" in lacks:
        said = replace(said, primary_deg=usual.primary_deg, secondary_deg=usual.secondary_deg)
    if "Source to Detector" in lacks:
        said = replace(said, source_to_detector_mm=usual.source_to_detector_mm)
    if "Source to Patient" in lacks:
        said = replace(said, source_to_isocentre_mm=usual.source_to_isocentre_mm)
    if "Spacing" in lacks:
        said = replace(said, spacing_mm=usual.spacing_mm)
    whole = read_dicom_view(view.path, view.frame, said)
    return replace(whole, assumed=(*whole.assumed, f"As on a usual C-arm: {', '.join(view.missing)}."))


def plain_view(path: Path, usual: CArm, given: Given | None = None) -> DicomView:
    """The view of an image that says nothing of its geometry, such as a PNG.

    Args:
        path: The image.
        usual: The exposure of a preset, of an image of its size.
        given: What the user said; it goes before the preset.
    """
    said = given or Given()
    stated = {
        "primary_deg": said.primary_deg,
        "secondary_deg": said.secondary_deg,
        "source_to_detector_mm": said.source_to_detector_mm,
        "source_to_isocentre_mm": said.source_to_isocentre_mm,
        "spacing_mm": said.spacing_mm,
    }
    own = {name: value for name, value in stated.items() if value is not None}
    c_arm = replace(usual, **own)  # type: ignore[arg-type]
    assumed = [
        "The image is as it was taken: not turned, not mirrored.",
        "The isocentre projects to the image's middle.",
    ]
    left = [name for name, value in stated.items() if value is None]
    if left:
        words = {
            "primary_deg": "primary angle",
            "secondary_deg": "secondary angle",
            "source_to_detector_mm": "distance from source to detector",
            "source_to_isocentre_mm": "distance from source to isocentre",
            "spacing_mm": "pixel size",
        }
        assumed.append(f"As on a usual C-arm: {', '.join(words[name] for name in left)}.")
    return DicomView(path, 0, 1, "", c_arm, ("Geometry: as stated",) if own else (), tuple(assumed), ())
