"""From a population to its lineages. Owns `infer`: families, branches, declared facts, and every point's placement.

Declared facts win: points of one declared run are one lineage, declared steps give its order, a declared parent its
fork point. Where the weights say otherwise, that is a warning, not a correction.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mvc.trajectory.direction import DECIDED, confidence, log_odds
from mvc.trajectory.families import Branch, trace_family
from mvc.trajectory.forks import fork_point
from mvc.trajectory.inference import Direction, Fork, Inference, Lineage, Placement, Population, Source
from mvc.trajectory.kinship import SIGMAS, Kinship, kinship
from mvc.trajectory.mst import Floats, Ints, components
from mvc.trajectory.ordering import order_epochs, squared_distances, swap_margins

#: nearest neighbours by sketch whose distance is measured exactly
CANDIDATES = 8
#: disjoint parts of the weights that are asked whether they agree with the order
_PARTS = 8


def infer(population: Population) -> Inference:
    """Lineages of all points. A function of the population alone; the number of runs is never given."""
    n = len(population.keys)
    if n == 0:
        return Inference((), ())
    vectors = population.vectors.astype(np.float64)
    squares = _squares(population, vectors)
    kin = kinship(vectors, population.blocks)
    families = _declared_families(population, kin)
    lineages: list[Lineage] = []
    warnings: list[str] = []
    for label in range(int(families.max()) + 1):
        points = np.flatnonzero(families == label)
        found = _family(population, vectors, squares, points)
        for lineage in _declared_runs(population, vectors, squares, found):
            lineages.append(_declared_order(population, lineage, warnings))
    lineages.sort(key=lambda lineage: lineage.members[0])
    placements = _placements(population, vectors, squares, kin, lineages)
    return Inference(tuple(lineages), placements, tuple(warnings))


def _squares(population: Population, vectors: Floats) -> Floats:
    """Squared distances from signatures; exact ones to each point's nearest candidates where those are sketches."""
    squares = squared_distances(vectors)
    if population.distance is None:
        return squares
    n = len(squares)
    near = np.argsort(squares + np.diag(np.full(n, np.inf)), axis=1, kind="stable")[:, : min(CANDIDATES, n - 1)]
    for a, b in sorted({(min(i, int(j)), max(i, int(j))) for i in range(n) for j in near[i]}):
        squares[a, b] = squares[b, a] = population.distance(a, b) ** 2
    return squares


def _declared_families(population: Population, kin: Kinship) -> Ints:
    """Families by weights, joined where a declared run or parent spans several."""
    edges = [tuple(edge) for edge in kin.edges[kin.kept]]
    first: dict[str, int] = {}
    index = {key: i for i, key in enumerate(population.keys)}
    for i, declared in enumerate(population.declared):
        if declared.run is not None:
            edges.append((first.setdefault(declared.run, i), i))
        if declared.parent in index:
            edges.append((index[declared.parent], i))
    return components(len(population.keys), np.array(edges, dtype=np.intp).reshape(-1, 2))


def _family(population: Population, vectors: Floats, squares: Floats, points: Ints) -> list[Lineage]:
    traced: list[Branch] = trace_family(vectors[points], squares[np.ix_(points, points)], population.blocks)
    lineages = []
    for branch in traced:
        sure = confidence(branch.odds)
        source: Source = "weights" if sure >= DECIDED else "undecided"
        fork = None
        if branch.parent is not None:
            second = None if branch.runner_up is None else int(points[branch.runner_up])
            fork = Fork(int(points[branch.parent]), branch.confidence, second)
        members = tuple(int(points[i]) for i in branch.members)
        lineages.append(Lineage(members, Direction(sure, source), fork))
    return lineages


def _declared_runs(population: Population, vectors: Floats, squares: Floats, found: Sequence[Lineage]) -> list[Lineage]:
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
            at, certain, second = fork_point(vectors[list(host.members)], vectors[ordered])
            fork = Fork(host.members[at], certain, host.members[second])
        result.append(Lineage(tuple(ordered), Direction(sure, "weights" if sure >= DECIDED else "undecided"), fork))
    return result


def _declared_order(population: Population, lineage: Lineage, warnings: list[str]) -> Lineage:
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


