"""RecM and RegM, the file that holds both, and what they make of a vertebra's X-rays."""

from radgs.networks.bundle import (
    Accuracy,
    Networks,
    PreparedFor,
    ct_fingerprint,
    load_generic,
    load_networks,
    load_prepared,
    new_networks,
    save_networks,
    with_attention,
)
from radgs.networks.reconstruction import Reconstruction

__all__ = [
    "Accuracy",
    "Networks",
    "PreparedFor",
    "Reconstruction",
    "ct_fingerprint",
    "load_generic",
    "load_networks",
    "load_prepared",
    "new_networks",
    "save_networks",
    "with_attention",
]
