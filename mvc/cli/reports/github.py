"""A check's result as workflow commands of GitHub Actions: an annotation for each checkpoint and rule, and one for
weights that were not fetched.

Names come from files and may try to be commands themselves: they are one line of visible characters before anything
else happens to them, and a line begins with nothing but our own command. GitHub shows ten errors and ten warnings of a
step; the last line counts all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mvc.cli.reports.words import by_rule, found_in, named, standing, summary, told, what
from mvc.cli.text import count, escape
from mvc.porcelain.results.checks import CheckedCommit, CheckResult

_COMMANDS = {"fail": "error", "warn": "warning"}
_DATA = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_PROPERTY = {**_DATA, ":": "%3A", ",": "%2C"}


def render(result: CheckResult) -> str:
    return "\n".join(_lines(result))


def _lines(result: CheckResult) -> Iterator[str]:
    for commit in result.commits:
        for rows in by_rule(found_in(commit, result.findings)):
            was = f" (was {standing(rows[0])})" if rows[0].ignore is not None else ""
            yield _annotation(_COMMANDS[rows[0].severity], named(rows[0]), commit, f"{told(rows)}{was}")
        for rows in by_rule(found_in(commit, result.ignored)):
            yield _annotation("notice", named(rows[0]), commit, f"{told(rows)} ({standing(rows[0])})")
        if commit.blocked:
            yield _annotation("warning", "not fetched", commit, escape(commit.reason))
    yield f"{count(result.checked, 'checkpoint')} checked: {', '.join(words for _, words in summary(result))}"


def _annotation(command: str, title: str, commit: CheckedCommit, text: str) -> str:
    return f"::{command} title={_quoted(title, _PROPERTY)}::{_quoted(f'{what(commit)}: {text}', _DATA)}"


def _quoted(text: str, characters: Mapping[str, str]) -> str:
    return "".join(characters.get(char, char) for char in text)