def _placements(
    population: Population, vectors: Floats, squares: Floats, kin: Kinship, lineages: Sequence[Lineage]
) -> tuple[Placement, ...]:
    home = np.empty(len(vectors), dtype=np.intp)
    for number, lineage in enumerate(lineages):
        home[list(lineage.members)] = number
    before: dict[int, int | None] = {}
    for lineage in lineages:
        before[lineage.members[0]] = lineage.fork.parent if lineage.fork else None
        before |= dict(zip(lineage.members[1:], lineage.members, strict=False))
    link = _links(kin)
    placements: dict[int, Placement] = {}
    for number, lineage in enumerate(lineages):
        agreement = _order_agreement(vectors[list(lineage.members)])
        for place, point in enumerate(lineage.members):
            parent = before[point]
            sigmas, cosine = link[point] if parent is not None else (0.0, 0.0)
            strangers = np.where(home == number, np.inf, squares[point])
            rival = int(strangers.argmin()) if len(lineages) > 1 else None
            distance = None if parent is None else _distance(population, squares, parent, point)
            evidence: dict[str, object] = {"order_agreement": round(agreement[place], 3)}
            if parent is None:
                strange = link[point][0]
                alone = len(lineage.members) == 1
                sure = _logistic(SIGMAS - min(strange, SIGMAS)) if alone else lineage.direction.confidence
            else:
                evidence |= {"cosine": round(cosine, 4), "sigmas": round(sigmas, 1)}
                sure = _logistic(sigmas - SIGMAS) * (agreement[place] if place else 1.0)
            if place == 0 and lineage.fork is not None:
                sure = min(sure, lineage.fork.confidence)
                second = lineage.fork.runner_up
                evidence |= {"fork_runner_up": None if second is None else population.keys[second]}
            if rival is not None:
                evidence |= {
                    "runner_up": population.keys[rival],
                    "runner_up_distance": math.sqrt(squares[point, rival]),
                }
            placements[point] = Placement(
                point=point,
                lineage=number,
                position=place,
                relation="extends" if place else "forks" if lineage.fork else "starts",
                parent=parent,
                distance=distance,
                turning_angle=_turning_angle(vectors, before, point),
                confidence=round(max(0.0, min(1.0, sure)), 4),
                evidence=evidence,
            )
    return tuple(placements[i] for i in range(len(vectors)))


def _links(kin: Kinship) -> list[tuple[float, float]]:
    """Best kept link of each point: standard deviations of its null, and cosine."""
    best = [(0.0, 0.0)] * len(kin.families)
    for (a, b), cosine, null in zip(kin.edges, kin.links, kin.null, strict=True):
        sigmas = float(cosine / null) if null > 0 else 99.0
        for point in (int(a), int(b)):
            best[point] = max(best[point], (min(sigmas, 99.0), float(cosine)))
    return best


def _order_agreement(path: Floats) -> list[float]:
    """For each point of an ordered path, the share of disjoint parts of the weights that keep it beside its neighbours.

    Parts are asked whether exchanging two neighbours would make the order worse; one point alone has nothing to agree.
    """
    n = len(path)
    if n < 3:
        return [1.0] * n
    votes = np.zeros(n - 1)
    for part in range(_PARTS):
        votes += swap_margins(squared_distances(path[:, part::_PARTS])) > 0
    share = (votes + 0.1) / (_PARTS + 0.2)  # never quite sure
    return [float(share[max(i - 1, 0) : i + 1].mean()) for i in range(n)]


def _distance(population: Population, squares: Floats, a: int, b: int) -> float:
    return math.sqrt(squares[a, b]) if population.distance is None else population.distance(min(a, b), max(a, b))


def _turning_angle(vectors: Floats, before: dict[int, int | None], point: int) -> float | None:
    """Angle in degrees between the step into ``point`` and the step before it, across forks too."""
    parent = before[point]
    grand = None if parent is None else before[parent]
    if parent is None or grand is None:
        return None
    step, last = vectors[point] - vectors[parent], vectors[parent] - vectors[grand]
    norms = math.sqrt(float(step @ step)) * math.sqrt(float(last @ last))
    return math.degrees(math.acos(max(-1.0, min(1.0, float(step @ last) / norms)))) if norms > 0 else None


def _logistic(sigmas: float) -> float:
    return 1.0 / (1.0 + math.exp(-1.5 * sigmas))
