"""A registration as one page that anybody can open: report.html, self-contained, for eyes, printers and archives."""

from radgs.report.write import REPORT_NAME, case_of, check_same_case, write_report

__all__ = ["REPORT_NAME", "case_of", "check_same_case", "write_report"]
