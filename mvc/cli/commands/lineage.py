"""`mvc lineage`: lists, renames and pins lineages."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import click

from mvc.cli import completing, output
from mvc.cli.lineages import direction_words, fork_words
from mvc.cli.messages import paint
from mvc.cli.opening import open_workspace
from mvc.cli.options import Session, at_op_option, json_option, pass_session
from mvc.cli.progress import progress
from mvc.cli.text import count, escape, fit, pad, short, width
from mvc.porcelain.lineages import list_lineages, pin, rename, unpin
from mvc.porcelain.results.states import LineageResult
from mvc.porcelain.workspace import Workspace


def render(result: LineageResult, columns: int) -> Iterator[str]:
    names = [fit(escape(row.name), 30, keep="both") for row in result.lineages]
    widest = max((width(name) for name in names), default=0)
    for name, row in zip(names, result.lineages, strict=True):
        facts = [direction_words(row.direction)] if row.commits > 1 else []
        if row.forked_from is not None:
            facts.insert(0, fork_words(row.forked_from))
        head = f"{pad(name, widest)}  {short(row.tip)}  {pad(count(row.commits, 'commit'), 12, right=True)}"
        rest = fit(" · ".join(facts), max(10, columns - width(head) - 2), keep="start")
        yield (
            f"{paint(pad(name, widest), 'name')}  {paint(short(row.tip), 'id')}"
            f"  {pad(count(row.commits, 'commit'), 12, right=True)}  {paint(rest, 'dim')}"
        ).rstrip()


def _answer(
    session: Session, verb: Callable[[Workspace], LineageResult], *, as_json: bool, at_op: str | None = None
) -> None:
    with progress("inferring") as told:
        result = verb(open_workspace(session, at_op, told=told))
    if as_json:
        output.emit_json(result, "lineage")
    else:
        output.emit_lines(render(result, output.text_width()))


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """List lineages, rename them, or pin a commit to one: what you declare wins over what was inferred."""
    if ctx.invoked_subcommand is None:
        _answer(ctx.find_object(Session) or ctx.obj, list_lineages, as_json=as_json)


@command.command("list")
@at_op_option
@json_option
@pass_session
def list_(session: Session, at_op: str | None, as_json: bool) -> None:
    """List all lineages."""
    _answer(session, list_lineages, as_json=as_json, at_op=at_op)


@command.command("rename")
@click.argument("lineage", shell_complete=completing.lineages)
@click.argument("name")
@json_option
@pass_session
def rename_(session: Session, lineage: str, name: str, as_json: bool) -> None:
    """Give LINEAGE another name."""
    _answer(session, lambda workspace: rename(workspace, lineage, name), as_json=as_json)


@command.command("pin")
@click.argument("revision", metavar="REV", shell_complete=completing.revisions)
@click.argument("lineage", shell_complete=completing.lineages)
@json_option
@pass_session
def pin_(session: Session, revision: str, lineage: str, as_json: bool) -> None:
    """Declare that REV belongs to LINEAGE."""
    _answer(session, lambda workspace: pin(workspace, revision, lineage), as_json=as_json)


@command.command("unpin")
@click.argument("revision", metavar="REV", shell_complete=completing.revisions)
@json_option
@pass_session
def unpin_(session: Session, revision: str, as_json: bool) -> None:
    """Leave REV's lineage to inference again."""
    _answer(session, lambda workspace: unpin(workspace, revision), as_json=as_json)
