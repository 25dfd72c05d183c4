"""What the module's nodes are called and how they refer to each other; docs/slicer-module.md explains each.

A role or an attribute written into a scene is read again by later versions: change a name only with the documentation.
"""

from urllib.parse import quote

#: On an X-ray volume: the one-point fiducial that stands at its focal spot.
SOURCE_ROLE = "RadGSReg.source"

#: On an X-ray volume: the DRR that is laid over it.
DRR_ROLE = "RadGSReg.drr"

#: On an X-ray volume: what is laid over it in the DRR's place while they are compared, the contour on its film, and the
#: shading of what it does not show.
COMPARED_ROLE = "RadGSReg.compared"
CONTOUR_ROLE = "RadGSReg.contour"
SHADING_ROLE = "RadGSReg.shading"

#: On what lies on a film: in which of these roles, or that it does; on a line, the plan in the CT, and the X-ray.
ON_FILM_ATTRIBUTE = "RadGSReg.onFilm"
PLAN_ROLE = "RadGSReg.plan"
PLANNED_ON_ROLE = "RadGSReg.plannedOn"

#: On an X-ray volume: what it is called in the case (its node's name where missing), what its pixel values are ("auto"
#: where missing), how line integrals came about, and where its geometry comes from.
VIEW_ATTRIBUTE = "RadGSReg.view"
PIXEL_TYPE_ATTRIBUTE = "RadGSReg.pixel_type"
CONVERSION_ATTRIBUTE = "RadGSReg.conversion"
GEOMETRY_ATTRIBUTE = "RadGSReg.geometry"

#: On an X-ray volume: how uncertain its geometry is (JSON, as case.json's geometry_sigma, in the volume's own axes).
SIGMA_ATTRIBUTE = "RadGSReg.geometry_sigma"

#: On an X-ray volume whose geometry a self-calibration changed: the one that it had before (JSON), to go back to.
FORMER_GEOMETRY_ATTRIBUTE = "RadGSReg.former_geometry"

#: On an X-ray volume: where it was measured, if somebody said so (JSON, as case.json's field; a path is a full one).
FIELD_ATTRIBUTE = "RadGSReg.field"

#: On an X-ray volume that came from DICOM: its file with the frame from 0 ("path#0"), its study, where the table stood
#: with the isocentre at the world's origin ("x y z" along the patient's LPS axes, mm; absent where unknown), and what
#: its file does not say of its geometry (absent where nothing is missing).
DICOM_FILE_ATTRIBUTE = "RadGSReg.dicom_file"
STUDY_ATTRIBUTE = "RadGSReg.study"
TABLE_ATTRIBUTE = "RadGSReg.table"
MISSING_ATTRIBUTE = "RadGSReg.missing"

#: On an X-ray volume: what was taken to be so of its geometry, sentences.
ASSUMED_ATTRIBUTE = "RadGSReg.assumed"

#: On the CT and the segmentation while they observe a level's transform: the parent they had before, if any.
FORMER_PARENT_ROLE = "RadGSReg.formerParent"

#: On a level's transform and on everything that belongs to the level: its name.
LEVEL_ATTRIBUTE = "RadGSReg.level"

#: On the CT: levels that were never found and so have no transform, by name, with their part of result.json (JSON).
NEVER_FOUND_ATTRIBUTE = "RadGSReg.neverFound"

#: On a level's transform: the level's part of result.json.
RESULT_ATTRIBUTE = "RadGSReg.result"

#: On a level's transform: which registration it comes from, and where CT and X-rays stood then (JSON).
PROVENANCE_ATTRIBUTE = "RadGSReg.origin"

#: On a level's transform whose pose the user accepted: the verdict that it had.
ACCEPTED_ATTRIBUTE = "RadGSReg.accepted"

#: On a level's transform: its runs, the oldest first (JSON: time, start, model, result, provenance).
HISTORY_ATTRIBUTE = "RadGSReg.history"

#: On what a run reconstructed: the SHA-256 of the run's result.json.
RUN_ATTRIBUTE = "RadGSReg.run"

#: On a level's transform: the CT it moves, and what belongs to the level.
CT_ROLE = "RadGSReg.ct"
VERTEBRA_ROLE = "RadGSReg.vertebra"
GAUSSIANS_ROLE = "RadGSReg.gaussians"
RECONSTRUCTION_ROLE = "RadGSReg.reconstruction"
RECONSTRUCTED_GAUSSIANS_ROLE = "RadGSReg.reconstructedGaussians"

#: On a level's transform: points of its vertebra by name, the CT's own RAS, mm (JSON).
LANDMARKS_ATTRIBUTE = "RadGSReg.landmarks"

#: On a level's transform: the model that shows how uncertain its pose is.
UNCERTAINTY_ROLE = "RadGSReg.uncertainty"

#: On that model: the opacity that the vertebra had before it was made translucent.
OPACITY_ATTRIBUTE = "RadGSReg.opacity"

#: On a level's transform: the transform that a person moves beside it, and the vertebra under that.
NUDGE_ROLE = "RadGSReg.nudge"
NUDGED_VERTEBRA_ROLE = "RadGSReg.nudgedVertebra"

#: On what a person moves: that it is so; on the transform, the result that it began from.
NUDGED_ATTRIBUTE = "RadGSReg.nudged"

#: What goes along when another transform becomes a level's.
ROLES_OF_A_LEVEL = (
    VERTEBRA_ROLE,
    GAUSSIANS_ROLE,
    RECONSTRUCTION_ROLE,
    RECONSTRUCTED_GAUSSIANS_ROLE,
    UNCERTAINTY_ROLE,
    NUDGE_ROLE,
    NUDGED_VERTEBRA_ROLE,
)
ATTRIBUTES_OF_A_LEVEL = (
    LEVEL_ATTRIBUTE,
    RESULT_ATTRIBUTE,
    PROVENANCE_ATTRIBUTE,
    ACCEPTED_ATTRIBUTE,
    HISTORY_ATTRIBUTE,
    LANDMARKS_ATTRIBUTE,
)


def click_role(level: str, view: str) -> str:
    """On the parameter node: the one-point fiducial that marks a level's vertebral body in a view."""
    return f"RadGSReg.click.{_in_role(level)}.{_in_role(view)}"


def is_click_in(role: str, view: str) -> bool:
    """Whether a role is that of a click in a view, of whatever level."""
    return role.startswith("RadGSReg.click.") and role.endswith(f".{_in_role(view)}")


def start_role(level: str) -> str:
    """On the parameter node: the transform from which a level's registration starts, where one is given."""
    return f"RadGSReg.start.{_in_role(level)}"


def _in_role(name: str) -> str:
    """A name as it can stand in a role; a scene file separates roles and nodes by ``:``, ``;`` and spaces."""
    return quote(name, safe="").replace(".", "%2E")
