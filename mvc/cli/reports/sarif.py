"""A check's result as SARIF 2.1.0 (OASIS, 2020), as code scanning services read it.

One result for each checkpoint and rule, several tensors being its related locations; ignored findings are results with
an accepted suppression, checkpoints that could not be judged are notes about the run. A checkpoint has no lines: all
that services ask for is said to be in the first.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mvc.cli.reports.words import by_rule, found_in, named, standing, told, what
from mvc.cli.text import escape
from mvc.drift import RULES, Rule
from mvc.porcelain.results.checks import CheckedCommit, CheckResult, Finding

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {"fail": "error", "warn": "warning", "off": "none"}
_PLACES = {rule: place for place, rule in enumerate(RULES)}
#: tensors of one result that are listed one by one
_RELATED = 100


def render(result: CheckResult) -> str:
    driver = {
        "name": "mvc",
        "semanticVersion": version("modelvc"),
        "rules": [_rule(rule) for rule in RULES.values()],
    }
    skipped = [
        {
            "level": "warning" if commit.blocked else "note",
            "message": {"text": f"{what(commit)} was not judged: {escape(commit.reason)}"},
        }
        for commit in result.commits
        if commit.verdict == "skip"
    ]
    run = {
        "tool": {"driver": driver},
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": skipped}],
        "columnKind": "unicodeCodePoints",
        "results": [row for commit in result.commits for row in _results(commit, result)],
        "properties": {"verdict": result.verdict, "checked": result.checked},
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, ensure_ascii=True, indent=2)


def _rule(rule: Rule) -> dict[str, Any]:
    parts = {"Catches": rule.catches, "Misses": rule.misses, "What to do": rule.remedy}
    return {
        "id": rule.id,
        "name": "".join(word.capitalize() for word in rule.name.split("-")),
        "shortDescription": {"text": f"{rule.summary[:1].upper()}{rule.summary[1:]}."},
        "fullDescription": {"text": rule.catches},
        "help": {
            "text": "\n".join(f"{key}: {text}" for key, text in parts.items()),
            "markdown": "\n\n".join(f"**{key}.** {text}" for key, text in parts.items()),
        },
        "defaultConfiguration": {"enabled": rule.severity != "off", "level": _LEVELS[rule.severity]},
        "properties": {"tags": [rule.group], "precision": "high"},
    }


def _results(commit: CheckedCommit, result: CheckResult) -> Iterator[dict[str, Any]]:
    for group in by_rule(found_in(commit, result.findings)):
        yield _result(commit, group)
    for group in by_rule(found_in(commit, result.ignored)):
        suppression = {"kind": "external", "status": "accepted", "justification": standing(group[0])}
        yield _result(commit, group) | {"suppressions": [suppression]}


def _result(commit: CheckedCommit, findings: Sequence[Finding]) -> dict[str, Any]:
    first = findings[0]
    tensors = [finding for finding in findings if finding.tensor]
    was = f" (was {standing(first)})" if first.ignore is not None else ""
    logical = [{"name": escape(finding.tensor), "kind": "object"} for finding in tensors[:_RELATED]]
    where = {"physicalLocation": {"artifactLocation": {"uri": _uri(commit)}, "region": {"startLine": 1}}}
    row: dict[str, Any] = {
        "ruleId": first.rule,
        "ruleIndex": _PLACES[first.rule],
        "kind": "fail",
        "level": _LEVELS[first.severity],
        "message": {"text": _unlinked(f"{what(commit)}: {named(first)}: {told(findings)}{was}")},
        "locations": [where | ({"logicalLocations": logical} if logical else {})],
        "partialFingerprints": _fingerprints(commit, first.rule),
        "properties": {
            "commit": commit.id,
            "lineage": None if commit.lineage is None else escape(commit.lineage),
            "score": commit.score,
            "findings": [
                {
                    "tensor": None if finding.tensor is None else escape(finding.tensor),
                    "value": _finite(finding.value),
                    "limit": _finite(finding.limit),
                    "probability": finding.probability,
                }
                for finding in findings[:_RELATED]
            ],
        },
    }
    if len(tensors) > 1:
        row["relatedLocations"] = [
            {"id": place, "logicalLocations": [entry], "message": {"text": _unlinked(escape(finding.message))}}
            for place, (entry, finding) in enumerate(zip(logical, tensors, strict=False), start=1)
        ]
    return row


def _uri(commit: CheckedCommit) -> str:
    """Path of the checkpoint, or of the pointer that git carries for it, as a URI reference; absolute where it is."""
    path = commit.pointer or commit.path or commit.id or ""
    text = quote(_encoded(path))
    return f"file://{text}" if Path(path).is_absolute() else text.replace(":", "%3A")


def _encoded(text: str) -> bytes:
    """A path's own bytes; what no path of this system can be, as a commit made on another may have it, all the same."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _fingerprints(commit: CheckedCommit, rule: str) -> dict[str, str]:
    """What stays while the same rule is broken by the same checkpoint, whatever its numbers are."""
    told_by = "\0".join((rule, commit.id or "", commit.path or ""))
    digest = hashlib.sha256(_encoded(told_by)).hexdigest()[:32]
    return {"checkpointAndRule/v1": digest, "primaryLocationLineHash": f"{digest}:1"}


def _unlinked(text: str) -> str:
    """Text in which no name can be a link: SARIF knows ``[text](target)`` in plain messages too."""
    return text.replace("](", "] (")


def _finite(value: float | None) -> float | str | None:
    """A number as JSON knows numbers."""
    return value if value is None or abs(value) < float("inf") else str(value)
