"""Slicer's light and dark palettes, from Base/QTGUI/qSlicerStyle.cxx: the roles that a panel shows."""

from __future__ import annotations

from PySide6 import QtGui, QtWidgets

ROLE = QtGui.QPalette.ColorRole
DISABLED = QtGui.QPalette.ColorGroup.Disabled

#: By theme and role: active, and disabled where it differs.
PALETTES: dict[str, dict[QtGui.QPalette.ColorRole, tuple[str, ...]]] = {
    "light": {
        ROLE.Window: ("#ffffff",),
        ROLE.WindowText: ("#000000", "#bebebe"),
        ROLE.Base: ("#ffffff",),
        ROLE.AlternateBase: ("#e4e4fe",),
        ROLE.ToolTipBase: ("#ffffdc",),
        ROLE.ToolTipText: ("#000000",),
        ROLE.Text: ("#000000", "#bebebe"),
        ROLE.Button: ("#fcfcfc",),
        ROLE.ButtonText: ("#000000", "#bebebe"),
        ROLE.Light: ("#c8c8c8",),
        ROLE.Midlight: ("#e6e6e6",),
        ROLE.Dark: ("#aaaaaa",),
        ROLE.Mid: ("#c8c8c8",),
        ROLE.Shadow: ("#5a5a5a",),
        ROLE.Highlight: ("#308cc6", "#919191"),
        ROLE.HighlightedText: ("#ffffff",),
        ROLE.Link: ("#0000ff",),
    },
    "dark": {
        ROLE.Window: ("#323232",),
        ROLE.WindowText: ("#ffffff", "#6d6d6d"),
        ROLE.Base: ("#1e1e1e",),
        ROLE.AlternateBase: ("#323232",),
        ROLE.ToolTipBase: ("#ffffff",),
        ROLE.ToolTipText: ("#323232",),
        ROLE.Text: ("#ffffff", "#6d6d6d"),
        ROLE.Button: ("#323232",),
        ROLE.ButtonText: ("#ffffff", "#b4b4b4"),
        ROLE.Light: ("#828284",),
        ROLE.Midlight: ("#5a5a5b",),
        ROLE.Dark: ("#232323",),
        ROLE.Mid: ("#2b2b2b",),
        ROLE.Shadow: ("#141414",),
        ROLE.Highlight: ("#3ca4ff", "#505050"),
        ROLE.HighlightedText: ("#ffffff", "#6d6d6d"),
        ROLE.Link: ("#3ca4ff",),
    },
}


def use(name: str) -> None:
    """Gives the application the palette of a theme, on the style that Slicer's own derive from."""
    palette = QtGui.QPalette()
    for role, (active, *disabled) in PALETTES[name].items():
        palette.setColor(role, QtGui.QColor(active))
        palette.setColor(DISABLED, role, QtGui.QColor(disabled[0] if disabled else active))
    QtWidgets.QApplication.setStyle("Fusion")
    QtWidgets.QApplication.setPalette(palette)
    QtWidgets.QApplication.processEvents()  # a widget that is seen has it only then
