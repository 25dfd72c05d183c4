"""Vertebrae as the label map shows them: levels and their names, surface, body centre, anatomical frame.

Every function takes the label map as a ``Volume`` of integers in any orientation, handedness and spacing, and answers
in that volume's RAS millimetres.
"""

from radgs.anatomy.frame import body_centre, level_spacing_mm, vertebra_frame
from radgs.anatomy.levels import LABEL_NUMBERINGS, LEVELS, suggest_label, suggest_numbering
from radgs.anatomy.surface import label_mask, sample_triangles, surface_mesh, surface_points, touches_edge

__all__ = [
    "LABEL_NUMBERINGS",
    "LEVELS",
    "body_centre",
    "label_mask",
    "level_spacing_mm",
    "sample_triangles",
    "suggest_label",
    "suggest_numbering",
    "surface_mesh",
    "surface_points",
    "touches_edge",
    "vertebra_frame",
]
