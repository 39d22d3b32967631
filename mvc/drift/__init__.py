"""Lineages as expectations: features of steps, what is normal, rules."""

from mvc.drift.rules import HISTORY, LIMIT, RULES, Judgement, Normal, RuleFinding, judge, judge_all, judge_steps
from mvc.drift.steps import Steps, displacement_shares, drift_steps

__all__ = [
    "HISTORY",
    "LIMIT",
    "RULES",
    "Judgement",
    "Normal",
    "RuleFinding",
    "Steps",
    "displacement_shares",
    "drift_steps",
    "judge",
    "judge_all",
    "judge_steps",
]
