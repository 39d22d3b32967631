"""What every report says in the same words: a finding in lines, and findings of one checkpoint put together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from mvc.cli.text import count, escape, percent, short
from mvc.drift.evidence import CALLED
from mvc.porcelain.results.checks import CheckedCommit, CheckResult, Finding, LikelyCause

#: the rule whose message says what is likely behind it
ABNORMAL_STEP = "MVC004"

#: what is said of those that lack it
_LACKING = {
    "past": "with too little before them to judge by",
    "tensors": "whose tensors or those before were given up",
    "step": "that are copies or averages",
    "weights": "without trainable weights",
}
#: tensors that a sentence names before it counts the others
_NAMED = 5


def found_in(commit: CheckedCommit, findings: Iterable[Finding]) -> list[Finding]:
    """Those of one commit or file."""
    return [finding for finding in findings if (finding.commit, finding.path) == commit.key]


def by_rule(findings: Iterable[Finding]) -> list[list[Finding]]:
    """Findings of one checkpoint, those of one rule together, in the order in which rules come first."""
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.rule, []).append(finding)
    return list(groups.values())


def likely(causes: Sequence[LikelyCause]) -> str:
    """What may be wrong, and what else."""
    words = [f"{CALLED[one.cause]} ({percent(one.probability)})" for one in causes[:2]]
    return f"likely {', else '.join(words)}"


def named(finding: Finding) -> str:
    """The rule by id and name."""
    return escape(f"{finding.rule} {finding.name}".strip())


def what(commit: CheckedCommit) -> str:
    """The checkpoint: its path and, if it is committed, the first digits of its id."""
    path = escape(commit.path or "")
    return f"{path} ({short(commit.id)})" if path and commit.id else path or short(commit.id)


def told(findings: Sequence[Finding]) -> str:
    """What findings of one rule say, in one line: once what they have in common, then where."""
    parts = [f"{escape(f.tensor)}: {escape(f.message)}" if f.tensor else escape(f.message) for f in findings]
    more = len(parts) - _NAMED
    return "; ".join(parts[:_NAMED]) + (f"; and in {count(more, 'tensor')} more" if more > 0 else "")


def standing(finding: Finding) -> str:
    """What the policy's ignore means for a finding; "" without one."""
    if finding.ignore is None:
        return ""
    expires, reason = finding.ignore.expires, escape(finding.ignore.reason)
    return f"ignored{'' if expires is None else f' until {escape(expires)}'}: {reason}"


def summary(result: CheckResult) -> Iterator[tuple[str, str]]:
    """Counts in words, each with the verdict that it is of; "" for findings that are ignored."""
    for verdict, word in {"pass": "passed", "fail": "failed", "warn": "to look at"}.items():
        number = sum(commit.verdict == verdict for commit in result.commits)
        if number or verdict == "pass":
            yield verdict, f"{number:,} {word}"
    lacking = Counter(commit.lacking for commit in result.commits if commit.verdict == "skip" and not commit.blocked)
    for lack, word in _LACKING.items():
        if lacking[lack]:
            yield "skip", f"{lacking[lack]:,} {word}"
    blocked = sum(commit.blocked for commit in result.commits)
    if blocked:
        yield "warn", f"{blocked:,} not fetched"
    if result.ignored:
        yield "", f"{count(len(result.ignored), 'finding')} ignored"
