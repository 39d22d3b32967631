"""Puts averages back among the lineages that were traced without them. Owns where an average stands.

An average was not trained, so it is no step of any lineage: it starts one of its own, off its main source, and is the
root of what was trained on from it. What users declared of it wins: then it stays where they put it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from mvc.trajectory.inference import Direction, Fork, Inference, Lineage, Merge, Placement, Population
from mvc.trajectory.mst import Floats

#: share of the way from a lineage's fork point to an average that its first step goes, if it was trained on from there
_ONWARD = 0.8


def graft(family: Population, rest: Sequence[int], traced: Inference, merges: Sequence[Merge]) -> Inference:
    """The inference of the whole family from that of its points ``rest`` and the ``merges``, which are all others."""
    vectors = family.vectors.astype(np.float64)
    lineages = [lineage.renumbered(rest) for lineage in traced.lineages]
    placements = {rest[place.point]: place.renumbered(rest) for place in traced.placements}
    roots: dict[int, list[Merge]] = {}
    for merge in merges:
        home = _continued(vectors, lineages, merge)
        if home is not None:
            roots.setdefault(home, []).append(merge)
    chosen = {home: min(found, key=lambda merge: _distance(vectors, merge.point, lineages[home].members[0]))
              for home, found in roots.items()}  # fmt: skip
    standing = set[int]()
    for home, merge in sorted(chosen.items()):
        if _descends(lineages, merge.sources[0], home):
            continue  # made of what was trained on from it: one of the two is no average, and a tree has no circle
        standing.add(merge.point)
        first, *_ = lineages[home].members
        lineages[home] = replace(lineages[home], members=(merge.point, *lineages[home].members), fork=_fork(merge))
        placements[first] = replace(
            placements[first],
            relation="extends",
            parent=merge.point,
            distance=_distance(vectors, merge.point, first),
            turning_angle=None,
        )
    lineages += [
        Lineage((merge.point,), Direction(0.5, "undecided"), _fork(merge))
        for merge in merges
        if merge.point not in standing
    ]
    placements |= {merge.point: _placed(family, vectors, merge) for merge in merges}
    lineages.sort(key=lambda lineage: lineage.members[0])
    return replace(
        traced,
        lineages=tuple(lineages),
        placements=_counted(lineages, placements),
        merges=tuple(sorted((*(m.renumbered(rest) for m in traced.merges), *merges), key=lambda m: m.point)),
    )


def note(traced: Inference, merges: Sequence[Merge]) -> Inference:
    """The inference with averages that stand where users declared them."""
    if not merges:
        return traced
    places = list(traced.placements)
    for merge in merges:
        place = places[merge.point]
        places[merge.point] = replace(place, relation="mixes", evidence={**place.evidence, **_evidence(merge)})
    return replace(traced, placements=tuple(places), merges=tuple(merges))


def _continued(vectors: Floats, lineages: Sequence[Lineage], merge: Merge) -> int | None:
    """The lineage that was trained on from the average: it seems to fork, but its first step leads past the average."""
    found: dict[int, float] = {}
    for number, lineage in enumerate(lineages):
        if lineage.fork is None or set(lineage.members) & set(merge.sources):
            continue
        way = vectors[merge.point] - vectors[lineage.fork.parent]
        step = vectors[lineage.members[0]] - vectors[lineage.fork.parent]
        if float(step @ way) > _ONWARD * float(way @ way) > 0:
            found[number] = _distance(vectors, merge.point, lineage.members[0])
    return min(found, key=lambda number: (found[number], number)) if found else None


def _descends(lineages: Sequence[Lineage], point: int, ancestor: int) -> bool:
    """Whether the point is in lineage ``ancestor`` or in one that comes from it."""
    home = {member: number for number, lineage in enumerate(lineages) for member in lineage.members}
    while point in home and home[point] != ancestor:
        fork = lineages[home[point]].fork
        if fork is None:
            return False
        point = fork.parent
    return point in home


def _fork(merge: Merge) -> Fork:
    return Fork(merge.sources[0], merge.confidence, merge.sources[1])


def _placed(family: Population, vectors: Floats, merge: Merge) -> Placement:
    main = merge.sources[0]
    exact = _distance(vectors, main, merge.point) if family.distance is None else family.distance(
        min(main, merge.point), max(main, merge.point)
    )  # fmt: skip
    return Placement(merge.point, 0, 0, "mixes", main, exact, None, merge.confidence, _evidence(merge))


def _evidence(merge: Merge) -> dict[str, object]:
    return {"sources": len(merge.sources), "residual": merge.residual, "unique": merge.unique}


def _counted(lineages: Sequence[Lineage], placements: Mapping[int, Placement]) -> tuple[Placement, ...]:
    """The placements with numbers of lineages and positions as they are now."""
    found = {
        point: replace(placements[point], lineage=number, position=position)
        for number, lineage in enumerate(lineages)
        for position, point in enumerate(lineage.members)
    }
    return tuple(found[i] for i in range(len(found)))


def _distance(vectors: Floats, a: int, b: int) -> float:
    return math.sqrt(float(((vectors[a] - vectors[b]) ** 2).sum()))
