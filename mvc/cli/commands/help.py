"""`mvc help`: a command's help, or a page on a topic."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable

import click

from mvc.cli import output
from mvc.cli.helping import TOPICS, command_lines, overview, topic_lines
from mvc.cli.options import Session, pass_session
from mvc.cli.table import COMMANDS
from mvc.errors import NotFoundError


def _names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in (*COMMANDS, *TOPICS) if name.startswith(incomplete)]


def _unknown(name: str, context: click.Context, topics: Iterable[str]) -> NotFoundError:
    group = context.command
    known = [*group.list_commands(context), *topics] if isinstance(group, click.Group) else []
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    asked = " ".join(["mvc help", *context.command_path.split()[1:]])
    hint = f"did you mean: {asked} {close[0]}" if close else "list commands and topics with: mvc help"
    what = "command" if context.parent is not None else "command or topic"
    return NotFoundError(f"there is no {what} {name!r}", hint=hint, code="usage")


@click.command()
@click.argument("names", nargs=-1, metavar="[COMMAND|TOPIC]...", shell_complete=_names)
@pass_session
@click.pass_context
def command(context: click.Context, session: Session, names: tuple[str, ...]) -> None:
    """Explain a command (`mvc help git install`) or a topic (`mvc help revisions`); without either, list both."""
    root = context.find_root()
    if not names:
        output.emit_lines([*root.get_help().splitlines(), "", *overview()], paged=True)
        return
    if len(names) == 1 and names[0] in TOPICS:
        rich = sys.stdout.isatty() and session.colour
        output.emit_lines(topic_lines(names[0], output.text_width(), rich=rich), paged=True)
        return
    found = root
    for name in names:
        group = found.command
        child = group.get_command(found, name) if isinstance(group, click.Group) else None
        if child is None:
            raise _unknown(name, found, TOPICS if found is root else ())
        found = click.Context(child, info_name=name, parent=found)
    output.emit_lines(command_lines(found), paged=True)
