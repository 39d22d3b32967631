"""`mvc fsck`: verifies everything that is stored."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click

from mvc.cli import output
from mvc.cli.messages import hint, paint
from mvc.cli.opening import open_workspace
from mvc.cli.options import Session, json_option, pass_session
from mvc.cli.progress import progress
from mvc.cli.text import count, escape, short
from mvc.porcelain.fsck import fsck
from mvc.porcelain.results.states import FsckResult

#: an id in a message, and as much of it as is shown
_ID = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{52}\b")
#: commits that are named one by one
_MANY = 6


def render(result: FsckResult) -> Iterator[str]:
    for finding in result.findings:
        message = _ID.sub(r"\1", finding.message)
        name = _ID.sub(r"\1", finding.object or "")
        where = f" {paint(escape(name), 'id')}" if name not in message else ""
        done = paint("  repaired", "good") if finding.repaired else ""
        yield f"{paint(escape(finding.code), 'bad')}{where}: {escape(message)}{done}"
        if finding.commits:
            some = " ".join(paint(short(commit), "id") for commit in finding.commits[:_MANY])
            more = f" and {len(finding.commits) - _MANY} more" if len(finding.commits) > _MANY else ""
            yield f"  not whole without it: {count(len(finding.commits), 'commit')}: {some}{more}"
        if finding.blocks and not finding.repaired:
            rest = "rests" if len(finding.blocks) == 1 else "rest"
            yield f"  {count(len(finding.blocks), 'object')} {rest} on it and cannot be read until it is back"
    state = paint("everything is as it should be", "good") if result.ok else paint("damage found", "bad")
    how = f", {result.undecoded:,} of them by checksum (--full decodes them, too)" if result.undecoded else ""
    yield f"{count(result.objects, 'object')} verified{how}: {state}"


@click.command()
@click.option("--repair", is_flag=True, help="Quarantine what is damaged and rebuild what can be rebuilt.")
@click.option("--full", is_flag=True, help="Decode every tensor, too, not only compare it with its checksum.")
@click.option(
    "--from",
    "sources",
    multiple=True,
    type=click.Path(),
    metavar="PATH",
    help="With --repair: take what is lost from another repository, a checkpoint, or a directory of them.",
)
@json_option
@pass_session
def command(session: Session, repair: bool, full: bool, sources: tuple[str, ...], as_json: bool) -> int:
    """Verify every stored byte, follow every reference, compare the index with the objects. Tensors are compared with
    the checksums that were taken when they were stored and proved to be what they are; --full decodes them. Exits with
    1 if something is wrong. A repair deletes nothing: what is damaged is moved to .mvc/quarantine."""
    if sources and not repair:
        raise click.UsageError("--from is for --repair")
    paths = [session.path(source) for source in sources]
    with progress("verifying") as report:
        workspace = open_workspace(session, told=report)
        result = fsck(workspace, repair=repair, full=full, sources=paths, progress=report)
    if as_json:
        output.emit_json(result, "fsck")
    else:
        output.emit_lines(render(result))
        if not result.ok and not repair:
            hint("repair what can be repaired with: mvc fsck --repair")
        elif not result.ok and not sources:
            hint("commit what is lost again, or take it from a backup or files: mvc fsck --repair --from PATH")
    return 0 if result.ok else 1
