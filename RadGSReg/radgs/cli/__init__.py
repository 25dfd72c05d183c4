"""The command line: ``radgs`` and ``python -m radgs``."""

from radgs.cli import calibration, measuring_commands, sources, training_commands  # they register their commands
from radgs.cli.commands import app

__all__ = [
    "app",
    "calibration",
    "measuring_commands",
    "sources",
    "training_commands",
]
