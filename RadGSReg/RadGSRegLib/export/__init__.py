"""Registered levels on their way out of the scene: as files, or live."""
