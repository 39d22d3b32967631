"""Overlaps in the index: how each lineage that starts on its own relates to other architectures. Owns these rows.

A function of the set of commits: of the lineages of both architectures, and of declared parents. Reads no weights: the
units of kinship and tensors' ids are enough.

Weights alone do not say which of two models came first; two trajectories do. One that was trained on from another is
nearest to it at its own start. So if a lineage meets another with its start, and that one not with its start, and the
direction of that one is known, then it came after. Otherwise nothing is said of the order.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import combinations

from mvc.index import (
    ArchitectureRow,
    CommitRow,
    Connection,
    ForestRow,
    InferenceRow,
    LineageRow,
    OverlapRow,
    PlacementRow,
    insert_rows,
    or_,
    select,
)
from mvc.objects import ObjectId
from mvc.objects.adapters import adapted, is_adapter
from mvc.porcelain.forest import read_patterns, read_tensors
from mvc.porcelain.overlapping import Common, Overlap, Side, shared

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class _Found:
    """One architecture as the index has it: its side, ids of its lineages in the side's order, contents' commits.

    ``starts``: contents of roots that forked from no other lineage here. ``sure``: content → confidence in the
    direction of its lineage, where that is decided.
    """

    architecture: ArchitectureRow
    side: Side
    lineages: Sequence[ObjectId]
    commits: Mapping[str, ObjectId]
    starts: frozenset[str]
    sure: Mapping[str, float]

    def came_after(self, own: str, other: _Found, there: str) -> float | None:
        """How sure it is that the lineage of ``own`` started at ``there``; None where nothing says so."""
        return other.sure.get(there) if own in self.starts and there not in other.starts else None


@dataclass(frozen=True)
class _Declared:
    """A commit in ``lineage`` was declared to come from one of another architecture: both points' contents."""

    lineage: ObjectId
    own: str
    other: str


def shapes_of(architecture: ArchitectureRow) -> Shapes:
    return {name: tuple(shape) for name, shape in architecture.names}


def infer_overlaps(connection: Connection, touched: Set[str] | None) -> None:
    """Infers overlaps anew where an architecture was ``touched``, None where it can be any."""
    rows = [row for row in ArchitectureRow.select(connection) if row.names]
    grown = _understood(connection)
    shapes = {row.id: shapes_of(row) for row in rows if row.id in grown}
    column = OverlapRow.TABLE.c
    if touched is None:
        OverlapRow.clear(connection)
    for name in touched or ():
        own = select(LineageRow.TABLE.c.id).where(LineageRow.TABLE.c.architecture == name)
        OverlapRow.clear(connection, or_(column.architecture == name, column.lineage.in_(own)))
    if len(shapes) < 2:
        return
    declared = _declared(connection)
    seen: dict[str, _Found] = {}
    for a, b in combinations((row for row in rows if row.id in grown), 2):
        told = declared[a.id, b.id], declared[b.id, a.id]
        if touched is not None and touched.isdisjoint((a.id, b.id)):
            continue
        if any(told) or shared(shapes[a.id], shapes[b.id]):
            for row in (a, b):
                if row.id not in seen:
                    seen[row.id] = _find(connection, row)
            insert_rows(connection, _rows(connection, seen[a.id], seen[b.id], told))


def find_sides(connection: Connection, shapes: Shapes) -> Iterator[tuple[Side, Mapping[str, ObjectId]]]:
    """Committed architectures that share a tensor with ``shapes``: their sides, and the commit of each content."""
    grown = _understood(connection)
    for row in ArchitectureRow.select(connection):
        if row.id in grown and shared(shapes_of(row), shapes):
            found = _find(connection, row)
            yield found.side, found.commits


def _understood(connection: Connection) -> set[str]:
    """Architectures whose points have units, and whose inference did not fail: of others nothing is said."""
    failed = {row.architecture for row in InferenceRow.select(connection, InferenceRow.TABLE.c.basis == "")}
    return {name for (name,) in connection.execute(select(ForestRow.TABLE.c.architecture))} - failed


