"""`mvc op`: what was done to the repository."""

from __future__ import annotations

from collections.abc import Iterator

import click

from mvc.cli import output
from mvc.cli.messages import hint, paint
from mvc.cli.opening import open_workspace
from mvc.cli.options import Session, json_option, pass_session
from mvc.cli.text import escape, fit, moment, short, width, wrapped
from mvc.porcelain.operations import op_log
from mvc.porcelain.results.operations import OperationRow, OpLogResult


def lines(row: OperationRow, columns: int | None = None) -> Iterator[str]:
    """One operation: a headline, and what it changed."""
    author = escape(row.author)
    if columns is not None:
        author = fit(author, max(12, columns - 33 - width(escape(row.command))), keep="start")
    command = paint(escape(row.command), "head")
    yield f"{paint(short(row.id), 'id')}  {moment(row.time)}  {author}  {command}"
    for change in row.changes:
        yield from wrapped(escape(change), columns, "  ", "    ")


def render(result: OpLogResult, columns: int | None = None) -> Iterator[str]:
    for row in result.operations:
        yield from lines(row, columns)


@click.group()
def command() -> None:
    """Look at the log of operations: every change of commits, names and declarations. `mvc undo` takes back each of
    them, but tensors that `mvc gc --keep` gave up do not come back."""


@command.command()
@click.option("-n", "newest", type=click.IntRange(min=0), metavar="N", help="Only the N newest.")
@json_option
@pass_session
def log(session: Session, newest: int | None, as_json: bool) -> None:
    """List operations, newest first: when, who, and what changed. Times are UTC."""
    result = op_log(open_workspace(session), limit=newest)
    if as_json:
        output.emit_json(result, "op-log")
        return
    output.emit_lines(render(result, output.prose_width()), paged=True)
    if result.operations and result.operations[0].command == "gc --keep":
        hint("the newest gave up tensors for good; take an earlier one back with: mvc undo OP")
    elif result.operations:
        hint("take the newest back with: mvc undo")
    else:
        hint("nothing was done here yet; record checkpoints with: mvc commit PATH...")
