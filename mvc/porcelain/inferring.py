"""Inferences in the index: done again for families that changed, and only for those. Owns what counts as a change."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np

from mvc.errors import IntegrityError, StorageError
from mvc.index import (
    ArchitectureRow,
    CommitRow,
    Connection,
    DatabaseError,
    DistanceRow,
    FlagRow,
    InferenceRow,
    LineageRow,
    MixtureRow,
    OverlapRow,
    PlacementRow,
    SettingRow,
    WalkRow,
    chunked,
    insert_rows,
    select,
    update,
)
from mvc.objects import ObjectId, as_array
from mvc.porcelain.declarations import names_of, pins_of
from mvc.porcelain.flags import STEP_RULES, judge_walks, root_contents
from mvc.porcelain.forest import bring_kin, forget_kin, read_tensors
from mvc.porcelain.inferred import Family, Told, Understood
from mvc.porcelain.memories import recall_distances
from mvc.porcelain.naming import Unnamed, choose_names
from mvc.porcelain.overlaps import infer_overlaps
from mvc.porcelain.pins import anchored
from mvc.porcelain.progress import Report
from mvc.porcelain.seen import Seen
from mvc.porcelain.signatures import read_signatures
from mvc.porcelain.stepping import ReadTensor, judge_damage, open_ledger
from mvc.porcelain.understand import PLACELESS, declared_of, not_understood, understand
from mvc.porcelain.walking import bring_walks, layout_of
from mvc.repository import Repository
from mvc.trajectory.kinship import strongest_links
from mvc.trajectory.lineages import families_of


def infer_lineages(
    connection: Connection,
    repository: Repository,
    report: Report,
    seen: Seen,
    touched: Collection[str] | None = None,
) -> None:
    """Infers anew the families that are not what they were the last time.

    ``touched`` are the architectures that have further commits, None where it can be any; ``seen`` is what need not be
    read for it.
    """
    failed = select(InferenceRow.TABLE.c.architecture).where(InferenceRow.TABLE.c.basis == "")
    again = {*(touched or ()), *(name for (name,) in connection.execute(failed))}
    pins = pins_of(SettingRow.select(connection))
    for architecture in ArchitectureRow.select(connection):
        if touched is None or architecture.id in again:
            _infer_architecture(connection, repository, architecture, pins, report, seen)
    infer_overlaps(connection, None if touched is None else again)


def _infer_architecture(
    connection: Connection,
    repository: Repository,
    architecture: ArchitectureRow,
    pins: Mapping[ObjectId, ObjectId],
    report: Report,
    seen: Seen,
) -> None:
    points = _points(connection, architecture.id)
    why = ""
    try:
        families = list(_families(connection, architecture, points, pins))
    except (MemoryError, StorageError, DatabaseError):
        raise
    except Exception as error:  # what is kept must stay within reach, whatever inference makes of it
        forget_kin(connection, architecture.id)
        why = f"{type(error).__name__}: {error}"
        families = [Family(architecture, points, {}, (), np.empty((0, 2)))]
    last = InferenceRow.select(connection, InferenceRow.TABLE.c.architecture == architecture.id)
    known = {(row.family, row.basis) for row in last if row.basis}
    digests = {family.id: family.digest for family in families}
    changed = [family for family in families if why or (family.id, digests[family.id]) not in known]
    gone = [row.family for row in last if digests.get(row.family) != row.basis or why]
    distances, walks, recast = _forget(connection, gone, changed)
    for done, family in enumerate(changed):
        report(done, len(changed), "reading lineages from weights")
        understood = (
            not_understood(family, why) if why else _understand(connection, repository, family, distances, recast, seen)
        )
        # where inference failed, the next operation has it tried again
        digest = digests[family.id] if understood.complete else ""
        insert_rows(connection, [InferenceRow(family.id, architecture.id, digest, list(understood.warnings))])
        insert_rows(connection, understood.lineages)
        for rows in (understood.placements, understood.flags, understood.mixtures):
            insert_rows(connection, rows)
        asked = sorted(understood.distances.items())
        insert_rows(connection, [DistanceRow(a, b, architecture.id, distance) for (a, b), distance in asked])
        if not why:
            _measure_steps(connection, repository, family, understood, walks, report, seen)
    _judge(connection, architecture)


def _points(connection: Connection, architecture: str) -> dict[str, list[Told]]:
    """Content → its commits, in order of contents; of one content the commit with the smallest manifest first."""
    column = CommitRow.TABLE.c
    columns = [getattr(column, name) for name in Told._fields]
    found: dict[str, list[Told]] = defaultdict(list)
    for row in sorted(map(tuple, connection.execute(select(*columns).where(column.architecture == architecture)))):
        found[row[0]].append(Told(*row))
    return found


def _families(
    connection: Connection,
    architecture: ArchitectureRow,
    points: Mapping[str, Sequence[Told]],
    pins: Mapping[ObjectId, ObjectId],
) -> Iterator[Family]:
    """Families by the weights and by what is declared, with the pinned points that belong to them."""
    if architecture.id in PLACELESS:
        for key, rows in points.items():
            yield Family(architecture, {key: rows}, {}, (), np.empty((0, 2)))
        return
    content = {row.id: key for key, rows in points.items() for row in rows} if pins else {}
    pinned = anchored(content, pins)
    free = {key: rows for key, rows in points.items() if key not in pinned}
    kin = bring_kin(connection, architecture, list(points), pinned.keys())
    labels = families_of(kin.forest, kin.keys, declared_of(free))
    links = strongest_links(kin.forest, labels)
    place = {key: i for i, key in enumerate(kin.keys)}
    guests: dict[int, dict[str, str]] = defaultdict(dict)
    for key, anchor in pinned.items():
        guests[int(labels[place[anchor]])][key] = anchor
    ordered = np.argsort(labels, kind="stable")
    for members in np.split(ordered, np.flatnonzero(np.diff(labels[ordered])) + 1):
        own = guests[int(labels[members[0]])]
        keys = sorted([*(kin.keys[i] for i in members), *own])
        yield Family(architecture, {key: points[key] for key in keys}, own, kin.telling, links[members])


def _understand(
    connection: Connection,
    repository: Repository,
    family: Family,
    distances: Mapping[tuple[str, str], float],
    recast: Mapping[tuple[str, str], str],
    seen: Seen,
) -> Understood:
    read = _reader(repository)
    tensors = read_tensors(connection, list(family.points))
    signatures = read_signatures(connection, {tensor for ids in tensors.values() for tensor in ids})
    try:
        known = recall_distances(repository, dict(distances), family.points.keys())
        narrow = {one: memory.rounding for memory in repository.memories().values() for one in memory.tensors}
        return understand(family, tensors, signatures, known, read, narrow, seen.squared_distance, recast)
    except (MemoryError, StorageError):
        raise
    except Exception as error:
        return not_understood(family, f"{type(error).__name__}: {error}")


def _measure_steps(
    connection: Connection,
    repository: Repository,
    family: Family,
    understood: Understood,
    walks: Mapping[str, WalkRow],
    report: Report,
    seen: Seen,
) -> None:
    """Flags of damage, and walks; none where a family was not understood, or a tensor cannot be read."""
    ledger = open_ledger(connection, family.architecture, _reader(repository), seen=seen.step)
    try:
        insert_rows(connection, list(judge_damage(connection, family, understood, ledger, report)))
        insert_rows(connection, list(bring_walks(connection, family, understood, walks, ledger)))
    except IntegrityError:
        return


def _reader(repository: Repository) -> ReadTensor:
    return lambda tensor: as_array(*repository.tensor(tensor, recall=True))


def _forget(
    connection: Connection, gone: Sequence[str], changed: Sequence[Family]
) -> tuple[dict[tuple[str, str], float], dict[str, WalkRow], dict[tuple[str, str], str]]:
    """Removes what was inferred of families that are no more. For use again: exact distances of the changed ones, walks
    by their first own point, and copies in another precision: contents of source and copy → precision."""
    content = {row.id: key for family in changed for key, rows in family.points.items() for row in rows}
    recast: dict[tuple[str, str], str] = {}
    known: dict[tuple[str, str], float] = {}
    walks: dict[str, WalkRow] = {}
    for piece in chunked(map(ObjectId, gone)):
        lineages = select(LineageRow.TABLE.c.id).where(LineageRow.TABLE.c.family.in_(piece))
        commits = select(PlacementRow.TABLE.c.commit).where(PlacementRow.TABLE.c.lineage.in_(lineages))
        column = PlacementRow.TABLE.c
        for row in PlacementRow.select(connection, column.lineage.in_(lineages) & (column.relation == "copies")):
            if "precision" in row.evidence and row.parent in content and row.commit in content:
                recast[content[row.parent], content[row.commit]] = str(row.evidence["precision"])
        FlagRow.clear(connection, FlagRow.TABLE.c.commit.in_(commits))
        MixtureRow.clear(connection, MixtureRow.TABLE.c.commit.in_(commits))
        PlacementRow.clear(connection, PlacementRow.TABLE.c.lineage.in_(lineages))
        OverlapRow.clear(connection, OverlapRow.TABLE.c.lineage.in_(lineages))
        walked = WalkRow.select(connection, WalkRow.TABLE.c.lineage.in_(lineages))
        walks |= {row.path[row.before]: row for row in walked}
        WalkRow.clear(connection, WalkRow.TABLE.c.lineage.in_(lineages))
        LineageRow.clear(connection, LineageRow.TABLE.c.family.in_(piece))
        InferenceRow.clear(connection, InferenceRow.TABLE.c.family.in_(piece))
    for piece in chunked(ObjectId(key) for family in changed for key in family.points):
        where = DistanceRow.TABLE.c.a.in_(piece)
        known |= {(row.a, row.b): row.distance for row in DistanceRow.select(connection, where)}
        DistanceRow.clear(connection, where)
    return known, walks, recast


def _judge(connection: Connection, architecture: ArchitectureRow) -> None:
    """Flags of lineages whose steps, or whose siblings' steps, changed."""
    commits, flags = CommitRow.TABLE.c, FlagRow.TABLE.c
    walks = WalkRow.select(connection, WalkRow.TABLE.c.architecture == architecture.id)
    both = select(commits.id, commits.content)
    for row, rules in judge_walks(walks, root_contents(connection), layout_of(architecture)):
        own = row.path[row.before :]
        for piece in chunked(map(ObjectId, own)):
            walked = select(commits.id).where(commits.content.in_(piece))
            FlagRow.clear(connection, flags.commit.in_(walked), flags.rule.in_(STEP_RULES))
        broken = dict(zip(own, rules, strict=True))
        found = [
            FlagRow(commit, rule)
            for piece in chunked(ObjectId(key) for key, names in broken.items() if names)
            for commit, content in connection.execute(both.where(commits.content.in_(piece)))
            for rule in broken[content]
        ]
        insert_rows(connection, found)
        table = WalkRow.TABLE
        connection.execute(update(table).where(table.c.lineage == row.lineage).values(judged=row.judged))


def name_lineages(connection: Connection) -> None:
    """Names of all lineages: they depend on each other."""
    commits, places = CommitRow.TABLE.c, PlacementRow.TABLE.c
    roots = root_contents(connection)
    declared = select(places.lineage, commits.run).where(places.commit == commits.id, commits.run.is_not(None))
    runs: dict[str, set[str]] = defaultdict(set)
    for lineage, run in connection.execute(declared.distinct()):
        runs[lineage].add(run)
    given = names_of(SettingRow.select(connection))
    called = [
        (place.position, place.lineage, given[place.commit])
        for piece in chunked(given)
        for place in PlacementRow.select(connection, places.commit.in_(piece))
    ]
    renamed = {lineage: name for _, lineage, name in sorted(called, reverse=True)}
    rows = LineageRow.select(connection)
    unnamed = [Unnamed(roots[row.id], renamed.get(row.id), frozenset(runs[row.id])) for row in rows]
    for row, (name, source) in zip(rows, choose_names(unnamed), strict=True):
        if (row.name, row.name_source) != (name, source):
            table = LineageRow.TABLE
            connection.execute(update(table).where(table.c.id == row.id).values(name=name, name_source=source))
