"""RegM: the rigid pose that brings the CT's vertebra onto a reconstructed one; and Kabsch, its plain counterpart."""

from radgs.networks.regm.kabsch import kabsch, weighted_kabsch
from radgs.networks.regm.model import RegM, moved

__all__ = ["RegM", "kabsch", "moved", "weighted_kabsch"]
