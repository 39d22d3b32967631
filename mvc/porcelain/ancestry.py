"""What a model came of: the commits behind it, across forks, averages and architectures. Owns that graph.

It is the inferred one but for a single correction: values that training made come from one commit, so where a tensor's
bytes stand in another commit too, one of both has them of the other, whatever the distances of whole models said.
Inference reads distances; a frozen layer under a violently changed rest is where they fail. Reads no tensor.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np

from mvc.index import CommitRow, PointRow, Reader
from mvc.objects import ObjectId
from mvc.porcelain.reading import History, Model
from mvc.porcelain.results.logs import Relation


@dataclass(frozen=True)
class Point:
    """One model of a graph in which sources come before what was made of them. ``commit`` is a path for a file.

    ``sources``: number of an earlier point → its weight; several of an average, one of a trained model, none of a root.
    """

    commit: str
    relation: Relation
    model: Model
    sources: Mapping[int, float]


@dataclass(frozen=True)
class Ancestry:
    """``points`` end with the model in question. ``copied``: tensor → {point: the point that it has its bytes of}."""

    points: Sequence[Point]
    copied: Mapping[str, Mapping[int, int]]


def ancestry_of_commit(history: History, commit: str) -> Ancestry:
    """The graph behind a commit, ending with it."""
    return _with_copies(history, _graph(history, [commit]), None)


def ancestry_of_model(history: History, name: str, model: Model, source: str | None) -> Ancestry:
    """The graph behind a model that is no commit, as if it had been trained on from ``source``."""
    points = _graph(history, [] if source is None else [source])
    sources = {} if source is None else {len(points) - 1: 1.0}
    file = Point(name, "extends" if sources else "starts", model, sources)
    return _with_copies(history, [*points, file], file)


def introduced(points: Sequence[Point], tensor: str) -> int:
    """The point that the last point's bytes of a tensor came in with: back through sources as long as one has them."""
    at = len(points) - 1
    wanted = points[at].model.objects[tensor]
    while True:
        same = [i for i in points[at].sources if points[i].model.objects.get(tensor) == wanted]
        if not same:
            return at
        at = max(same, key=lambda i: (abs(points[at].sources[i]), -i))


def _graph(history: History, ends: Iterable[str]) -> list[Point]:
    order = _ordered(history, ends)
    numbers = {commit: number for number, commit in enumerate(order)}
    points = []
    for number, (commit, model) in enumerate(zip(order, history.models(order), strict=True)):
        placed = history.placed(commit)
        sources = {numbers[one]: weight for one, weight in history.sources(commit).items()}
        points.append(
            Point(
                commit,
                "starts" if placed is None else placed.relation,
                model,
                {one: weight for one, weight in sources.items() if one < number},
            )
        )
    return points


def _ordered(history: History, ends: Iterable[str]) -> list[str]:
    """All commits behind these, each after its sources."""
    done: dict[str, None] = {}
    begun: set[str] = set()
    for end in ends:
        waiting: list[tuple[str, Iterator[str]]] = [(end, iter(history.sources(end)))]
        begun.add(end)
        while waiting:
            commit, sources = waiting[-1]
            following = next((source for source in sources if source not in begun), None)
            if following is None:
                done[commit] = None
                waiting.pop()
            else:
                begun.add(following)
                waiting.append((following, iter(history.sources(following))))
    return list(done)


def _with_copies(history: History, points: list[Point], file: Point | None) -> Ancestry:
    """The graph with what is behind the commits that some tensors' bytes really came in with."""
    last = points[-1]
    wanted = {
        last.model.objects[name]: name for name, one in last.model.signatures.items() if one.values[1:].any()
    }  # constant tensors are alike by themselves
    known = {point.commit for point in points}
    holders = {held: found for held, found in _holders(history, wanted).items() if not found <= known}
    origins: dict[str, tuple[int, str]] = {}
    for held, found in holders.items():
        name = wanted[held]
        at = introduced(points, name)
        origin = _origin(history, points[at], name, found, interior=points[at] is not file)
        if origin is not None:
            origins[name] = (at, origin)
    if not origins:
        return Ancestry(points, {})
    ends = [origin for _, origin in origins.values()]
    tail = [point.commit for point in points if point is not file]
    merged = _graph(history, [*ends, *tail[-1:]])
    numbers = {point.commit: number for number, point in enumerate(merged)}
    if file is not None:
        sources = {numbers[points[i].commit]: weight for i, weight in file.sources.items()}
        merged.append(Point(file.commit, file.relation, file.model, sources))
        numbers[file.commit] = len(merged) - 1
    copied = {name: (numbers[points[at].commit], numbers[origin]) for name, (at, origin) in origins.items()}
    return Ancestry(merged, {name: {at: one} for name, (at, one) in copied.items() if one < at})


def _holders(history: History, wanted: Iterable[ObjectId]) -> Mapping[ObjectId, frozenset[str]]:
    """Commits that have these tensors."""
    known = history.remembered("holders", lambda: history.workspace.look_up(_all_holders))
    return {tensor: known[tensor] for tensor in wanted if tensor in known}


def _all_holders(reader: Reader) -> Mapping[ObjectId, frozenset[str]]:
    """Tensor → commits that have it. Nearly all are one point's alone, and share what its commits are."""
    commits: dict[str, set[str]] = defaultdict(set)
    for commit, content in CommitRow.pick(reader, "id", "content"):
        commits[content].add(commit)
    found: dict[ObjectId, frozenset[str]] = {}
    for point in PointRow.find(reader):
        here = frozenset(commits[point.content])
        for tensor in point.tensors:
            found[tensor] = found[tensor] | here if tensor in found else here
    return found


def _origin(history: History, at: Point, name: str, holders: Set[str], *, interior: bool) -> str | None:
    """The commit that ``at`` has a tensor's bytes of, if it is another one than it seems to have changed them itself.

    Of the commits that seem to have made these bytes, the one that did went on from its own lineage, and by the
    shortest way: for the others a wrong source was inferred, or none. A state that came back along one lineage was
    brought back.
    """
    candidates = [one for one in holders - {at.commit} if not holders & history.sources(one).keys()]
    interior = interior and _is_interior(history, at.commit)
    if interior:
        behind = set(_ordered(history, [at.commit]))
        candidates = [one for one in candidates if one not in behind]
    candidates = [one for one in candidates if at.commit not in _ordered(history, [one])]
    ranked = [(not _is_interior(history, one), _change(history, one, name), one) for one in sorted(candidates)]
    if not ranked:
        return None
    mine = (not interior, _change(history, at.commit, name) if history.placed(at.commit) else math.inf)
    best = min(ranked)
    same = history.model(best[2]).objects.get(name) == at.model.objects[name]
    return best[2] if same and best[:2] < mine else None


def _is_interior(history: History, commit: str) -> bool:
    """Whether it was trained on from a commit of its own lineage, or averaged: no fork, no root."""
    sources, row = history.sources(commit), history.lineage(commit)
    return len(sources) > 1 or any(history.lineage(one) is row for one in sources)


def _change(history: History, commit: str, name: str) -> float:
    """How far a commit moved a tensor from its sources; infinite where it has none."""
    own = history.model(commit).signatures.get(name)
    rest = None if own is None else own.values.astype(np.float64)
    for source, weight in history.sources(commit).items():
        known = history.model(source).signatures.get(name)
        if rest is None or known is None or known.numel != (own and own.numel):
            return math.inf
        rest = rest - weight * known.values
    return math.inf if rest is None or not history.sources(commit) else float(np.linalg.norm(rest))
