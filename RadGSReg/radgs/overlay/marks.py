"""The patient's directions at the borders of a picture."""

from __future__ import annotations

from radgs.geometry import FloatArray, ViewGeometry, unit

#: Letters for the negative and the positive direction of each RAS axis.
LETTERS = (("L", "R"), ("P", "A"), ("I", "S"))
#: A second letter is written where the direction leans this far towards it (30 degrees).
SECOND_LETTER = 0.5


def direction_label(direction: FloatArray) -> str:
    """The patient's direction nearest to a world direction (3,), such as "L", or "LA" for an oblique one."""
    components = unit(direction)
    axes = sorted(range(3), key=lambda axis: -abs(components[axis]))
    named = [axes[0], *(axis for axis in axes[1:] if abs(components[axis]) > SECOND_LETTER)]
    return "".join(LETTERS[axis][int(components[axis] > 0)] for axis in named)


def edge_labels(geometry: ViewGeometry) -> dict[str, str]:
    """The patient's direction at the ``left``, ``right``, ``top`` and ``bottom`` border of a view's image."""
    across, down = geometry.column_step, geometry.row_step
    return {
        "left": direction_label(-across),
        "right": direction_label(across),
        "top": direction_label(-down),
        "bottom": direction_label(down),
    }
