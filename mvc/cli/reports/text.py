"""A check's result for people: what is wrong first, commit by commit; what passed is counted."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from click import unstyle

from mvc.cli.messages import paint
from mvc.cli.reports.words import ABNORMAL_STEP, found_in, likely, named, standing, summary
from mvc.cli.text import count, escape, fit_path, number, pad, short, width
from mvc.porcelain.results.checks import CheckResult, Finding

#: so many commits are listed even if nothing is wrong with them
FEW = 3
_STYLE = {"pass": "good", "warn": "warn", "fail": "bad", "skip": "dim", "": "dim"}
_SIGN = {"pass": "✓", "warn": "!", "fail": "✗", "skip": "·"}


def render(result: CheckResult, columns: int | None = None) -> Iterator[str]:
    """What is found is broken into lines of so many ``columns``; None keeps a finding in one, for `grep`."""
    room = None if columns is None else columns - 8
    for commit in result.commits:
        findings, ignored = found_in(commit, result.findings), found_in(commit, result.ignored)
        quiet = commit.verdict in ("pass", "skip") and not commit.blocked and not findings and not ignored
        if len(result.commits) > FEW and quiet:
            continue
        name = short(commit.id) if commit.id else escape(commit.path)
        score = f"  score {number(commit.score)}" if commit.score is not None else ""
        path = escape(commit.path or "")
        if columns is not None:
            path = fit_path(path, max(16, columns - 20 - len(score)))
        where = f"  {paint(path, 'dim')}" if commit.id and path else ""
        sign = paint(f"{_SIGN[commit.verdict]} {pad(commit.verdict, 4)}", _STYLE[commit.verdict])
        yield f"{sign}  {paint(name, 'id')}{where}{score}"
        if commit.reason:
            yield f"        {escape(commit.reason)}"
        yield from (f"        {line}" for finding in findings for line in _lines(finding, room))
        if commit.causes and all(finding.rule != ABNORMAL_STEP for finding in findings):
            yield f"        {likely(commit.causes)}"
        for finding in ignored:
            yield from (paint(f"        {line}", "dim") for line in _lines(finding, room, painted=False))
    parts = [paint(words, _STYLE[verdict] if words[:2] != "0 " else "dim") for verdict, words in summary(result)]
    yield from _listed(f"{count(result.checked, 'checkpoint')} checked:", parts, columns)


def _listed(line: str, parts: Sequence[str], columns: int | None) -> Iterator[str]:
    """A line with these parts behind it, on the next one where they do not fit."""
    for place, part in enumerate(parts, 1):
        piece = f" {part}{',' if place < len(parts) else ''}"
        if columns is not None and width(unstyle(line + piece)) > columns:
            yield line
            line = " "
        line += piece
    yield line


def _lines(finding: Finding, room: int | None, *, painted: bool = True) -> Iterator[str]:
    rule = named(finding)
    tensor = f" in {escape(finding.tensor)}" if finding.tensor else ""
    text = f"{'' if painted else '(ignored) '}{rule}{tensor}: {escape(finding.message)}"
    first, *others = textwrap.wrap(text, room, break_on_hyphens=False) if room else [text]
    if painted and first.startswith(rule):
        first = paint(rule, _STYLE[finding.severity]) + first.removeprefix(rule)
    yield from (first, *others)
    if finding.ignore is not None:
        yield f"  {'was ' if painted else ''}{standing(finding)}"
