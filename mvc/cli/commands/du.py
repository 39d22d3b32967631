"""`mvc du`: what commits and lineages cost, and what gc would free."""

from __future__ import annotations

from collections.abc import Iterator

import click

from mvc.cli import completing, output
from mvc.cli.messages import paint
from mvc.cli.opening import open_workspace
from mvc.cli.options import Session, json_option, pass_session
from mvc.cli.progress import progress
from mvc.cli.text import columns, count, escape, fit, size
from mvc.porcelain.du import du
from mvc.porcelain.results.keeping import DuResult


def render(result: DuResult, room: int) -> Iterator[str]:
    """One row a lineage, commit or tensor, the total last."""
    rows = [("stored", "shared", "alone", "original", "commits", "")]
    for row in result.rows:
        name = row.name if row.kind == "total" else fit(escape(row.name), max(12, room - 52), keep="both")
        sizes = (size(row.stored_bytes), size(round(row.shared_bytes)), size(row.own_bytes), size(row.bytes))
        rows.append((*sizes, f"{row.commits:,}", name))
    lines = columns(rows, right=(0, 1, 2, 3, 4))
    yield paint(lines[0], "dim")
    yield from lines[1:-1]
    yield paint(lines[-1], "head") if result.rows[-1].kind == "total" else lines[-1]
    yield paint("stored: all it uses · shared: what several use, divided · alone: only it uses", "dim")
    later = f", {size(result.young_bytes)} of it later" if result.young_bytes else ""
    freed = size(result.gc_bytes + result.young_bytes)
    yield f"on the disk {size(result.store_bytes)} in {count(result.files, 'file')}; mvc gc would free {freed}{later}"


@click.command()
@click.argument("revisions", nargs=-1, metavar="[REV|LINEAGE]...", shell_complete=completing.revisions)
@click.option("--tensor", metavar="GLOB", help="A row for each tensor's name that matches, over all these commits.")
@json_option
@pass_session
def command(session: Session, revisions: tuple[str, ...], tensor: str | None, as_json: bool) -> None:
    """Show how much space every lineage takes, or the commits and lineages named, and what mvc gc would free."""
    with progress("measuring") as told:
        result = du(open_workspace(session, told=told), revisions, tensor=tensor)
    if as_json:
        output.emit_json(result, "du")
    else:
        output.emit_lines(render(result, output.text_width()))
