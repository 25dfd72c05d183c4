"""The geometry that DICOM X-rays carry: angles, distances, pixel sizes, the field of view, the table."""

from radgs.io.dicom_geometry.completion import completed, plain_view
from radgs.io.dicom_geometry.geometry import DicomView, Given, read_dicom_view

__all__ = ["DicomView", "Given", "completed", "plain_view", "read_dicom_view"]
