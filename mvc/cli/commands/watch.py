"""`mvc watch`: commits checkpoints as a training writes them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click

from mvc.cli import output
from mvc.cli.commands.commit import render
from mvc.cli.messages import note, warn
from mvc.cli.opening import open_workspace
from mvc.cli.options import Session, json_option, pass_session
from mvc.cli.text import count, escape
from mvc.errors import Interrupted
from mvc.porcelain.results.commits import CommitResult
from mvc.porcelain.results.watching import LeftOut, WatchResult
from mvc.porcelain.watch import watch


def _lines(items: tuple[LeftOut, ...], word: str) -> Iterator[str]:
    for item in items:
        yield f"{word}  {escape(item.path)}  {escape(item.reason)}"


@click.command()
@click.argument("directory", default=".", type=click.Path(), metavar="[DIR]")
@click.option("--once", is_flag=True, help="Commit what is there and comes to rest, then stop.")
@click.option("--interval", type=float, default=5.0, show_default=True, metavar="S", help="Seconds between looks.")
@click.option(
    "--settle", type=float, default=10.0, show_default=True, metavar="S", help="Seconds without change that make rest."
)
@click.option("--run", metavar="NAME", help="Declare the training run; it names the lineage.")
@click.option("-m", "--message", metavar="MSG", default="", help="What this is.")
@json_option
@pass_session
def command(
    session: Session,
    directory: str,
    once: bool,
    interval: float,
    settle: float,
    run: str | None,
    message: str,
    as_json: bool,
) -> int:
    """Commit the checkpoints below DIR as they become complete and come to rest, until Ctrl-C. Files that are still
    written, shards without their index, and directories that are to be renamed wait."""
    place = session.path(directory)
    results = watch(
        open_workspace(session),
        Path(place),
        interval=interval,
        settle=settle,
        once=once,
        run=run,
        message=message,
    )
    total, failed = 0, False
    if not as_json and not once:
        note(f"watching {escape(str(place))}; stop with Ctrl-C")
    try:
        for result in results:
            total, failed = total + len(result.commits), failed or bool(result.failed)
            _tell(result, as_json)
    except KeyboardInterrupt:
        raise Interrupted(
            f"{count(total, 'checkpoint')} committed; what is new since is there for the next watch"
        ) from None
    return int(failed)


def _tell(result: WatchResult, as_json: bool) -> None:
    """One look; with --json one line, so that a reader gets each as it comes."""
    if as_json:
        click.echo(json.dumps(json.loads(output.as_json(result, "watch")), ensure_ascii=True))
        return
    warn(result.warnings)
    warn(_lines(result.failed, "not committed:"))
    if result.commits:
        *rows, _sum = render(CommitResult(result.commits), output.text_width())
        output.emit_lines(rows)
    for line in _lines(result.waiting, "waiting:"):
        note(line)
