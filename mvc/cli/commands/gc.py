"""`mvc gc`: takes away what nothing needs, and packs the rest."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from mvc.cli import output
from mvc.cli.messages import hint, paint
from mvc.cli.opening import open_workspace
from mvc.cli.options import Session, json_option, pass_session
from mvc.cli.progress import progress
from mvc.cli.text import count, escape, fit, number, short, size
from mvc.porcelain.gc import gc, parse_age, retention
from mvc.porcelain.results.keeping import GcResult, Retention


def proposal(found: Retention, room: int) -> Iterator[str]:
    """Which commits give up their tensors, a line each."""
    for row in found.lineages:
        name = paint(escape(row.lineage), "name")
        yield f"{name}  {count(row.kept, 'commit')} kept, {len(row.commits):,} without tensors"
        for commit in row.commits:
            step = "" if commit.step is None else f"  step {number(commit.step, 6)}"
            head = f"  {short(commit.id)}  {f'@{commit.position}':>5}  {size(commit.bytes):>8}{step}  "
            yield f"{head}{fit(escape(commit.path), max(8, room - len(head)), keep='both')}"
    if found.commits:
        freed = paint(size(found.freed_bytes), "head")
        yield f"{count(found.commits, 'commit')} would stay as facts without their tensors: at least {freed} freed"
    else:
        yield "no commit has tensors that this rule gives up"


def render(result: GcResult) -> Iterator[str]:
    """What went or would go, and what the store is like afterwards."""
    if result.retention is not None and result.retention.done:
        yield f"{count(result.retention.commits, 'commit')} gave up their tensors"
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
@click.option(
    "--keep", metavar="RULE", default="", help="Let all other commits give up their tensors, as last=3,best=loss."
)
@click.option("-y", "--yes", is_flag=True, help="Do what --keep proposes without asking.")
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would go.")
@click.option("--grace", metavar="AGE", default="14d", show_default=True, help="Spare what is newer, as 14d, 12h or 0.")
@json_option
@pass_session
def command(session: Session, keep: str, yes: bool, dry_run: bool, grace: str, as_json: bool) -> None:
    """Take away what nothing needs, such as what failed commands left, and pack the rest into few files. Nothing that a
    commit, a tag or an operation leads to is ever touched.

    With --keep RULE, of each lineage only the commits that the rule names keep their tensors: last=N, every=K
    (positions 0, K, 2K, …), best=METRIC[:min|max], joined by commas. Tagged, pinned and declared ones, tips, fork
    points and averages with their sources always do. What that comes to is shown first. The others stay in the log,
    without their weights: that cannot be undone."""
    workspace, age = open_workspace(session), parse_age(grace)
    agreed = None
    if keep and not yes:
        agreed = retention(workspace, keep, grace=age)
        asked = not as_json and not dry_run and bool(agreed.commits) and sys.stdin.isatty()
        if not as_json:
            output.emit_lines(proposal(agreed, output.text_width()))
        if asked and not click.confirm("Give up these tensors for good?", default=False, err=True):
            output.emit_lines(["nothing was changed"])
            return
        if not asked:
            dry_run = True
    with progress("collecting") as report:
        result = gc(workspace, dry_run=dry_run, grace=age, keep=keep, agreed=agreed, progress=report)
    if as_json:
        output.emit_json(result, "gc")
        return
    output.emit_lines(render(result))
    if dry_run and agreed is not None and agreed.commits:
        hint(f"do it with: mvc gc --yes --keep {keep}")
    elif dry_run and (result.removed or result.repacked):
        hint("do it with: mvc gc")
