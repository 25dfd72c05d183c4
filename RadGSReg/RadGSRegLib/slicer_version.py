"""Whether this 3D Slicer is new enough. Read by old ones too, whose Python is 3.9: keep it plain."""

from __future__ import annotations

from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

#: The first 3D Slicer with what the module needs: Python 3.12, for one.
OLDEST = (5, 10)


def is_too_old() -> bool:
    """Whether the module cannot work here."""
    return (slicer.app.majorVersion, slicer.app.minorVersion) < OLDEST


def show_where_too_old(layout: Any) -> bool:
    """Says so in place of a panel where the module cannot work, and tells whether it had to."""
    if not is_too_old():
        return False
    label = qt.QLabel(
        _("RadGS-Reg needs 3D Slicer {oldest} or newer, and this is 3D Slicer {version}.").format(
            oldest=".".join(map(str, OLDEST)), version=f"{slicer.app.majorVersion}.{slicer.app.minorVersion}"
        )
    )
    label.wordWrap = True
    layout.addWidget(label)
    return True
