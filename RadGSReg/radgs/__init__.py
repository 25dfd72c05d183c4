"""RadGSReg engine: registers a spine CT to calibrated X-rays, vertebra by vertebra. Knows nothing of Slicer.

    from radgs import load_case, register

    registration = register(load_case("case.json"))

``import radgs`` loads none of its modules; each of the names above is looked up at its first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from radgs.versions import ENGINE_VERSION

if TYPE_CHECKING:
    from radgs.case import RegistrationCase, RegistrationResult, load_case
    from radgs.pipeline import register

__all__ = ["RegistrationCase", "RegistrationResult", "__version__", "load_case", "register"]

__version__ = ENGINE_VERSION

_HOMES = {
    "RegistrationCase": "radgs.case",
    "RegistrationResult": "radgs.case",
    "load_case": "radgs.case",
    "register": "radgs.pipeline",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'radgs' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
