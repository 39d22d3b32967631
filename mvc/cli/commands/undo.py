"""`mvc undo`: takes an operation back."""

from __future__ import annotations

import click

from mvc.cli import output
from mvc.cli.messages import hint, paint, warn
from mvc.cli.opening import open_workspace
from mvc.cli.options import Session, json_option, pass_session
from mvc.cli.progress import progress
from mvc.cli.text import escape, short
from mvc.porcelain.operations import NEWEST, undo


@click.command()
@click.argument("operation", required=False, default=NEWEST, metavar="[OP]")
@json_option
@pass_session
def command(session: Session, operation: str, as_json: bool) -> None:
    """Take back the newest operation, or OP as `mvc op log` names it: a commit, a tag, a lineage's name or pin, an
    embedder. An undo is an operation too, so a second `mvc undo` does it again. Refused where something later stands
    on what OP did."""
    with progress("taking back") as told:
        result = undo(open_workspace(session, told=told), operation)
    if as_json:
        output.emit_json(result, "undo")
        return
    warn(result.warnings)
    undone = result.undone
    output.emit_lines(
        [f"{paint('undone', 'good')} {paint(short(undone.id), 'id')}: {escape(undone.command)}"]
        + [f"  {escape(change)}" for change in result.operation.changes]
    )
    hint(f"do it again with: mvc undo {short(result.operation.id)}")
