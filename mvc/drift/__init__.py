"""Lineages as expectations: features of steps, what is normal, rules."""

from mvc.drift.catalogue import LIMIT, RULES, Rule, Severity
from mvc.drift.rules import HISTORY, Judgement, Normal, RuleFinding, judge, judge_all, judge_steps
from mvc.drift.steps import Steps, displacement_shares, drift_steps

__all__ = [
    "HISTORY",
    "LIMIT",
    "RULES",
    "Judgement",
    "Normal",
    "Rule",
    "RuleFinding",
    "Severity",
    "Steps",
    "displacement_shares",
    "drift_steps",
    "judge",
    "judge_all",
    "judge_steps",
]
