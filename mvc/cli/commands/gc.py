"""`mvc gc`: takes away what nothing needs, and packs the rest."""

from __future__ import annotations

from collections.abc import Iterator

import click

from mvc.cli import output
from mvc.cli.messages import hint, paint
from mvc.cli.opening import open_workspace
from mvc.cli.options import Session, json_option, pass_session
from mvc.cli.progress import progress
from mvc.cli.text import count, size
from mvc.porcelain.gc import gc, parse_age
from mvc.porcelain.results.keeping import GcResult


def render(result: GcResult) -> Iterator[str]:
    """What went or would go, and what the store is like afterwards."""
    would = "would go" if result.dry_run else "removed"
    yield f"{count(result.removed, 'object')} {would}: {paint(size(result.removed_bytes), 'head')}"
    if result.young:
        yield f"{count(result.young, 'object')} that nothing needs stay: too new to go"
    if result.resting:
        yield f"{count(result.resting, 'object')} stay only because others are stored as differences from them"
    files, stored = result.files, result.bytes
    if not result.dry_run:
        yield f"store: {size(stored.before)} in {files.before:,} files → {size(stored.after)} in {files.after:,}"
    elif result.repacked:
        yield f"{count(result.repacked, 'object')} would be packed anew"


@click.command()
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would go.")
@click.option("--grace", metavar="AGE", default="14d", show_default=True, help="Spare what is newer, as 14d, 12h or 0.")
@json_option
@pass_session
def command(session: Session, dry_run: bool, grace: str, as_json: bool) -> None:
    """Take away what nothing needs, such as what failed commands left, and pack the rest into few files. Nothing that a
    commit, a tag or an operation leads to is ever touched."""
    with progress("collecting") as report:
        result = gc(open_workspace(session), dry_run=dry_run, grace=parse_age(grace), progress=report)
    if as_json:
        output.emit_json(result, "gc")
    else:
        output.emit_lines(render(result))
        if dry_run and (result.removed or result.repacked):
            hint("do it with: mvc gc")
