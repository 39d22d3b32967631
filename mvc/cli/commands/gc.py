"""`mvc gc`: takes away what nothing needs, and packs the rest."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from dataclasses import replace

import click

from mvc.cli import output
from mvc.cli.lineages import direction_words
from mvc.cli.messages import hint, note, paint
from mvc.cli.opening import open_workspace
from mvc.cli.options import Session, json_option, pass_session
from mvc.cli.progress import progress
from mvc.cli.text import count, escape, fit, number, short, size
from mvc.porcelain.gc import gc, parse_age, retention
from mvc.porcelain.results.keeping import GcResult, LineageRetention, Retention


def proposal(found: Retention, room: int) -> Iterator[str]:
    """Which commits give up their tensors, a line each."""
    for row in found.lineages:
        name = paint(escape(row.lineage), "name")
        if row.commits:
            yield f"{name}  {count(row.kept, 'commit')} kept, {len(row.commits):,} without tensors"
            yield paint(f"  {_direction(row)}", "dim")
        for metric in row.unscored:
            yield f"{name}  no commit has {escape(metric)}: all are kept"
        for commit in row.commits:
            step = "" if commit.step is None else f"  step {number(commit.step, 6)}"
            head = f"  {short(commit.id)}  {f'@{commit.position}':>5}  {size(commit.bytes):>8}{step}  "
            yield f"{head}{fit(escape(commit.path), max(8, room - len(head)), keep='both')}"
    if found.commits:
        freed, whose = paint(size(found.freed_bytes), "head"), "its" if found.commits == 1 else "their"
        yield f"{count(found.commits, 'commit')} would stay as facts without {whose} tensors: at least {freed} freed"
        yield paint(f"  after {size(found.memory_bytes)} for what is remembered of {_them(found.commits)}", "dim")
    else:
        yield "no commit gives up tensors by this rule"
    if found.small:
        yield f"{count(found.small, 'commit')} stay{_s(found.small)} whole: only small tensors, or such as others keep"
    if found.light:
        yield f"{count(found.light, 'commit')} stay{_s(found.light)} whole: to remember them would take what that frees"


def _direction(row: LineageRetention) -> str:
    """How sure it is which end of a lineage is the last."""
    against = ", against steps or times" if row.both_ends and row.direction.source == "weights" else ""
    both = ": both ends count as the last" if row.both_ends else ""
    return f"{direction_words(row.direction)}{against}{both}"


def render(result: GcResult) -> Iterator[str]:
    """What went or would go, and what the store is like afterwards."""
    if result.retention is not None and result.retention.done:
        whose = "its" if result.retention.commits == 1 else "their"
        yield f"{count(result.retention.commits, 'commit')} gave up {whose} tensors"
    would = "would go" if result.dry_run else "removed"
    yield f"{count(result.removed, 'object')} {would}: {paint(size(result.removed_bytes), 'head')}"
    if result.young:
        yield f"{count(result.young, 'object')} that nothing needs stay{_s(result.young)}: too new to go"
    if result.resting:
        them = _them(result.resting)
        only = f"stay{_s(result.resting)} only because others are stored as differences from {them}"
        yield f"{count(result.resting, 'object')} {only}"
    files, stored = result.files, result.bytes
    if not result.dry_run:
        before, after = count(files.before, "file"), count(files.after, "file")
        yield f"store: {size(stored.before)} in {before} → {size(stored.after)} in {after}"
    elif result.repacked:
        yield f"{count(result.repacked, 'object')} would be packed anew"


def _s(number: int) -> str:
    """The verb's ending."""
    return "s" if number == 1 else ""


def _them(number: int) -> str:
    return "it" if number == 1 else "them"


@click.command()
@click.option("--keep", metavar="RULE", help="Let all other commits give up their tensors, as last=3,best=loss.")
@click.option("-y", "--yes", is_flag=True, help="Do what --keep proposes without asking.")
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would go.")
@click.option("--grace", metavar="AGE", default="14d", show_default=True, help="Spare what is newer, as 14d, 12h or 0.")
@json_option
@pass_session
def command(session: Session, keep: str | None, yes: bool, dry_run: bool, grace: str, as_json: bool) -> None:
    """Take away what nothing needs, such as what failed commands left, and pack the rest into few files. Nothing that a
    commit, a tag or an operation leads to is ever touched.

    With --keep RULE, of each lineage only the commits that the rule names keep their tensors: last=N, every=K
    (positions 0, K, 2K, …), best=METRIC[:min|max], joined by commas. Tagged, pinned and declared ones, tips, fork
    points and averages with their sources always do. What that comes to is shown first. The others stay in the log,
    without their weights: that cannot be undone."""
    age = parse_age(grace)
    agreed, proposed = None, False
    if keep is not None and (dry_run or not yes):
        with progress("choosing") as report:
            agreed = retention(open_workspace(session, told=report), keep, grace=age)
        proposed = not dry_run
        asked = not as_json and proposed and bool(agreed.commits) and sys.stdin.isatty()
        if not as_json:
            output.emit_lines(proposal(agreed, output.text_width()))
        if asked and not click.confirm("Give up these tensors for good?", default=False, err=True):
            output.emit_lines(["nothing was changed"])
            return
        dry_run, proposed = dry_run or not asked, proposed and not asked
    with progress("collecting") as report:
        workspace = open_workspace(session, told=report)
        result = gc(workspace, dry_run=dry_run, grace=age, keep=keep, agreed=agreed, progress=report)
    result = replace(result, proposed=proposed)
    if as_json:
        output.emit_json(result, "gc")
    else:
        output.emit_lines(render(result))
    if proposed:  # where nobody could be asked, whoever reads the log of a nightly job should see why nothing went
        note(f"nothing was done; do it with: mvc gc --yes --keep {shlex.quote(keep or '')}")
    elif as_json:
        return
    elif agreed is not None and agreed.commits and dry_run:
        hint(f"do it with: mvc gc --yes --keep {shlex.quote(keep or '')}")
    elif dry_run and (result.removed or result.repacked):
        hint("do it with: mvc gc")
