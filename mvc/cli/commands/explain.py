"""`mvc explain`: why a commit stands where it stands; what a rule of `check` means, and what to do about it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

import click

from mvc.cli import completing, output
from mvc.cli.messages import hint, paint
from mvc.cli.opening import open_workspace
from mvc.cli.options import Session, json_option, pass_session
from mvc.cli.progress import progress
from mvc.cli.reasons import sentences
from mvc.cli.text import escape, pad, short, wrapped
from mvc.drift import Rule
from mvc.porcelain.explain import ExplainResult, explain

_STYLE = {"fail": "bad", "warn": "warn", "off": "dim"}


def render(result: ExplainResult, columns: int) -> Iterator[str]:
    """Each commit and each rule in full."""
    for place, commit in enumerate(result.commits):
        yield from [""] if place else []
        where = commit.inference and f"{commit.inference['lineage']}@{commit.inference['position']}"
        heading = paint(escape(where), "name") if where else "in no lineage"
        yield f"{paint(short(commit.id), 'id')} {heading}  {escape(commit.path)}"
        for sentence in sentences(commit):
            yield from textwrap.wrap(sentence, columns, initial_indent="  ", subsequent_indent="    ")
    for place, rule in enumerate(result.rules):
        yield from [""] if place or result.commits else []
        yield f"{paint(f'{rule.id} {rule.name}', 'head')}: {escape(rule.summary)}"
        for title, words in (("catches", rule.catches), ("misses", rule.misses), ("what to do", rule.remedy)):
            lines = textwrap.wrap(escape(words), columns - 14)
            yield from (f"  {pad(title if not i else '', 10)}  {line}" for i, line in enumerate(lines))
        yield f"  {pad('default', 10)}  {paint(rule.severity, _STYLE[rule.severity])}{limit_words(rule)}"


def listed(result: ExplainResult, columns: int | None) -> Iterator[str]:
    """A line for each rule, under its group."""
    width = max(len(rule.name) for rule in result.rules)
    for group in dict.fromkeys(rule.group for rule in result.rules):
        yield paint(group, "head")
        for rule in result.rules:
            if rule.group == group:
                severity = paint(pad(rule.severity, 4), _STYLE[rule.severity])
                head = f"  {rule.id}  {pad(rule.name, width)}  "
                first, *more = wrapped(escape(rule.summary), columns and columns - len(head) - 6)
                yield f"{head}{severity}  {first}"
                yield from (" " * (len(head) + 6) + line for line in more)


def limit_words(rule: Rule) -> str:
    """The limit with its unit; "" for a rule that has none."""
    return "" if rule.limit is None else f", limit {rule.limit:g} ({escape(rule.unit)})"


def _names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    words = [word for rule in explain().rules for word in (rule.id, rule.name)]
    rules = [word for word in words if word.lower().startswith(incomplete.lower())]
    return [*rules, *completing.revisions(ctx, param, incomplete)]


@click.command()
@click.argument("names", nargs=-1, metavar="[RULE|REV]...", shell_complete=_names)
@json_option
@pass_session
def command(session: Session, names: tuple[str, ...], as_json: bool) -> None:
    """Say in words why mvc places a commit (REV) where it does, or what a rule of `mvc check` (by id or name) catches,
    what it misses and what to do when it speaks. Without any, list the rules."""
    with progress("looking") as told:
        result = explain(names, lambda: open_workspace(session, told=told), directory=session.directory)
    if as_json:
        output.emit_json(result, "explain")
    elif names:
        output.emit_lines(render(result, output.text_width()), paged=True)
    else:
        output.emit_lines(listed(result, output.prose_width()), paged=True)
        hint(f"more about one of them: mvc explain {result.rules[0].id}; about a commit: mvc explain HEAD")
