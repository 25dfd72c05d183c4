"""Bad input, told at the door: every way in which a case cannot be registered, each with its own sentence."""

from radgs.case.checks.case import check_case
from radgs.case.checks.volumes import check_ct, check_label

__all__ = ["check_case", "check_ct", "check_label"]
