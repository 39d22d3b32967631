"""`mvc init`: lays down a repository."""

from __future__ import annotations

import click

from mvc.cli import output
from mvc.cli.messages import hint
from mvc.cli.options import Session, json_option, pass_session
from mvc.cli.text import escape
from mvc.porcelain.init import init


@click.command()
@click.argument("directory", default=".", type=click.Path(), metavar="[DIR]")
@click.option(
    "--template", type=click.Path(), metavar="DIR", help="Lay down this directory's files instead of mvc's own."
)
@json_option
@pass_session
def command(session: Session, directory: str, template: str | None, as_json: bool) -> None:
    """Create a repository in DIR (here, unless given). An existing one is left as it is."""
    result = init(session.path(directory), template=None if template is None else session.path(template))
    if as_json:
        output.emit_json(result, "init")
        return
    done = "Created an empty repository in" if result.created else "There already is a repository in"
    output.emit_lines([f"{done} {escape(result.path)}"])
    if result.created:
        hint("record checkpoints with: mvc commit PATH...")
