"""From a population to its lineages. Owns `infer`: families first, then every family by itself.

A family's lineages and placements are a function of that family alone, and of how its points hang together in the
forest of kinship: so what one family learns changes nothing in another, and nothing grows with the square of all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from mvc.geometry import EXACT, WIDTH
from mvc.trajectory.declared import declared_edges, declared_order, declared_runs
from mvc.trajectory.direction import DECIDED, confidence
from mvc.trajectory.families import Branch, trace_family
from mvc.trajectory.grafting import graft, note
from mvc.trajectory.inference import (
    Declared,
    Direction,
    Fork,
    Inference,
    Lineage,
    Merge,
    Placement,
    Population,
    Source,
)
from mvc.trajectory.kinship import Forest, kinship, strongest_links, telling, varying
from mvc.trajectory.merging import find_merges
from mvc.trajectory.mst import Floats, Ints, components
from mvc.trajectory.ordering import squared_distances
from mvc.trajectory.placements import placements_of

#: nearest neighbours by sketch whose distance is measured exactly
CANDIDATES = 8
#: values above which exact distances are measured only where sketches leave a doubt, by how many standard errors
LARGE, _SIGMAS = 1 << 21, 4.0


def infer(population: Population) -> Inference:
    """Lineages of all points. A function of the population alone; the number of runs is never given."""
    if not population.keys:
        return Inference((), ())
    seen = population.of_blocks(telling(population.blocks, varying(population.vectors, population.blocks)))
    forest = kinship(seen.vectors, seen.blocks)
    families = families_of(forest, seen.keys, seen.declared)
    links = strongest_links(forest, families)
    parts = []
    for label in range(int(families.max()) + 1):
        points = np.flatnonzero(families == label)
        parts.append((points, infer_family(seen.of_points(points.tolist()), links[points])))
    return _joined(len(families), parts)


def families_of(forest: Forest, keys: Sequence[str], declared: Sequence[Declared]) -> Ints:
    """Label [n] of each point's family: by weights, joined where a declared run or parent spans several."""
    return components(len(keys), np.concatenate([forest.edges[forest.kept], declared_edges(keys, declared)]))


def infer_family(family: Population, links: Floats) -> Inference:
    """Lineages of the n points of one family. ``links`` [n, 2]: sigmas and cosine of each one's strongest link.

    Averages are no steps of any lineage and may be all that strangers have in common, so they are taken out first.
    """
    merges = find_merges(family.vectors, rounding=family.rounding, leaves=family.leaves)
    free = [merge for merge in merges if not _declared(family.declared[merge.point])]
    if not free:
        return note(_infer_trained(family, links), merges)
    out = {merge.point for merge in free}
    rest = [i for i in range(len(family.keys)) if i not in out]
    return graft(family, rest, infer(family.of_points(rest)), free)


def _declared(facts: Declared) -> bool:
    """Whether a user said where a point belongs."""
    return facts.run is not None or facts.parent is not None


def _infer_trained(family: Population, links: Floats) -> Inference:
    vectors = family.vectors.astype(np.float64)
    squares = _squares(family, vectors)
    warnings: list[str] = []
    found = declared_runs(family, vectors, squares, _traced(family, vectors, squares))
    lineages = [declared_order(family, lineage, warnings) for lineage in found]
    lineages.sort(key=lambda lineage: lineage.members[0])
    if family.distance is not None and _large(family):
        for a, b in _steps(lineages):
            squares[a, b] = squares[b, a] = family.distance(a, b) ** 2
    placements = placements_of(family, vectors, squares, links, lineages)
    return Inference(tuple(lineages), placements, tuple(warnings))


def _squares(family: Population, vectors: Floats) -> Floats:
    """Squared distances from signatures; exact ones to each point's nearest candidates where those are sketches.

    Of large models, whose exact distances take long and whose sketches err little, only to those candidates that may be
    nearest for all that sketches tell.
    """
    squares = squared_distances(vectors)
    n = len(squares)
    if family.distance is None or n < 2:
        return squares
    near = np.argsort(squares + np.diag(np.full(n, np.inf)), axis=1, kind="stable")[:, : min(CANDIDATES, n - 1)]
    pairs = {(min(i, int(j)), max(i, int(j))) for i in range(n) for j in near[i]}
    if _large(family):
        errors = {(a, b): _SIGMAS * _error(family, vectors[a] - vectors[b]) for a, b in pairs}
        most = [min(squares[i, j] + errors[min(i, j), max(i, j)] for j in map(int, row)) for i, row in enumerate(near)]
        pairs = {(a, b) for a, b in pairs if squares[a, b] - errors[a, b] <= max(most[a], most[b])}
    for a, b in sorted(pairs):
        squares[a, b] = squares[b, a] = family.distance(a, b) ** 2
    return squares


def _large(family: Population) -> bool:
    return sum(block.numel for block in family.blocks) > LARGE


def _steps(lineages: Sequence[Lineage]) -> Iterator[tuple[int, int]]:
    """Points that follow one another, and those that lineages forked from."""
    for lineage in lineages:
        yield from pairwise(lineage.members)
        if lineage.fork is not None:
            yield lineage.fork.parent, lineage.members[0]


def _error(family: Population, change: Floats) -> float:
    """Standard error of a squared distance that sketches tell, from the difference [k] of two signatures."""
    parts = np.add.reduceat(change**2, [block.start for block in family.blocks])
    sketched = np.array([block.numel > EXACT for block in family.blocks])
    return float(np.sqrt(2 / WIDTH * (parts[sketched] ** 2).sum()))


def _traced(family: Population, vectors: Floats, squares: Floats) -> list[Lineage]:
    traced: list[Branch] = trace_family(vectors, squares, family.blocks)
    lineages = []
    for branch in traced:
        sure = confidence(branch.odds)
        source: Source = "weights" if sure >= DECIDED else "undecided"
        fork = None if branch.parent is None else Fork(branch.parent, branch.confidence, branch.runner_up)
        lineages.append(Lineage(branch.members, Direction(sure, source), fork))
    return lineages


def _joined(n: int, parts: Sequence[tuple[Ints, Inference]]) -> Inference:
    """One inference of n points from those of its families, each with its points' indices."""
    lineages: list[Lineage] = []
    placements: dict[int, Placement] = {}
    merges: list[Merge] = []
    for points, part in parts:
        start = len(lineages)
        lineages += [lineage.renumbered(points.tolist()) for lineage in part.lineages]
        merges += [merge.renumbered(points.tolist()) for merge in part.merges]
        for place in (place.renumbered(points.tolist()) for place in part.placements):
            placements[place.point] = replace(place, lineage=start + place.lineage)
    order = sorted(range(len(lineages)), key=lambda number: lineages[number].members[0])
    rank = {number: place for place, number in enumerate(order)}
    return Inference(
        tuple(lineages[number] for number in order),
        tuple(replace(placements[i], lineage=rank[placements[i].lineage]) for i in range(n)),
        tuple(warning for _, part in parts for warning in part.warnings),
        tuple(sorted(merges, key=lambda merge: merge.point)),
    )
