"""The `list` of a group of commands: each entry's name, what stands beside it, and a line about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import click

from mvc.cli import output
from mvc.cli.messages import paint
from mvc.cli.options import Session, json_option, pass_session
from mvc.cli.text import escape, width, wrapped

Result = TypeVar("Result")
Entry = tuple[str, str, str]  # name, aside, about


def add_list(
    group: click.Group,
    fetch: Callable[[], Result],
    entries: Callable[[Result], Iterable[Entry]],
    *,
    about: str,
    schema: str,
) -> None:
    """Gives ``group`` its `list`: ``fetch`` gives the result that is printed as ``schema``, ``entries`` its text."""

    @group.command("list", help=about)
    @json_option
    @pass_session
    def list_(_session: Session, as_json: bool) -> None:
        result = fetch()
        if as_json:
            output.emit_json(result, schema)
        else:
            output.emit_lines(_lines(entries(result), output.prose_width()))


def _lines(entries: Iterable[Entry], columns: int | None) -> Iterator[str]:
    for name, aside, about in entries:
        first, *more = wrapped(escape(aside), columns and columns - width(escape(name)) - 2) or [""]
        yield f"{paint(escape(name), 'name')}  {first}".rstrip()
        yield from (f"{' ' * width(escape(name))}  {line}" for line in more)
        yield from wrapped(escape(about), columns, "    ")
