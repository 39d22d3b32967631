"""Lineages as expectations: features of steps, what is normal, rules."""

from mvc.drift.catalogue import LIMIT, RULES, Group, Rule, Severity, find_rule
from mvc.drift.policy import About, Ignore, Policy, Ruling, parse_policy
from mvc.drift.rules import HISTORY, Judgement, Normal, RuleFinding, judge, judge_all, judge_steps
from mvc.drift.steps import Steps, displacement_shares, drift_steps

__all__ = [
    "HISTORY",
    "LIMIT",
    "RULES",
    "About",
    "Group",
    "Ignore",
    "Judgement",
    "Normal",
    "Policy",
    "Rule",
    "RuleFinding",
    "Ruling",
    "Severity",
    "Steps",
    "displacement_shares",
    "drift_steps",
    "find_rule",
    "judge",
    "judge_all",
    "judge_steps",
    "parse_policy",
]
