"""What a team makes of findings: how bad each rule is, from which limit it speaks, what is ignored, why and how long.

Owns the policy's keys and their meaning. Reads no file and no clock: a table in, values out, and today is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from fnmatch import fnmatchcase
from string import hexdigits
from typing import Any, get_args

from mvc.drift.catalogue import LIMIT, PROBABILITY, RULES, Group, Rule, Severity, find_rule
from mvc.drift.findings import RuleFinding
from mvc.errors import InputError

_GROUPS: tuple[Group, ...] = get_args(Group)
_SEVERITIES: tuple[Severity, ...] = get_args(Severity)
_TABLES = ("rules", "limits", "ignore")
_IGNORE = ("rule", "reason", "expires", "commit", "lineage", "path", "tensor")
#: hexadecimal digits of a commit's id that an ignore must give
_DIGITS = 4


@dataclass(frozen=True)
class About:
    """What a finding was found in: the names by which an ignore can mean it. "" for what there is none of."""

    commit: str = ""
    lineage: str = ""
    path: str = ""


@dataclass(frozen=True)
class Ignore:
    """Findings of ``rule`` that somebody looked at and accepted, up to and including the day ``expires``.

    ``commit`` is a prefix of an id; ``lineage``, ``path`` and ``tensor`` are patterns with ``*``, ``?`` and ``[…]``, in
    which ``*`` stands for ``/`` and ``.`` too. What is "" may be anything.
    """

    rule: str
    reason: str
    expires: date | None = None
    commit: str = ""
    lineage: str = ""
    path: str = ""
    tensor: str = ""

    def covers(self, finding: RuleFinding, about: About) -> bool:
        """Whether this is a finding that it means, expired or not."""
        patterns = ((self.lineage, about.lineage), (self.path, about.path), (self.tensor, finding.tensor or ""))
        return (
            finding.rule == self.rule
            and about.commit.startswith(self.commit)
            and all(fnmatchcase(name, pattern) for pattern, name in patterns if pattern)
        )

    def expired(self, today: date) -> bool:
        return self.expires is not None and today > self.expires


@dataclass(frozen=True)
class Ruling:
    """What a policy makes of a finding. ``ignore`` covers it; with ``ignored`` it holds, else it has expired."""

    finding: RuleFinding
    severity: Severity
    ignore: Ignore | None = None
    ignored: bool = False


@dataclass(frozen=True)
class Policy:
    """``severities`` of all rules; ``limits`` of those that it does not leave as the catalogue has them."""

    severities: Mapping[str, Severity] = field(
        default_factory=lambda: {rule.id: rule.severity for rule in RULES.values()}
    )
    limits: Mapping[str, float] = field(default_factory=dict)
    ignores: tuple[Ignore, ...] = ()

    def apply(self, finding: RuleFinding, about: About, today: date) -> Ruling | None:
        """None for a rule that is off, and for a probability that the policy's limit lets pass."""
        severity = self.severities[finding.rule]
        if severity == "off" or not self._beyond(finding):
            return None
        covering = [ignore for ignore in self.ignores if ignore.covers(finding, about)]
        holding = [ignore for ignore in covering if not ignore.expired(today)]
        return Ruling(finding, severity, next(iter(holding or covering), None), bool(holding))

    def _beyond(self, finding: RuleFinding) -> bool:
        if RULES[finding.rule].unit != PROBABILITY or finding.probability is None:
            return True  # whoever found it knows the limit and what it means
        return finding.probability < self.limits.get(finding.rule, RULES[finding.rule].limit or LIMIT)


def parse_policy(table: Mapping[str, Any], source: str) -> Policy:
    """The policy of a TOML table; ``source`` names it in errors.

    ``[rules]``: rule's id or name, or a group, = severity; a rule's own goes before its group's. ``[limits]``: rule =
    number. ``[[ignore]]``: see `Ignore`. Raises InputError (code "bad-policy") for what it does not know.
    """
    _known(table, _TABLES, source, "table")
    return Policy(
        _severities(_table(table, "rules", source), source),
        _limits(_table(table, "limits", source), source),
        _ignores(table.get("ignore", []), source),
    )


