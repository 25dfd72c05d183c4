"""Checks of a case: each way in which it cannot be registered has its own error message."""

from radgs.case.checks.case import check_case, check_level, problems_of_levels
from radgs.case.checks.volumes import check_ct, check_label

__all__ = ["check_case", "check_ct", "check_label", "check_level", "problems_of_levels"]
