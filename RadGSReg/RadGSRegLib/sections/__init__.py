"""The panel's sections, top to bottom: one file each, one class each; docs/slicer-module.md says how to add one."""
