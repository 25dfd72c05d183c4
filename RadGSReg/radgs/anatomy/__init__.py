"""Vertebrae as the label map shows them: levels and their names, surface, body centre, anatomical frame.

Every function takes the label map as a ``Volume`` of integers in any orientation, handedness and spacing, and answers
in that volume's RAS millimetres.
"""

from radgs.anatomy.frame import VertebraFrames, body_centre, level_spacing_mm, vertebra_frame
from radgs.anatomy.levels import LABEL_NUMBERINGS, LEVELS, suggest_numbering
from radgs.anatomy.parts import PARTS, PartsOfVertebra, parts_of_vertebra
from radgs.anatomy.spineps import spineps_mask, spineps_structure
from radgs.anatomy.surface import label_extent, label_mask, sample_triangles, surface_mesh, surface_points, touches_edge

__all__ = [
    "LABEL_NUMBERINGS",
    "LEVELS",
    "PARTS",
    "PartsOfVertebra",
    "VertebraFrames",
    "body_centre",
    "label_extent",
    "label_mask",
    "level_spacing_mm",
    "parts_of_vertebra",
    "sample_triangles",
    "spineps_mask",
    "spineps_structure",
    "suggest_numbering",
    "surface_mesh",
    "surface_points",
    "touches_edge",
    "vertebra_frame",
]
