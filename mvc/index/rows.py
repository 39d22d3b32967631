"""Rows of the index as values. Owns how each is spelled in its table; computes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

from sqlalchemy import Connection, Table, delete, insert, select
from sqlalchemy.sql import ColumnElement

import mvc.index.tables as tables
from mvc.objects import ObjectId

#: names in one IN (...), below every database's limit on parameters
CHUNK = 500


@dataclass(frozen=True, slots=True)
class Row:
    """A row of ``TABLE``. Columns in ``JSON`` hold JSON text."""

    TABLE: ClassVar[Table]
    JSON: ClassVar[frozenset[str]] = frozenset()

    def columns(self) -> dict[str, Any]:
        return {
            item.name: _encode(getattr(self, item.name)) if item.name in self.JSON else getattr(self, item.name)
            for item in fields(self)
        }

    @classmethod
    def select(cls, connection: Connection, *where: ColumnElement[bool], order: Sequence[Any] = ()) -> list[Self]:
        """Rows that fit, in the order given, else by primary key."""
        names = [item.name for item in fields(cls)]
        columns = [cls.TABLE.c[name] for name in names]
        query = select(*columns).where(*where).order_by(*(order or cls.TABLE.primary_key.columns))
        rows = connection.execute(query).all()
        places = [place for place, name in enumerate(names) if name in cls.JSON]
        if not places:
            return [cls(*row) for row in rows]
        found = []
        for row in rows:
            values = list(row)
            for place in places:
                values[place] = _decode(values[place])
            found.append(cls(*values))
        return found

    @classmethod
    def clear(cls, connection: Connection, *where: ColumnElement[bool]) -> None:
        connection.execute(delete(cls.TABLE).where(*where))


def insert_rows(connection: Connection, rows: Iterable[Row]) -> None:
    """Inserts rows of one kind."""
    found = list(rows)
    if found:
        connection.execute(insert(found[0].TABLE), [row.columns() for row in found])


def chunked(values: Iterable[ObjectId]) -> Iterator[list[ObjectId]]:
    """Distinct values, sorted, in pieces that fit into one statement."""
    ordered = sorted(set(values))
    for start in range(0, len(ordered), CHUNK):
        yield ordered[start : start + CHUNK]


def _encode(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def _decode(text: str) -> Any:
    return {} if text == "{}" else json.loads(text)


@dataclass(frozen=True, slots=True)
class ArchitectureRow(Row):
    """``names``: [[name, shape], ...] of the trainable tensors, sorted by name."""

    TABLE = tables.ARCHITECTURES
    JSON = frozenset({"names"})

    id: str
    names: Sequence[Sequence[Any]]
    tensors: int
    weights: int


@dataclass(frozen=True, slots=True)
class PointRow(Row):
    """``tensors``: ids in the order of the architecture's names."""

    TABLE = tables.POINTS
    JSON = frozenset({"tensors"})

    content: str
    architecture: str
    tensors: Sequence[ObjectId]


@dataclass(frozen=True, slots=True)
class CommitRow(Row):
    TABLE = tables.COMMITS
    JSON = frozenset({"metrics", "extra"})

    id: ObjectId
    arrival: int
    manifest: ObjectId
    content: str
    architecture: str
    path: str
    message: str
    author: str
    time: str
    step: float | None
    step_source: str | None
    run: str | None
    parent: ObjectId | None
    metrics: Mapping[str, float]
    extra: Mapping[str, str]
    bytes: int


@dataclass(frozen=True, slots=True)
class FileRow(Row):
    TABLE = tables.FILES

    manifest: ObjectId
    path: str
    format: str
    size: int
    digest: str


@dataclass(frozen=True, slots=True)
class TagRow(Row):
    TABLE = tables.TAGS

    name: str
    commit: ObjectId


@dataclass(frozen=True, slots=True)
class SettingRow(Row):
    TABLE = tables.SETTINGS

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class SignatureRow(Row):
    """``sketch``: little-endian float32."""

    TABLE = tables.SIGNATURES

    tensor: ObjectId
    version: int
    numel: int
    nonfinite: int
    max_abs: float
    sketch: bytes


@dataclass(frozen=True, slots=True)
class LatentRow(Row):
    """``latent``: little-endian float32."""

    TABLE = tables.LATENTS

    content: str
    embedder: ObjectId
    latent: bytes


@dataclass(frozen=True, slots=True)
class DistanceRow(Row):
    TABLE = tables.DISTANCES

    a: str
    b: str
    architecture: str
    distance: float


@dataclass(frozen=True, slots=True)
class UnitRow(Row):
    """``unit``: little-endian int16."""

    TABLE = tables.UNITS

    content: str
    architecture: str
    unit: bytes


@dataclass(frozen=True, slots=True)
class ForestRow(Row):
    """``edges``: little-endian int32; ``links``, ``nulls``: little-endian float64."""

    TABLE = tables.FORESTS
    JSON = frozenset({"varying", "absent"})

    architecture: str
    varying: Sequence[int]
    absent: Sequence[str]
    edges: bytes
    links: bytes
    nulls: bytes


@dataclass(frozen=True, slots=True)
class InferenceRow(Row):
    TABLE = tables.INFERENCES
    JSON = frozenset({"warnings"})

    family: str
    architecture: str
    basis: str
    warnings: Sequence[str]


@dataclass(frozen=True, slots=True)
class LineageRow(Row):
    TABLE = tables.LINEAGES

    id: ObjectId
    architecture: str
    family: str
    name: str
    name_source: str
    direction_confidence: float
    direction_source: str
    fork_commit: ObjectId | None
    fork_confidence: float | None
    fork_runner_up: ObjectId | None


@dataclass(frozen=True, slots=True)
class PlacementRow(Row):
    TABLE = tables.PLACEMENTS
    JSON = frozenset({"evidence"})

    commit: ObjectId
    lineage: ObjectId
    position: int
    relation: str
    parent: ObjectId | None
    distance: float | None
    turning_angle: float | None
    confidence: float
    evidence: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class WalkRow(Row):
    """``path``: contents. ``figures``: little-endian float32."""

    TABLE = tables.WALKS
    JSON = frozenset({"path"})

    lineage: ObjectId
    architecture: str
    before: int
    path: Sequence[str]
    figures: bytes
    judged: str


@dataclass(frozen=True, slots=True)
class StepRow(Row):
    """``rules``: ids with commas between. ``record``: a packed step, as `mvc.drift.profiles` has it."""

    TABLE = tables.STEPS

    now: str
    architecture: str
    before: str
    judged: str
    rules: str
    record: bytes


@dataclass(frozen=True, slots=True)
class FlagRow(Row):
    TABLE = tables.FLAGS

    commit: ObjectId
    rule: str


@dataclass(frozen=True, slots=True)
class MixtureRow(Row):
    TABLE = tables.MIXTURES

    commit: ObjectId
    source: ObjectId
    weight: float


@dataclass(frozen=True, slots=True)
class OverlapRow(Row):
    TABLE = tables.OVERLAPS

    lineage: ObjectId
    architecture: str
    own: ObjectId
    commit: ObjectId
    source: str
    kind: str
    order: str
    confidence: float | None
    tensors: int
    shared: int
    coverage: float
    identical: int
    cosine: float | None
    sigmas: float | None
    runner_up: ObjectId | None
