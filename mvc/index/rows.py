"""Rows of the index as values, a class for each table. Computes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from mvc.index.row import Row
from mvc.objects import ObjectId


@dataclass(frozen=True, slots=True)
class MetaRow(Row):
    """``key``: engine or operation, of the index's stamp."""

    NAME = "meta"

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class ArchitectureRow(Row):
    """``names``: [[name, shape], ...] of the trainable tensors, sorted by name."""

    NAME = "architectures"
    JSON = frozenset({"names"})

    id: str
    names: Sequence[Sequence[Any]]
    tensors: int
    weights: int


@dataclass(frozen=True, slots=True)
class PointRow(Row):
    """``tensors``: ids in the order of the architecture's names."""

    NAME = "points"
    JSON = frozenset({"tensors"})

    content: str
    architecture: str
    tensors: Sequence[ObjectId]


@dataclass(frozen=True, slots=True)
class CommitRow(Row):
    """One commit's facts; ``content`` is its point, ``arrival`` its place among all."""

    NAME = "commits"
    TEXT = frozenset({"path", "message", "author", "run"})
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
    """One file of a committed checkpoint."""

    NAME = "files"
    TEXT = frozenset({"path"})

    manifest: ObjectId
    path: str
    format: str
    size: int
    digest: str


@dataclass(frozen=True, slots=True)
class TagRow(Row):
    """A name of one commit."""

    NAME = "tags"
    TEXT = frozenset({"name"})

    name: str
    commit: ObjectId


@dataclass(frozen=True, slots=True)
class SettingRow(Row):
    """What was declared of the repository last."""

    NAME = "settings"
    TEXT = frozenset({"key", "value"})

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class SignatureRow(Row):
    """``sketch``: little-endian float32."""

    NAME = "signatures"
    WIDTHS = MappingProxyType({"sketch": 4})

    tensor: ObjectId
    version: int
    numel: int
    nonfinite: int
    max_abs: float
    sketch: bytes


@dataclass(frozen=True, slots=True)
class LatentRow(Row):
    """``latent``: little-endian float32."""

    NAME = "latents"
    WIDTHS = MappingProxyType({"latent": 4})

    content: str
    embedder: ObjectId
    latent: bytes


@dataclass(frozen=True, slots=True)
class DistanceRow(Row):
    """Exact distance of two points, ``a`` < ``b``."""

    NAME = "distances"

    a: str
    b: str
    architecture: str
    distance: float


@dataclass(frozen=True, slots=True)
class UnitRow(Row):
    """``unit``: little-endian int16."""

    NAME = "units"
    WIDTHS = MappingProxyType({"unit": 2})

    content: str
    architecture: str
    unit: bytes


@dataclass(frozen=True, slots=True)
class ForestRow(Row):
    """``edges``: little-endian int32; ``links``, ``nulls``: little-endian float64."""

    NAME = "forests"
    WIDTHS = MappingProxyType({"edges": 8, "links": 8, "nulls": 8})
    JSON = frozenset({"varying", "absent"})

    architecture: str
    varying: Sequence[int]
    absent: Sequence[str]
    edges: bytes
    links: bytes
    nulls: bytes


@dataclass(frozen=True, slots=True)
class InferenceRow(Row):
    """What the inference of a family was made from."""

    NAME = "inferences"
    JSON = frozenset({"warnings"})

    family: str
    architecture: str
    basis: str
    warnings: Sequence[str]


@dataclass(frozen=True, slots=True)
class LineageRow(Row):
    """One lineage; its ``id`` is that of its root's commit."""

    NAME = "lineages"
    TEXT = frozenset({"name"})

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
    """Where a commit stands."""

    NAME = "placements"
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

    NAME = "walks"
    WIDTHS = MappingProxyType({"figures": 4})
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

    NAME = "steps"

    now: str
    architecture: str
    before: str
    judged: str
    rules: str
    record: bytes


@dataclass(frozen=True, slots=True)
class FlagRow(Row):
    """A rule that a commit breaks."""

    NAME = "flags"

    commit: ObjectId
    rule: str


@dataclass(frozen=True, slots=True)
class MixtureRow(Row):
    """A source of a commit that is an average."""

    NAME = "mixtures"

    commit: ObjectId
    source: ObjectId
    weight: float


@dataclass(frozen=True, slots=True)
class OverlapRow(Row):
    """Where a lineage meets another architecture."""

    NAME = "overlaps"

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


#: one for each table but alembic's
ROWS: tuple[type[Row], ...] = tuple(
    kind for kind in tuple(globals().values()) if isinstance(kind, type) and issubclass(kind, Row) and kind is not Row
)
