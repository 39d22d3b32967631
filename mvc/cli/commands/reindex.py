"""`mvc reindex`: rebuilds the index from the stored objects."""

from __future__ import annotations

import click

from mvc.cli import output
from mvc.cli.opening import open_workspace
from mvc.cli.options import Session, json_option, pass_session
from mvc.cli.progress import progress
from mvc.cli.text import count
from mvc.porcelain.reindex import reindex


@click.command()
@json_option
@pass_session
def command(session: Session, as_json: bool) -> None:
    """Throw the index away and build it, with every inference, from the stored objects. Loses nothing."""
    with progress("indexing") as report:
        result = reindex(open_workspace(session), progress=report)
    if as_json:
        output.emit_json(result, "reindex")
    else:
        output.emit_lines([f"{count(result.commits, 'commit')} in {count(result.lineages, 'lineage')}"])
