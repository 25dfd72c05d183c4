"""The command line: ``radgs`` and ``python -m radgs``."""

from radgs.cli import sources, training_commands  # register their commands
from radgs.cli.commands import app

__all__ = [
    "app",
    "sources",
    "training_commands",
]
