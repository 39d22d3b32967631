"""`mvc du`: how much space commits and lineages take."""

from __future__ import annotations

from collections.abc import Iterator

import click

from mvc.cli import completing, output
from mvc.cli.messages import paint
from mvc.cli.opening import open_workspace
from mvc.cli.options import Session, json_option, pass_session
from mvc.cli.text import columns, escape, fit, size
from mvc.porcelain.du import du
from mvc.porcelain.results.states import DuResult


def render(result: DuResult, room: int) -> Iterator[str]:
    """One row a lineage or commit, the total last."""
    rows = [("stored", "original", "saved", "commits", "")]
    for row in result.rows:
        saved = f"{100 * (1 - row.stored_bytes / row.bytes):.0f} %" if row.bytes else "–"
        name = "total" if row.kind == "total" else fit(escape(row.name), max(12, room - 44), keep="both")
        rows.append((size(row.stored_bytes), size(row.bytes), saved, f"{row.commits:,}", name))
    lines = columns(rows, right=(0, 1, 2, 3))
    yield paint(lines[0], "dim")
    yield from lines[1:-1]
    yield paint(lines[-1], "head")
    yield paint("what several rows share counts in each of them, once in the total", "dim")


@click.command()
@click.argument("revisions", nargs=-1, metavar="[REV|LINEAGE]...", shell_complete=completing.revisions)
@json_option
@pass_session
def command(session: Session, revisions: tuple[str, ...], as_json: bool) -> None:
    """Show how much space every lineage takes, or the commits and lineages named."""
    result = du(open_workspace(session), revisions)
    if as_json:
        output.emit_json(result, "du")
    else:
        output.emit_lines(render(result, output.text_width()))