def _find(connection: Connection, architecture: ArchitectureRow) -> _Found:
    places, commit = PlacementRow.TABLE.c, CommitRow.TABLE.c
    query = select(places.lineage, commit.content, places.commit).where(
        places.commit == commit.id, commit.architecture == architecture.id
    )
    commits: dict[str, ObjectId] = {}
    members: dict[ObjectId, list[str]] = defaultdict(list)
    for lineage, content, commit_id in connection.execute(query.order_by(places.lineage, places.position)):
        if content not in commits:
            commits[content] = ObjectId(commit_id)
            members[ObjectId(lineage)].append(content)
    keys = sorted(commits)
    place = {key: i for i, key in enumerate(keys)}
    # by the roots' contents: equal cosines go to the same lineage in every repository
    lineages = sorted(members, key=lambda lineage: members[lineage][0])
    side = Side(
        shapes=shapes_of(architecture),
        keys=keys,
        lineages=[[place[key] for key in members[lineage]] for lineage in lineages],
        tensors=read_tensors(connection, keys),
        patterns=lambda points, names: read_patterns(connection, architecture, points, names),
    )
    forked = _forked(connection, architecture.id)
    return _Found(
        architecture,
        side,
        lineages,
        commits,
        starts=frozenset(members[lineage][0] for lineage in lineages if lineage not in forked),
        sure={
            key: row.direction_confidence
            for row in LineageRow.select(connection, LineageRow.TABLE.c.architecture == architecture.id)
            if row.direction_source != "undecided"
            for key in members[row.id]
        },
    )


def _rows(
    connection: Connection, a: _Found, b: _Found, declared: tuple[Mapping[ObjectId, _Declared], ...]
) -> Iterator[OverlapRow]:
    common = Common.of(a.side, b.side)
    for own, other, told, second in ((a, b, declared[0], False), (b, a, declared[1], True)):
        for number, (lineage, members) in enumerate(zip(own.lineages, own.side.lineages, strict=True)):
            if own.side.keys[members[0]] not in own.starts:
                continue
            found = None if common is None else common.overlap(number, second=second)
            if lineage in told:
                yield _told(told[lineage], own, other, common, found, second)
            elif found is not None:
                yield _row(lineage, found, own, other)


def _row(lineage: ObjectId, found: Overlap, own: _Found, other: _Found) -> OverlapRow:
    after = own.came_after(found.own, other, found.other)
    before = other.came_after(found.other, own, found.own)
    return OverlapRow(
        lineage=lineage,
        architecture=other.architecture.id,
        own=own.commits[found.own],
        commit=other.commits[found.other],
        source="weights",
        kind="shared",
        order="undecided" if after is before is None else "before" if after is None else "after",
        confidence=before if after is None else after,
        tensors=found.tensors,
        shared=found.shared,
        coverage=found.coverage,
        identical=found.identical,
        cosine=found.cosine,
        sigmas=found.sigmas,
        runner_up=None if found.runner_up is None else other.commits[found.runner_up],
    )


def _told(
    told: _Declared, own: _Found, other: _Found, common: Common | None, weights: Overlap | None, second: bool
) -> OverlapRow:
    """A declared relation: of an adapter which of the base's weights it changes, else what both share.

    What the weights say is the runner-up where it is another commit.
    """
    if common is not None:
        row = _row(told.lineage, common.between(told.own, told.other, second=second), own, other)
        says = None if weights is None else other.commits[weights.other]
        return replace(
            row, source="declared", order="after", confidence=1.0, runner_up=None if says == row.commit else says
        )
    shapes = other.side.shapes
    changed = adapted(own.side.shapes, shapes) if is_adapter(own.side.shapes) else ()
    values = sum(math.prod(shapes[name]) for name in changed)
    return OverlapRow(
        lineage=told.lineage,
        architecture=other.architecture.id,
        own=own.commits[told.own],
        commit=other.commits[told.other],
        source="declared",
        kind="adapter" if changed else "shared",
        order="after",
        confidence=1.0,
        tensors=len(changed),
        shared=values,
        coverage=values / other.side.weights,
        identical=0,
        cosine=None,
        sigmas=None,
        runner_up=None,
    )


def _forked(connection: Connection, architecture: str) -> set[ObjectId]:
    """Lineages of an architecture that forked from another one of it."""
    lineages, commits = LineageRow.TABLE.c, CommitRow.TABLE.c
    query = select(lineages.id).where(
        lineages.architecture == architecture, lineages.fork_commit == commits.id, commits.architecture == architecture
    )
    return {ObjectId(lineage) for (lineage,) in connection.execute(query)}


def _declared(connection: Connection) -> Mapping[tuple[str, str], Mapping[ObjectId, _Declared]]:
    """(architecture, the parent's) → lineage → what its first commit with such a parent declares."""
    child, parent, places = CommitRow.TABLE.alias("child"), CommitRow.TABLE.alias("parent"), PlacementRow.TABLE.c
    query = (
        select(child.c.architecture, parent.c.architecture, child.c.content, parent.c.content, places.lineage)
        .where(child.c.parent == parent.c.id, child.c.architecture != parent.c.architecture)
        .where(places.commit == child.c.id)
        .order_by(places.lineage, places.position, parent.c.content)
    )
    found: dict[tuple[str, str], dict[ObjectId, _Declared]] = defaultdict(dict)
    for own, other, content, origin, lineage in connection.execute(query):
        told = _Declared(ObjectId(lineage), content, origin)
        found[own, other].setdefault(told.lineage, told)
    return found
