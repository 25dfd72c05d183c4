"""RecM and RegM, the file that holds both, and what they make of a vertebra's X-rays."""

from radgs.networks.bundle import (
    Accuracy,
    Networks,
    Patient,
    ct_fingerprint,
    load_generic,
    load_networks,
    load_prepared,
    new_networks,
    save_networks,
)
from radgs.networks.reconstruction import Reconstruction

__all__ = [
    "Accuracy",
    "Networks",
    "Patient",
    "Reconstruction",
    "ct_fingerprint",
    "load_generic",
    "load_networks",
    "load_prepared",
    "new_networks",
    "save_networks",
]
