"""Lineages as expectations: features of steps, what is normal, rules."""

from mvc.drift.catalogue import LIMIT, RULES, Group, Rule, Severity, find_rule
from mvc.drift.evidence import SIGNS, Cause, causes, signs, strength
from mvc.drift.findings import RuleFinding
from mvc.drift.forecasts import Siblings, surprises
from mvc.drift.judging import HISTORY, STEP_RULES, Judgement, judge_walk
from mvc.drift.policy import About, Ignore, Policy, Ruling, parse_policy
from mvc.drift.profiles import StepProfile, profile_step
from mvc.drift.walks import KINDS, Layout, walk

__all__ = [
    "HISTORY",
    "KINDS",
    "LIMIT",
    "RULES",
    "SIGNS",
    "STEP_RULES",
    "About",
    "Cause",
    "Group",
    "Ignore",
    "Judgement",
    "Layout",
    "Policy",
    "Rule",
    "RuleFinding",
    "Ruling",
    "Severity",
    "Siblings",
    "StepProfile",
    "causes",
    "find_rule",
    "judge_walk",
    "parse_policy",
    "profile_step",
    "signs",
    "strength",
    "surprises",
    "walk",
]
