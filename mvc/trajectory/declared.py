"""What users declared, in lineages. Owns what it overrules.

Declared facts win: points of one declared run are one lineage, declared steps give its order, a declared parent its
fork point. Where the weights say otherwise, that is a warning, not a correction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mvc.trajectory.departures import fork_point
from mvc.trajectory.direction import DECIDED, confidence, log_odds
from mvc.trajectory.inference import Declared, Direction, Fork, Lineage, Population
from mvc.trajectory.mst import Floats, Ints
from mvc.trajectory.ordering import order_epochs


def declared_edges(keys: Sequence[str], declared: Sequence[Declared]) -> Ints:
    """Edges [m, 2] between points that a declared run or parent joins."""
    edges: list[tuple[int, int]] = []
    first: dict[str, int] = {}
    index = {key: i for i, key in enumerate(keys)}
    for i, facts in enumerate(declared):
        if facts.run is not None:
            edges.append((first.setdefault(facts.run, i), i))
        if facts.parent in index:
            edges.append((index[facts.parent], i))
    return np.array(edges, dtype=np.intp).reshape(-1, 2)


def declared_runs(population: Population, vectors: Floats, squares: Floats, found: Sequence[Lineage]) -> list[Lineage]:
    """The family's lineages with declared runs made whole: an undeclared point goes with its nearest declared one."""
    runs = [declared.run for declared in population.declared]
    groups: dict[tuple[str, object], list[int]] = {}
    origin: dict[tuple[str, object], Lineage] = {}
    for number, lineage in enumerate(found):
        named = [i for i in lineage.members if runs[i] is not None]
        for i in lineage.members:
            nearest = min(named, key=lambda j, i=i: (squares[i, j], j)) if named else None  # type: ignore[misc]
            label: tuple[str, object] = ("inferred", number) if nearest is None else ("declared", runs[nearest])
            groups.setdefault(label, []).append(i)
            origin.setdefault(label, lineage)
    if set(groups) == {("inferred", number) for number in range(len(found))}:
        return list(found)
    result: list[Lineage] = []
    for group, members in groups.items():
        source = origin[group]
        if set(members) == set(source.members):
            result.append(source)
            continue
        order = order_epochs(squares[np.ix_(members, members)], start=np.arange(len(members), dtype=np.intp))
        ordered = [members[i] for i in order]
        odds = log_odds(vectors[ordered], population.blocks)
        if odds < 0:
            ordered = ordered[::-1]
        sure = confidence(odds)
        fork = None
        hosts = [other for other in result if other.members[0] != ordered[0]]
        if hosts:
            host = min(hosts, key=lambda other: float(squares[ordered[0], list(other.members)].min()))
            at, certain, second = fork_point(vectors[list(host.members)], vectors[ordered], population.blocks)
            fork = Fork(host.members[at], certain, host.members[second])
        result.append(Lineage(tuple(ordered), Direction(sure, "weights" if sure >= DECIDED else "undecided"), fork))
    return result


def declared_order(population: Population, lineage: Lineage, warnings: list[str]) -> Lineage:
    """The lineage in its declared order, or turned round where the declared steps that there are say so."""
    members = lineage.members
    steps = {i: population.declared[i].step for i in members if population.declared[i].step is not None}
    fork = lineage.fork
    declared_parent = population.declared[members[0]].parent
    if declared_parent in population.keys and population.keys.index(declared_parent) not in members:
        fork = Fork(population.keys.index(declared_parent), 1.0, None if fork is None else fork.parent)
    if len(set(steps.values())) < 2:
        return replace(lineage, fork=fork)
    along = [steps[i] for i in members if i in steps]
    agreement = _kendall([float(step) for step in along if step is not None])
    if abs(agreement) < 0.9 or (agreement < 0 and lineage.direction.source == "weights" and fork is None):
        warnings.append(
            f"declared steps contradict the order of weights in the lineage of {population.keys[members[0]][:12]}: "
            f"Kendall's tau {agreement:+.2f}"
        )
    if len(steps) == len(members):
        members = tuple(sorted(members, key=lambda i: (steps[i], members.index(i))))
    elif agreement < 0:
        members = members[::-1]
    return Lineage(members, Direction(1.0, "declared"), fork)


def _kendall(values: Sequence[float]) -> float:
    """Kendall's tau-a of the values against their order."""
    pairs = [(a, b) for i, a in enumerate(values) for b in values[i + 1 :]]
    return sum((b > a) - (b < a) for a, b in pairs) / len(pairs) if pairs else 1.0
