"""`mvc log`: the trajectories found in the weights, as a list or as a graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import click

from mvc.cli import completing, output
from mvc.cli.graph import draw
from mvc.cli.lineages import (
    architecture_words,
    commit_row,
    fork_words,
    full_bar,
    gap_words,
    heading,
    overlap_lines,
    shown,
)
from mvc.cli.messages import hint, paint, warn
from mvc.cli.mixtures import mixture_words, positions
from mvc.cli.opening import open_workspace
from mvc.cli.options import Session, at_op_option, json_option, pass_session
from mvc.cli.progress import progress
from mvc.cli.text import bar, fit, number, pad, width
from mvc.porcelain.log import log
from mvc.porcelain.results.logs import LogLineage, LogResult

#: commits of one lineage that the list shows before it sums up
LONG = 24
#: columns from which there is room for bars
WIDE = 60


def render(result: LogResult, columns: int, newest: int | None) -> Iterator[str]:
    """One block a lineage, newest commit first."""
    places = positions(result.lineages)
    for index, lineage in enumerate(result.lineages):
        if index:
            yield ""
        yield from _block(lineage, columns, newest, places)


def _block(
    lineage: LogLineage, columns: int, newest: int | None, places: Mapping[str, tuple[str, int]]
) -> Iterator[str]:
    name, facts = heading(lineage, fork=False)
    architecture = architecture_words(lineage)
    name = fit(name, columns - width(architecture) - 2, keep="both")
    yield f"{paint(name, 'name')}  {architecture}"
    yield paint(fit(facts, columns, keep="start"), "dim")
    if lineage.forked_from is not None:
        words = fork_words(lineage.forked_from, lineage.commits)
        yield paint(fit(words, columns, keep="start"), "dim")
    for line in overlap_lines(lineage.overlaps, lineage.adapter, places):
        yield paint(fit(line, columns, keep="start"), "dim")
    largest = full_bar(lineage.commits)
    previous: int | None = None
    for position in shown(lineage, LONG if newest is None else newest, strict=newest is not None):
        commit = lineage.commits[position]
        if previous is not None and previous - position > 1:
            yield paint(f"  {gap_words(lineage, previous - position - 1, columns - 2)}", "dim")
        figures = pad(number(commit.distance) if commit.distance is not None else "", 6, right=True)
        angle = pad("" if commit.turning_angle is None else f"{commit.turning_angle:.0f}°", 4, right=True)
        drawn = f"{bar(commit.distance, largest, 6)} " if columns >= WIDE else ""
        before = f"{drawn}{figures} {angle}" if largest else ""
        yield "  " + commit_row(commit, columns - 2, before=before)
        for line in mixture_words(commit, places, columns - 4):
            yield paint(f"    {line}", "dim")
        previous = position
    hidden = len(lineage.commits) if previous is None else previous
    if hidden:
        yield paint(f"  {gap_words(lineage, hidden, columns - 2)}", "dim")


def newest_only(result: LogResult, newest: int | None) -> LogResult:
    """The result with only the ``newest`` last commits of each lineage."""
    if newest is None:
        return result
    cut = (replace(row, commits=row.commits[max(0, len(row.commits) - newest) :]) for row in result.lineages)
    return replace(result, lineages=tuple(cut))


@click.command()
@click.argument("names", nargs=-1, metavar="[REV|LINEAGE]...", shell_complete=completing.revisions)
@click.option("--graph", is_flag=True, help="Draw lineages and forks; solid lines were declared, dotted ones inferred.")
@click.option("--all", "everything", is_flag=True, help="Sum nothing up: list every commit.")
@click.option(
    "-n", "newest", type=click.IntRange(min=0), metavar="N", help="Only the N newest commits of each lineage."
)
@at_op_option
@json_option
@pass_session
def command(
    session: Session,
    names: tuple[str, ...],
    graph: bool,
    everything: bool,
    newest: int | None,
    at_op: str | None,
    as_json: bool,
) -> None:
    """Show the trajectories that were found in the weights, or those of the commits and lineages named: order, length
    and turning angle of every step, forks, tags, and what `mvc check` finds."""
    with progress("looking") as told:
        result = log(open_workspace(session, at_op, told=told), names)
    if as_json:
        output.emit_json(newest_only(result, newest), "log")
        return
    warn(result.warnings)
    if not result.lineages:
        output.emit_lines(["Nothing is committed here yet."])
        hint("record checkpoints with: mvc commit PATH...")
        return
    if everything or (newest is None and names and len(result.lineages) == 1):
        newest = max(len(lineage.commits) for lineage in result.lineages)
    lines = draw(result.lineages, output.text_width(), newest) if graph else render(result, output.text_width(), newest)
    output.emit_lines(lines, paged=True)