def _severities(table: Mapping[str, Any], source: str) -> Mapping[str, Severity]:
    groups: dict[str, Severity] = {}
    rules: dict[str, Severity] = {}
    for key, value in table.items():
        if value not in _SEVERITIES:
            hint = f"use one of: {', '.join(map(repr, _SEVERITIES))}"
            raise _bad(source, f"{key} cannot be {value!r}", hint)
        if key in _GROUPS:
            groups[key] = value
        else:
            rule = _rule(key, source, groups=True)
            if rules.setdefault(rule.id, value) != value:
                raise _bad(source, f"{rule.id} and {rule.name} are one rule with two severities", "keep one of them")
    return {rule.id: rules.get(rule.id) or groups.get(rule.group) or rule.severity for rule in RULES.values()}


def _limits(table: Mapping[str, Any], source: str) -> Mapping[str, float]:
    limits: dict[str, float] = {}
    for key, value in table.items():
        rule = _rule(key, source)
        if rule.limit is None:
            raise _bad(source, f"{key} has no limit to set", f"set its severity, or see: mvc explain {rule.id}")
        if rule.id in limits:
            raise _bad(source, f"{rule.id} and {rule.name} are one rule with two limits", "keep one of them")
        probability = rule.unit == PROBABILITY
        if type(value) not in (int, float) or not (0 < value < 1 if probability else 0 <= value < float("inf")):
            kind = "a probability between 0 and 1" if probability else f"a number ({rule.unit}), 0 or more"
            raise _bad(
                source, f"the limit of {key} cannot be {value!r}", f"it is {kind}; the default is {rule.limit:g}"
            )
        limits[rule.id] = float(value)
    return limits


def _ignores(rows: Any, source: str) -> tuple[Ignore, ...]:
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise _bad(source, "'ignore' is no list of tables", "write each ignore under a line [[ignore]]")
    return tuple(_ignore(row, source) for row in rows)


def _ignore(row: Mapping[str, Any], source: str) -> Ignore:
    _known(row, _IGNORE, source, "key of an ignore")
    values = dict(row)
    expires = values.pop("expires", None)
    for key, value in values.items():
        if not isinstance(value, str) or not value.strip():
            raise _bad(source, f"an ignore's {key!r} cannot be {value!r}", "write it as text in quotes")
    if "rule" not in values:
        raise _bad(source, "an ignore names no rule", 'add, for example: rule = "MVC002"')
    rule = _rule(values.pop("rule"), source)
    if "reason" not in values:
        raise _bad(source, f"the ignore of {rule.id} has no reason", 'say why it may be ignored: reason = "…"')
    if expires is not None and (not isinstance(expires, date) or isinstance(expires, datetime)):
        raise _bad(source, f"an ignore cannot expire on {str(expires)!r}", "write a day without quotes: 2030-01-31")
    values["commit"] = values.get("commit", "").lower()
    if values["commit"] and (len(values["commit"]) < _DIGITS or set(values["commit"]) - set(hexdigits)):
        hint = f"give {_DIGITS} or more digits of its id, as mvc log shows it"
        raise _bad(source, f"an ignore's commit cannot be {row['commit']!r}", hint)
    return Ignore(rule.id, expires=expires, **values)


def _rule(name: str, source: str, *, groups: bool = False) -> Rule:
    try:
        return find_rule(name)
    except InputError as error:
        beside = f", or a group: {', '.join(_GROUPS)}" if groups else ""
        raise _bad(source, error.message, f"{error.hint}{beside}") from None


def _table(table: Mapping[str, Any], key: str, source: str) -> Mapping[str, Any]:
    value = table.get(key, {})
    if not isinstance(value, Mapping):
        raise _bad(source, f"{key!r} is no table", f"write it as [{key}]")
    return value


def _known(table: Mapping[str, Any], keys: tuple[str, ...], source: str, what: str) -> None:
    unknown = sorted(set(table) - set(keys))
    if unknown:
        raise _bad(source, f"unknown {what} {unknown[0]!r}", f"known are: {', '.join(keys)}")


def _bad(source: str, message: str, hint: str) -> InputError:
    return InputError(f"{source}: {message}", hint=hint, code="bad-policy")
