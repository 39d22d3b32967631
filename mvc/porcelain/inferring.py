"""Inferences in the index: done again where what they look at has changed, and named. Owns what counts as a change."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import numpy.typing as npt
from sqlalchemy import Connection, select, update

from mvc.errors import StorageError
from mvc.index import (
    ArchitectureRow,
    CommitRow,
    DistanceRow,
    FlagRow,
    InferenceRow,
    LineageRow,
    PlacementRow,
    PointRow,
    SettingRow,
    insert_rows,
)
from mvc.objects import ObjectId, as_array
from mvc.porcelain.declarations import names_of, pins_of
from mvc.porcelain.engine import ENGINE
from mvc.porcelain.naming import Unnamed, choose_names
from mvc.porcelain.progress import Report
from mvc.porcelain.signatures import read_signatures
from mvc.porcelain.understand import Basis, Understood, not_understood, understand
from mvc.repository import Repository


def infer_lineages(connection: Connection, repository: Repository, report: Report) -> None:
    """Infers anew where what was looked at the last time is not what there is now."""
    commits: dict[str, list[CommitRow]] = defaultdict(list)
    for row in CommitRow.select(connection):
        commits[row.architecture].append(row)
    pins = pins_of(SettingRow.select(connection))
    last = {row.architecture: row.basis for row in InferenceRow.select(connection)}
    looked = {architecture: _digest(rows, pins) for architecture, rows in commits.items()}
    changed = [row for row in ArchitectureRow.select(connection) if last.get(row.id) != looked[row.id]]
    for done, architecture in enumerate(changed):
        report(done, len(changed), "reading lineages from weights")
        points = PointRow.select(connection, PointRow.TABLE.c.architecture == architecture.id)
        basis = Basis(architecture, commits[architecture.id], {row.content: row.tensors for row in points}, pins)
        understood = _understand(connection, repository, basis)
        _replace_inference(connection, architecture.id, understood)
        # where inference failed, the next operation has it tried again
        digest = looked[architecture.id] if understood.complete else ""
        insert_rows(connection, [InferenceRow(architecture.id, digest, list(understood.warnings))])


def _digest(commits: Iterable[CommitRow], pins: Mapping[ObjectId, ObjectId]) -> str:
    """Digest of everything that inference looks at."""
    rows = sorted(
        (row.id, row.content, row.manifest, row.step, row.run, row.parent, pins.get(row.id)) for row in commits
    )
    return hashlib.blake2b(json.dumps([ENGINE, rows]).encode("ascii"), digest_size=32).hexdigest()


def _understand(connection: Connection, repository: Repository, basis: Basis) -> Understood:
    tensors = {tensor for ids in basis.tensors.values() for tensor in ids}
    where = DistanceRow.TABLE.c.architecture == basis.architecture.id
    distances = {(row.a, row.b): row.distance for row in DistanceRow.select(connection, where)}

    def read(tensor: ObjectId) -> npt.NDArray[Any]:
        return as_array(*repository.odb.get_tensor(tensor))

    signatures = read_signatures(connection, tensors)
    try:
        return understand(basis, signatures, distances, read)
    except (MemoryError, StorageError):
        raise
    except Exception as error:  # what is kept must stay within reach, whatever inference makes of it
        return not_understood(basis, f"{type(error).__name__}: {error}")


def _replace_inference(connection: Connection, architecture: str, understood: Understood) -> None:
    lineages = LineageRow.TABLE.c
    ours = select(lineages.id).where(lineages.architecture == architecture)
    commits = CommitRow.TABLE.c
    members = select(commits.id).where(commits.architecture == architecture)
    FlagRow.clear(connection, FlagRow.TABLE.c.commit.in_(members))
    PlacementRow.clear(connection, PlacementRow.TABLE.c.lineage.in_(ours))
    for row in (LineageRow, InferenceRow, DistanceRow):
        row.clear(connection, row.TABLE.c.architecture == architecture)
    insert_rows(connection, understood.lineages)
    insert_rows(connection, understood.placements)
    insert_rows(connection, understood.flags)
    asked = sorted(understood.distances.items())
    insert_rows(connection, [DistanceRow(a, b, architecture, distance) for (a, b), distance in asked])


def name_lineages(connection: Connection) -> None:
    """Names of all lineages: they depend on each other."""
    commits = {row.id: row for row in CommitRow.select(connection)}
    order = PlacementRow.TABLE.c
    members: dict[ObjectId, list[ObjectId]] = defaultdict(list)
    for place in PlacementRow.select(connection, order=(order.lineage, order.position)):
        members[place.lineage].append(place.commit)
    given = names_of(SettingRow.select(connection))
    lineages = LineageRow.select(connection)
    unnamed = [
        Unnamed(
            key=commits[row.id].content,
            renamed=next((given[commit] for commit in members[row.id] if commit in given), None),
            runs=frozenset(run for commit in members[row.id] if (run := commits[commit].run) is not None),
        )
        for row in lineages
    ]
    for row, (name, source) in zip(lineages, choose_names(unnamed), strict=True):
        if (row.name, row.name_source) != (name, source):
            table = LineageRow.TABLE
            connection.execute(update(table).where(table.c.id == row.id).values(name=name, name_source=source))
