"""Why pip could not install something, in a sentence, with what to do about it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from subprocess import CalledProcessError

from radgs.errors import RadgsError


class DependencyError(RadgsError):
    """The engine's libraries are not there, and why."""


#: What pip's words mean, the first that fits.
SYMPTOMS = (
    (
        r"No space left|not enough space",
        "The disk is full.",
        "Free some space, and press Install again.",
    ),
    (
        r"ResolutionImpossible|conflicting dependencies|user requested \(constraint\)",
        "What is missing does not fit torch or the packages that 3D Slicer brings, and these are never replaced.",
        "Use a newer 3D Slicer, or update torch with the PyTorch extension's own module; then press Install again.",
    ),
    (
        r"Permission denied|WinError 5\b|WinError 32|being used by another process",
        "Some files cannot be written, or are in use.",
        "Restart 3D Slicer, as a user who may write to its folder, and press Install before anything else.",
    ),
    (
        r"NewConnectionError|establish a new connection|name resolution|Network is unreachable|ProxyError|timed out|"
        r"SSLError|Connection refused",
        "The package server cannot be reached.",
        "Connect to the internet or set the proxy, and press Install again.",
    ),
    (
        r"No matching distribution|Could not find a version",
        "The package server has nothing that fits.",
        "Press Install again later, or see the Python console for pip's own words.",
    ),
)


def explain_failure(problem: Exception | None, lines: Sequence[str], left: str) -> DependencyError:
    """What went wrong, from pip's words.

    Args:
        problem: What was raised; None where pip ended well and something is missing all the same.
        lines: What pip said.
        left: Names of what is still missing, for people: the rest has been installed.
    """
    said = "\n".join([*lines, "" if problem is None else str(problem)])
    known = (pair for pattern, *pair in SYMPTOMS if re.search(pattern, said))
    why, remedy = next(known, (None, "See the Python console for pip's own words, then press Install again."))
    if why is None:
        last = next((line for line in reversed(lines) if line.strip()), "it said nothing")
        ended = isinstance(problem, CalledProcessError) or problem is None
        why = f"pip failed ({last})." if ended else f"The installation failed ({problem})."
    return DependencyError(f"{why} Still missing: {left}." if left else why, remedy)
