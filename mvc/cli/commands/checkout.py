"""`mvc checkout`: restores a checkpoint, byte for byte."""

from __future__ import annotations

from pathlib import Path

import click

from mvc.cli import completing, output
from mvc.cli.messages import paint
from mvc.cli.opening import open_workspace
from mvc.cli.options import Session, json_option, pass_session, tensor_option
from mvc.cli.progress import progress
from mvc.cli.text import escape, short, size
from mvc.porcelain.checkout import checkout


@click.command()
@click.argument("revision", metavar="REV|FILE.mvc", shell_complete=completing.models)
@click.option(
    "-o",
    "--output",
    "target",
    type=click.Path(),
    metavar="PATH",
    help="Where to; unless given, the committed file's name here, or beside its pointer.",
)
@tensor_option
@click.option("--force", is_flag=True, help="Overwrite what is there.")
@json_option
@pass_session
def command(
    session: Session, revision: str, target: str | None, tensor: str | None, force: bool, as_json: bool
) -> None:
    """Restore REV's file (or directory) exactly as it was committed, whole or not at all.

    FILE.mvc is a pointer, and its file goes beside it; where that is there already, nothing is written.

    With --tensor only the tensors that match are written, as a safetensors file.
    """
    with progress("restoring") as report:
        result = checkout(
            open_workspace(session, told=report),
            revision,
            directory=session.directory,
            target=None if target is None else Path(target),
            tensor=tensor,
            force=force,
            progress=report,
        )
    if as_json:
        output.emit_json(result, "checkout")
        return
    if not result.paths:
        output.emit_lines([f"{paint(short(result.commit), 'id')} is there already: nothing to do"])
        return
    how = "" if tensor is not None else ", verified byte for byte"
    lines = [escape(path) for path in result.paths]
    output.emit_lines(lines if len(lines) <= 20 else [*lines[:20], f"… {len(lines) - 20:,} more files"])
    output.emit_lines([f"restored {paint(short(result.commit), 'id')}: {size(result.bytes)}{how}"])
