"""The index's tables: facts of commits, what was inferred from them, and caches by content. Owns the schema.

Every row is a function of the repository's operations and objects, and of the engine's version: no counters, no
clocks, no paths of this machine. So an index that was built step by step and one that was built at once are equal.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, Integer, LargeBinary, MetaData, String, Table, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from mvc.index.view import spell, unspell

METADATA = MetaData()


class AnyText(TypeDecorator[str]):
    """Text that may hold what databases refuse, as `spell` spells it."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return spell(value)  # type: ignore[return-value]

    def process_result_value(self, value: Any | None, dialect: Dialect) -> str | None:
        return unspell(value)


def _id(name: str = "id", **more: Any) -> Column[str]:
    return Column(name, String(64), primary_key=True, **more)


#: schema: revision of this schema. engine: version of what inferred. operation: the newest one that is reflected
META = Table(
    "meta",
    METADATA,
    Column("key", String(32), primary_key=True),
    Column("value", Text, nullable=False),
)

#: alembic's own; written here too, so that a new index needs no alembic
ALEMBIC = Table("alembic_version", METADATA, Column("version_num", String(32), primary_key=True))

#: ``names`` is JSON: [[name, shape], ...] of the trainable tensors in sorted order
ARCHITECTURES = Table(
    "architectures",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("names", Text, nullable=False),
    Column("tensors", Integer, nullable=False),
    Column("weights", BigInteger, nullable=False),
)

#: one row for each distinct set of trainable weights; ``tensors`` is JSON: their ids in the architecture's order
POINTS = Table(
    "points",
    METADATA,
    _id("content"),
    Column("architecture", ForeignKey("architectures.id"), nullable=False, index=True),
    Column("tensors", Text, nullable=False),
)

#: ``arrival`` counts commits in the order in which operations added them, from 0
COMMITS = Table(
    "commits",
    METADATA,
    _id(),
    Column("arrival", Integer, nullable=False, unique=True),
    Column("manifest", String(64), nullable=False, index=True),
    Column("content", ForeignKey("points.content"), nullable=False, index=True),
    Column("architecture", ForeignKey("architectures.id"), nullable=False, index=True),
    Column("path", AnyText, nullable=False),
    Column("message", AnyText, nullable=False),
    Column("author", AnyText, nullable=False),
    Column("time", String(40), nullable=False),
    Column("step", Float),
    Column("step_source", String(16)),
    Column("run", AnyText),
    Column("parent", String(64)),
    Column("metrics", Text, nullable=False),
    Column("extra", Text, nullable=False),
    Column("bytes", BigInteger, nullable=False),
)

