"""`mvc log --graph`: lineages and forks as lanes, newest on top. Owns the drawing; computes nothing.

A node is a commit, the line below it the step that led to it: solid where it was declared, dotted where it was
inferred from weights. A fork is drawn whole, in the lane to the right, before the commit that it left. So only
ancestors hold lanes, and lines never cross. A weighted average is a diamond in a lane off its main source, with all
sources and weights in words below it: lines from all of them would cross everything. Whatever is left out is counted
and named.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from mvc.cli.lineages import (
    architecture_words,
    commit_row,
    declared,
    full_bar,
    gap_words,
    heading,
    overlap_lines,
    shown,
)
from mvc.cli.messages import paint
from mvc.cli.mixtures import mixture_words, positions
from mvc.cli.text import bar, count, escape, fit, number, pad, percent, width
from mvc.porcelain.results.logs import LogCommit, LogLineage

#: forks of forks deeper than this are named, not drawn: lanes would push the text off the screen
DEEPEST = 12
#: lineages drawn in full, the longest ones and their hosts, before others take one line each; and how many such lines
#: stand at one commit, and for lineages that start on their own, before the rest is counted
FULL, BRIEF, BRIEF_ROOTS = 24, 6, 200
#: rows that the commits of all lineages together should about take before long lineages are shortened
BUDGET = 60


@dataclass
class _Drawing:
    columns: int
    newest: int
    strict: bool
    forks: Mapping[str, Sequence[LogLineage]] = field(default_factory=dict)
    places: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    full: Collection[str] = ()


def draw(lineages: Sequence[LogLineage], columns: int, newest: int | None = None) -> Iterator[str]:
    """Lines of the graph. ``newest``: how many of a lineage's newest commits to draw (None: as many as fit)."""
    total = sum(len(lineage.commits) for lineage in lineages)
    strict = newest is not None
    if newest is None:
        newest = total if total <= BUDGET else max(2, BUDGET // max(1, min(FULL, len(lineages))))
    held = {commit.id for lineage in lineages for commit in lineage.commits}
    circular = _circular(lineages)
    forks: dict[str, list[LogLineage]] = {}
    roots = []
    for lineage in lineages:
        if lineage.forked_from is not None and lineage.forked_from.commit in held and lineage.id not in circular:
            forks.setdefault(lineage.forked_from.commit, []).append(lineage)
        else:
            roots.append(lineage)
    full = {lineage.id for lineage in lineages} if strict else _full(lineages)
    drawing = _Drawing(columns, newest, strict, forks, positions(lineages), full)
    architecture = None
    brief = [root for root in roots if root.id not in full]
    for index, root in enumerate(root for root in roots if root.id in full):
        if index:
            yield ""
        if root.architecture != architecture:
            architecture = root.architecture
            yield paint(f"── {architecture_words(root)} ".ljust(min(72, columns), "─"), "dim")
        yield from _lineage(drawing, root, ())
    if brief:
        yield ""
    yield from _brief(drawing, brief, (), BRIEF_ROOTS)


def _circular(lineages: Sequence[LogLineage]) -> set[str]:
    """Lineages that come from themselves, as declared parents can have it: they are drawn side by side."""
    home = {commit.id: lineage for lineage in lineages for commit in lineage.commits}
    found = set()
    for lineage in lineages:
        seen, at = {lineage.id}, lineage.forked_from and home.get(lineage.forked_from.commit)
        while at and at.id not in seen:
            seen.add(at.id)
            at = at.forked_from and home.get(at.forked_from.commit)
        if at and at.id == lineage.id:
            found.add(lineage.id)
    return found


def _full(lineages: Sequence[LogLineage]) -> set[str]:
    """Lineages that are drawn in full: the longest, and all that they come from."""
    home = {commit.id: lineage for lineage in lineages for commit in lineage.commits}
    longest = sorted(lineages, key=lambda lineage: (-len(lineage.commits), lineage.name))[:FULL]
    found: set[str] = set()
    for lineage in longest:
        at: LogLineage | None = lineage
        while at is not None and at.id not in found:
            found.add(at.id)
            at = None if at.forked_from is None else home.get(at.forked_from.commit)
    return found


def _brief(drawing: _Drawing, lineages: Sequence[LogLineage], lanes: tuple[str, ...], most: int) -> Iterator[str]:
    """A line for each lineage; those beyond ``most`` are counted with their commits and all that forked from them."""
    room = drawing.columns - 2 * len(lanes)
    shown = lineages[:most] if len(lineages) > most + 1 else lineages
    for lineage in shown:
        off = len(_offspring(drawing, lineage)) - 1
        words = f"{count(len(lineage.commits), 'commit')}" + (f", {count(off, 'lineage')} off it" if off else "")
        name = fit(escape(lineage.name), max(8, room - width(words) - 6), keep="both")
        by = f" (mvc log {name} shows them)"
        text = f"… {name}  {words}"
        yield _row(lanes, paint(fit(text + by if width(text + by) <= room else text, room, keep="start"), "dim"))
    rest = [one for lineage in lineages[len(shown) :] for one in _offspring(drawing, lineage)]
    if rest:
        commits = count(sum(len(lineage.commits) for lineage in rest), "commit")
        text = f"… {count(len(rest), 'more lineage')}, {commits} (mvc log --graph --all draws them)"
        yield _row(lanes, paint(fit(text, room, keep="start"), "dim"))


def _offspring(drawing: _Drawing, lineage: LogLineage) -> list[LogLineage]:
    """The lineage and all that forked from it, near and far."""
    found = [lineage]
    for one in found:
        found += [fork for commit in one.commits for fork in drawing.forks.get(commit.id, ())]
    return found


def _lineage(drawing: _Drawing, lineage: LogLineage, lanes: tuple[str, ...]) -> Iterator[str]:
    """``lanes``: the glyph of every lane to the left."""
    name, facts = heading(lineage, fork=not lanes)
    room = drawing.columns - 2 * len(lanes)
    name = fit(name, max(8, room - 20), keep="both")
    yield _row(lanes, f"{paint(name, 'name')}  {paint(fit(facts, room - width(name) - 2, keep='start'), 'dim')}")
    for line in overlap_lines(lineage.overlaps, lineage.adapter, drawing.places):
        yield _row(lanes, paint(fit(line, room, keep="start"), "dim"))
    edge = " "
    largest = full_bar(lineage.commits)
    above = " "
    previous: int | None = None
    for index in shown(lineage, drawing.newest, drawing.forks.keys(), strict=drawing.strict):
        commit = lineage.commits[index]
        if previous is not None and previous - index > 1:
            yield _row((*lanes, edge), paint(gap_words(lineage, previous - index - 1, room - 2), "dim"))
            yield _row((*lanes, edge), "")
        forks = drawing.forks.get(commit.id, ())
        yield from _brief(drawing, [fork for fork in forks if fork.id not in drawing.full], (*lanes, above), BRIEF)
        for fork in (fork for fork in forks if fork.id in drawing.full):
            yield from _fork(drawing, fork, lanes, above)
            above = "┊" if above == " " else above
        text = commit_row(commit, room - 2)
        yield _row(lanes, f"{paint('◆' if commit.mixture else '●', 'lane')} {text}")
        edge = above = "│" if declared(commit) else "┊"
        for line in mixture_words(commit, drawing.places, room - 2):
            yield _row((*lanes, edge if index else " "), paint(line, "dim"))
        if index > 0:
            yield _row((*lanes, edge), _step(commit, largest))
        previous = index
    hidden = len(lineage.commits) if previous is None else previous
    if hidden:
        yield _row((*lanes, edge), paint(gap_words(lineage, hidden, room - 2), "dim"))


def _fork(drawing: _Drawing, fork: LogLineage, lanes: tuple[str, ...], above: str) -> Iterator[str]:
    if len(lanes) + 1 >= DEEPEST:
        words = f"… {escape(fork.name)} forks off here, {count(len(fork.commits), 'commit')} (see mvc log)"
        yield _row((*lanes, above), paint(fit(words, drawing.columns - 2 * len(lanes) - 2, keep="both"), "dim"))
        return
    yield from _lineage(drawing, fork, (*lanes, above))
    corner = "╭" if above == " " else "├"
    first = fork.commits[0] if fork.commits else None
    line = "─" if first is not None and declared(first) else "┄"
    step = _step(first, full_bar(fork.commits)) if first is not None else ""
    sure = f"  {percent(fork.forked_from.confidence)} sure" if fork.forked_from is not None else ""
    yield _row(lanes, paint(f"{corner}{line}╯", "lane") + f" {step}{paint(sure, 'dim')}")


def _row(lanes: tuple[str, ...], text: str) -> str:
    return ("".join(f"{paint(lane, 'lane')} " for lane in lanes) + text).rstrip()


def _step(commit: LogCommit, largest: float) -> str:
    if commit.distance is None:
        return ""
    angle = "" if commit.turning_angle is None else f"  ∠ {commit.turning_angle:.0f}°"
    text = f"{pad(number(commit.distance), 6)}{angle}".rstrip()
    return f"{paint(bar(commit.distance, largest, 8), 'bar')} {paint(text, 'dim')}"
