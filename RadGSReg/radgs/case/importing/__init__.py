"""From files as people have them to a case.json: what was understood, what is missing, and the case. No torch."""

from radgs.case.importing.plan import ImportPlan, Question, write_plan

__all__ = ["ImportPlan", "Question", "write_plan"]
