"""The command line: ``radgs`` and ``python -m radgs``."""

from radgs.cli import sources  # registers its commands
from radgs.cli.commands import app

__all__ = [
    "app",
    "sources",
]
