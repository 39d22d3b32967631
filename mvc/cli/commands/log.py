"""`mvc log`: the trajectories found in the weights, as a list or as a graph."""

from __future__ import annotations

from collections.abc import Iterator

import click

from mvc.cli import output
from mvc.cli.graph import draw
from mvc.cli.lineages import architecture_words, commit_row, fork_words, full_bar, gap_words, heading, shown
from mvc.cli.messages import paint, warn
from mvc.cli.text import bar, fit, number, pad, width
from mvc.porcelain.results import LogLineage, LogResult

#: commits of one lineage that the list shows before it sums up
LONG = 24


def render(result: LogResult, columns: int, newest: int | None) -> Iterator[str]:
    """One block a lineage, newest commit first."""
    for index, lineage in enumerate(result.lineages):
        if index:
            yield ""
        yield from _block(lineage, columns, newest)


def _block(lineage: LogLineage, columns: int, newest: int | None) -> Iterator[str]:
    name, facts = heading(lineage, fork=False)
    words = architecture_words(lineage)
    name = fit(name, columns - width(words) - 2, keep="both")
    yield f"{paint(name, 'name')}  {words}"
    yield paint(fit(facts, columns, keep="start"), "dim")
    if lineage.forked_from is not None:
        yield paint(fit(fork_words(lineage.forked_from), columns, keep="start"), "dim")
    largest = full_bar(lineage.commits)
    previous: int | None = None
    for position in shown(lineage, LONG if newest is None else newest, ()):
        commit = lineage.commits[position]
        if previous is not None and previous - position > 1:
            yield paint(f"  {gap_words(lineage, previous - position - 1)}", "dim")
        figures = pad(number(commit.distance) if commit.distance is not None else "", 6, right=True)
        angle = pad("" if commit.turning_angle is None else f"{commit.turning_angle:.0f}°", 4, right=True)
        before = f"{bar(commit.distance, largest, 6)} {figures} {angle}" if largest else ""
        yield "  " + commit_row(commit, columns - 2, before=before)
        previous = position