#: files of every committed manifest, so that a file can be known again by its size and digest
FILES = Table(
    "files",
    METADATA,
    _id("manifest"),
    Column("path", AnyText, primary_key=True),
    Column("format", String(32), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("digest", String(64), nullable=False),
    Index("files_by_digest", "digest"),
)

TAGS = Table(
    "tags",
    METADATA,
    Column("name", AnyText, primary_key=True),
    Column("commit", String(64), nullable=False),
)

SETTINGS = Table(
    "settings",
    METADATA,
    Column("key", AnyText, primary_key=True),
    Column("value", AnyText, nullable=False),
)

#: cache: what is remembered of one tensor, by its id and the version of the sketch; ``sketch`` is float32
SIGNATURES = Table(
    "signatures",
    METADATA,
    _id("tensor"),
    Column("version", Integer, primary_key=True),
    Column("numel", BigInteger, nullable=False),
    Column("nonfinite", Integer, nullable=False),
    Column("max_abs", Float, nullable=False),
    Column("sketch", LargeBinary, nullable=False),
)

#: cache: places of points in the latent space of an embedder (the id of its commit), float32; no fact or inference
LATENTS = Table(
    "latents",
    METADATA,
    _id("content"),
    Column("embedder", String(64), primary_key=True),
    Column("latent", LargeBinary, nullable=False),
)

#: cache: exact distances of two points, ``a`` < ``b``, as far as the present inference asked for them
DISTANCES = Table(
    "distances",
    METADATA,
    Column("a", ForeignKey("points.content"), primary_key=True),
    Column("b", ForeignKey("points.content"), primary_key=True),
    Column("architecture", ForeignKey("architectures.id"), nullable=False, index=True),
    Column("distance", Float, nullable=False),
)

#: what kinship compares of one point, as int16; a function of its weights and of which tensors tell
UNITS = Table(
    "units",
    METADATA,
    Column("content", ForeignKey("points.content"), primary_key=True),
    Column("architecture", ForeignKey("architectures.id"), nullable=False, index=True),
    Column("unit", LargeBinary, nullable=False),
)

#: single linkage of an architecture's points, numbered in order of their content. ``varying`` is JSON: places of the
#: tensors that differ between some of them; ``edges`` int32 pairs, ``links`` and ``nulls`` float64
FORESTS = Table(
    "forests",
    METADATA,
    Column("architecture", ForeignKey("architectures.id"), primary_key=True),
    Column("varying", Text, nullable=False),
    Column("absent", Text, nullable=False),
    Column("edges", LargeBinary, nullable=False),
    Column("links", LargeBinary, nullable=False),
    Column("nulls", LargeBinary, nullable=False),
)

#: ``family`` is the smallest content in it. ``basis`` is a digest of all that its inference looked at; while it stays
#: the same, so do the rows below
INFERENCES = Table(
    "inferences",
    METADATA,
    Column("family", ForeignKey("points.content"), primary_key=True),
    Column("architecture", ForeignKey("architectures.id"), nullable=False, index=True),
    Column("basis", String(64), nullable=False),
    Column("warnings", Text, nullable=False),
)

#: ``id`` is that of the root's commit
LINEAGES = Table(
    "lineages",
    METADATA,
    _id(),
    Column("architecture", ForeignKey("architectures.id"), nullable=False, index=True),
    Column("family", ForeignKey("inferences.family"), nullable=False, index=True),
    Column("name", AnyText, nullable=False),
    Column("name_source", String(16), nullable=False),
    Column("direction_confidence", Float, nullable=False),
    Column("direction_source", String(16), nullable=False),
    Column("fork_commit", String(64)),
    Column("fork_confidence", Float),
    Column("fork_runner_up", String(64)),
)

#: ``evidence`` is JSON
PLACEMENTS = Table(
    "placements",
    METADATA,
    Column("commit", ForeignKey("commits.id"), primary_key=True),
    Column("lineage", ForeignKey("lineages.id"), nullable=False, index=True),
    Column("position", Integer, nullable=False),
    Column("relation", String(16), nullable=False),
    Column("parent", String(64)),
    Column("distance", Float),
    Column("turning_angle", Float),
    Column("confidence", Float, nullable=False),
    Column("evidence", Text, nullable=False),
)

#: figures of a lineage's steps along ``path`` (JSON: contents, the first ``before`` of them of the lineage that it
#: forked from), float32, a row for each step. ``judged`` digests all that its flags depend on: these, and those of its
#: siblings
WALKS = Table(
    "walks",
    METADATA,
    Column("lineage", ForeignKey("lineages.id"), primary_key=True),
    Column("architecture", ForeignKey("architectures.id"), nullable=False, index=True),
    Column("before", Integer, nullable=False),
    Column("path", Text, nullable=False),
    Column("figures", LargeBinary, nullable=False),
    Column("judged", String(64), nullable=False),
)

#: one point beside the one ``before`` it that it is judged by. ``judged`` digests all that the ``rules`` (those
#: that it breaks) depend on; ``record`` is a cache: what the step tells of every tensor, which takes reading both
STEPS = Table(
    "steps",
    METADATA,
    Column("now", ForeignKey("points.content"), primary_key=True),
    Column("architecture", ForeignKey("architectures.id"), nullable=False, index=True),
    Column("before", ForeignKey("points.content"), nullable=False),
    Column("judged", String(64), nullable=False),
    Column("rules", Text, nullable=False),
    Column("record", LargeBinary, nullable=False),
)

#: what `check` finds by the rules alone, whatever a policy says of them
FLAGS = Table(
    "flags",
    METADATA,
    Column("commit", ForeignKey("commits.id"), primary_key=True),
    Column("rule", String(32), primary_key=True),
)

#: commits explained as weighted averages of others
MIXTURES = Table(
    "mixtures",
    METADATA,
    Column("commit", ForeignKey("commits.id"), primary_key=True),
    Column("source", ForeignKey("commits.id"), primary_key=True),
    Column("weight", Float, nullable=False),
)

#: a lineage that starts on its own beside another architecture: its commit ``own`` and the ``commit`` there, on what
#: both share. ``shared`` and ``identical`` count values, ``coverage`` is the former's share of the smaller model
OVERLAPS = Table(
    "overlaps",
    METADATA,
    Column("lineage", ForeignKey("lineages.id"), primary_key=True),
    Column("architecture", ForeignKey("architectures.id"), primary_key=True),
    Column("own", String(64), nullable=False),
    Column("commit", String(64), nullable=False),
    Column("source", String(16), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("order", String(16), nullable=False),
    Column("confidence", Float),
    Column("tensors", Integer, nullable=False),
    Column("shared", BigInteger, nullable=False),
    Column("coverage", Float, nullable=False),
    Column("identical", BigInteger, nullable=False),
    Column("cosine", Float),
    Column("sigmas", Float),
    Column("runner_up", String(64)),
)
