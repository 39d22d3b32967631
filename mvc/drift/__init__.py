"""Lineages as expectations: features of steps, what is normal, rules."""

from mvc.drift.rules import HISTORY, LIMIT, RULES, Judgement, RuleFinding, judge
from mvc.drift.steps import Steps, displacement_shares, drift_steps

__all__ = [
    "HISTORY",
    "LIMIT",
    "RULES",
    "Judgement",
    "RuleFinding",
    "Steps",
    "displacement_shares",
    "drift_steps",
    "judge",
]
