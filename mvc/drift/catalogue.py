"""What `mvc check` can find: every rule as data. Owns ids, names, groups, default severities and what is said of each.

Ids are stable for ever: scripts, policies and reports name them. A rule that goes leaves a gap. `mvc explain` and
``docs/rules.md`` say what stands here.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from mvc.errors import InputError

Severity = Literal["fail", "warn", "off"]
#: integrity: of the weights as they lie; step: of how they got here; regime: of how they are trained; provenance: of
#: what was declared beside what was inferred
Group = Literal["integrity", "step", "regime", "provenance"]

#: probability under normal training below which a rule speaks
LIMIT = 1e-4
#: the unit of limits that are such probabilities
PROBABILITY = "probability under normal training"


@dataclass(frozen=True)
class Rule:
    """``summary``: one line. ``catches``, ``misses`` and ``remedy``: whole sentences for people. ``limit`` is the
    default one in ``unit``, None for a rule that has no threshold.
    """

    id: str
    name: str
    group: Group
    severity: Severity
    summary: str
    catches: str
    misses: str
    remedy: str
    limit: float | None = LIMIT
    unit: str = PROBABILITY


_RULES = (
    Rule(
        "MVC001",
        "not-finite",
        "integrity",
        "fail",
        "a weight is NaN or infinite",
        catches="NaN or infinite values in a trainable tensor.",
        misses="Values that are large but finite, see MVC014 and MVC017.",
        remedy="Go back to the checkpoint before; look for a loss that overflowed, or for damaged memory.",
        limit=0.0,
        unit="values",
    ),
    Rule(
        "MVC002",
        "step-length",
        "step",
        "warn",
        "a step is of another length than the lineage's steps lead one to expect",
        catches="A step much longer or shorter than the lineage's trend.",
        misses="Shifts that leave the length as it was.",
        remedy="Compare the learning rate, the batch size and the number of updates with those of the step before.",
    ),
    Rule(
        "MVC003",
        "turning-angle",
        "step",
        "warn",
        "a step turns otherwise than the lineage's steps lead one to expect",
        catches="A step that turns much more, or less, than the lineage's steps do.",
        misses="Shifts along the direction of training.",
        remedy="Compare data, labels and loss with those of the step before.",
    ),
    Rule(
        "MVC004",
        "abnormal-step",
        "step",
        "fail",
        "all features of a step together are abnormal",
        catches="What no feature shows alone.",
        misses="Changes that are as small as the noise of this lineage's steps.",
        remedy="Look at mvc diff between the step's two ends, and at what changed in data and settings.",
    ),
)

#: id → rule, in order of ids
RULES: Mapping[str, Rule] = MappingProxyType({rule.id: rule for rule in _RULES})


def find_rule(name: str) -> Rule:
    """The rule of this id or name, in capitals or not. Raises InputError (code "no-such-rule")."""
    known = {key.casefold(): (key, rule) for rule in RULES.values() for key in (rule.id, rule.name)}
    if name.casefold() in known:
        return known[name.casefold()][1]
    close = [known[key][0] for key in difflib.get_close_matches(name.casefold(), known, n=2, cutoff=0.6)]
    hint = f"did you mean: {', '.join(close)}" if close else "list the rules with: mvc explain"
    raise InputError(f"there is no rule {name!r}", hint=hint, code="no-such-rule")
