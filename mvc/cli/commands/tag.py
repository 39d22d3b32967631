"""`mvc tag`: names commits."""

from __future__ import annotations

import click

from mvc.cli import completing, output
from mvc.cli.messages import paint
from mvc.cli.opening import open_workspace
from mvc.cli.options import Session, at_op_option, json_option, pass_session
from mvc.cli.text import escape, pad, short, width
from mvc.porcelain.tags import create_tag, delete_tag, list_tags


@click.command()
@click.argument("name", required=False, metavar="[NAME]", shell_complete=completing.tags)
@click.argument("revision", required=False, metavar="[REV]", shell_complete=completing.revisions)
@click.option("-d", "--delete", is_flag=True, help="Remove the tag NAME.")
@at_op_option
@json_option
@pass_session
def command(
    session: Session, name: str | None, revision: str | None, delete: bool, at_op: str | None, as_json: bool
) -> None:
    """Name REV (HEAD unless given), or list all tags. A tag does not move: remove it first."""
    if at_op is not None and name is not None:
        raise click.UsageError("--at-op is for listing: what was is not changed")
    workspace = open_workspace(session, at_op)
    if delete and (name is None or revision is not None):
        raise click.UsageError("--delete takes the name of one tag")
    if name is None:
        result = list_tags(workspace)
    elif delete:
        result = delete_tag(workspace, name)
    else:
        result = create_tag(workspace, name, revision or "HEAD", directory=session.directory)
    if as_json:
        output.emit_json(result, "tag")
        return
    widest = max((width(escape(row.name)) for row in result.tags), default=0)
    lines = [f"{paint(pad(escape(row.name), widest), 'tag')}  {paint(short(row.commit), 'id')}" for row in result.tags]
    output.emit_lines([f"removed {lines[0]}"] if delete else lines)
