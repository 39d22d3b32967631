"""`mvc explain`: what a rule of `check` catches, what it misses, and what to do about it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

import click

from mvc.cli import output
from mvc.cli.messages import hint, paint
from mvc.cli.options import json_option
from mvc.cli.text import escape, pad
from mvc.drift import Rule
from mvc.porcelain.explain import ExplainResult, explain

_STYLE = {"fail": "bad", "warn": "warn", "off": "dim"}


def render(result: ExplainResult, columns: int) -> Iterator[str]:
    """Each rule in full."""
    for place, rule in enumerate(result.rules):
        yield from [""] if place else []
        yield f"{paint(f'{rule.id} {rule.name}', 'head')}: {escape(rule.summary)}"
        for title, words in (("catches", rule.catches), ("misses", rule.misses), ("what to do", rule.remedy)):
            lines = textwrap.wrap(escape(words), columns - 14)
            yield from (f"  {pad(title if not i else '', 10)}  {line}" for i, line in enumerate(lines))
        yield f"  {pad('default', 10)}  {paint(rule.severity, _STYLE[rule.severity])}{limit_words(rule)}"


def listed(result: ExplainResult) -> Iterator[str]:
    """A line for each rule, under its group."""
    width = max(len(rule.name) for rule in result.rules)
    for group in dict.fromkeys(rule.group for rule in result.rules):
        yield paint(group, "head")
        for rule in result.rules:
            if rule.group == group:
                severity = paint(pad(rule.severity, 4), _STYLE[rule.severity])
                yield f"  {rule.id}  {pad(rule.name, width)}  {severity}  {escape(rule.summary)}"


def limit_words(rule: Rule) -> str:
    """The limit with its unit; "" for a rule that has none."""
    return "" if rule.limit is None else f", limit {rule.limit:g} ({escape(rule.unit)})"


def _names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    words = [word for rule in explain().rules for word in (rule.id, rule.name)]
    return [word for word in words if word.lower().startswith(incomplete.lower())]


@click.command()
@click.argument("rules", nargs=-1, metavar="[RULE|NAME]...", shell_complete=_names)
@json_option
def command(rules: tuple[str, ...], as_json: bool) -> None:
    """Say what rules of `mvc check` catch, what they miss and what to do when one speaks; without any, list them
    all."""
    result = explain(rules)
    if as_json:
        output.emit_json(result, "explain")
    elif rules:
        output.emit_lines(render(result, output.text_width()))
    else:
        output.emit_lines(listed(result))
        hint(f"more about one of them: mvc explain {result.rules[0].id}")
