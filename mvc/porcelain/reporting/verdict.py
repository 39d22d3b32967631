"""What `check` says of the commits of a report. Owns which are judged in full, and what is said of the others."""

from __future__ import annotations

from collections import Counter
from typing import Any

from mvc.drift import HISTORY, RULES
from mvc.porcelain.check import check
from mvc.porcelain.progress import Report, silent
from mvc.porcelain.reporting.stock import Stock
from mvc.porcelain.results.checks import CheckResult
from mvc.porcelain.results.plain import to_json

#: commits that are judged in full
JUDGED = 400


def judge(stock: Stock, progress: Report = silent) -> CheckResult:
    """Every commit where there are few; else those that break a rule, by the index, and the lineages' tips."""
    chosen = list(range(len(stock.commits)))
    if len(chosen) > JUDGED:
        broken = [number for number in chosen if stock.commits[number].flags]
        tips = [numbers[-1] for numbers in stock.members]
        chosen = sorted(list(dict.fromkeys([*broken, *tips]))[:JUDGED])
        unsaid = len(set(broken) - set(chosen))
        left = f"; {unsaid:,} that break one were left out" if unsaid else ""
        were = "was" if len(chosen) == 1 else "were"
        stock.notes.append(
            f"{len(chosen):,} of {len(stock.commits):,} commits {were} judged in full: those that break a rule by the "
            f"index, and the tips of lineages{left}"
        )
    return check(stock.workspace, [stock.commits[number].id for number in chosen], progress=progress)


def as_verdict(stock: Stock, result: CheckResult) -> dict[str, Any]:
    """The verdict as the page has it: findings and ignored ones, with the numbers of their commits. ``young``: how many
    were skipped that have fewer than ``needed`` checkpoints before them; ``remedies``: rule → what to do."""
    counts = Counter(commit.verdict for commit in result.commits)
    skipped = [stock.numbers[row.id] for row in result.commits if row.verdict == "skip" and row.id is not None]
    return {
        "verdict": result.verdict,
        "judged": result.checked,
        "counts": {name: counts[name] for name in ("fail", "warn", "pass", "skip")},
        "policy": result.policy,
        "young": sum(stock.commits[number].position < HISTORY for number in skipped),
        "needed": HISTORY,
        "remedies": {finding.rule: RULES[finding.rule].remedy for finding in (*result.findings, *result.ignored)},
        "findings": [
            {**to_json(finding), "c": stock.numbers[finding.commit], "ignored": finding in result.ignored}
            for finding in (*result.findings, *result.ignored)
            if finding.commit is not None
        ],
    }
