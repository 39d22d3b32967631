"""What `log` returns, and what other commands say of lineages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Relation = Literal["starts", "extends", "inserts", "forks", "copies", "mixes", "duplicate", "restores"]


@dataclass(frozen=True)
class MixtureWeight:
    commit: str
    weight: float


@dataclass(frozen=True)
class LogCommit:
    """``flags`` are ids of the rules that `check` finds broken. ``declared`` says which facts were declared.

    ``mixture``: of which commits this one is the weighted average, the largest weight first; else empty. ``gone``: id
    of what is remembered of a commit whose tensors were given up; else None.
    """

    id: str
    path: str
    message: str
    time: str
    step: float | None
    distance: float | None
    turning_angle: float | None
    relation: Relation
    flags: tuple[str, ...] = ()
    position: int = 0
    confidence: float = 0.0
    parent: str | None = None
    tags: tuple[str, ...] = ()
    run: str | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    mixture: tuple[MixtureWeight, ...] = ()
    gone: str | None = None


@dataclass(frozen=True)
class ForkedFrom:
    lineage: str
    commit: str
    confidence: float


@dataclass(frozen=True)
class OverlapResult:
    """A lineage beside another architecture, on what both share. ``order``: which of the two it came after or before,
    with ``confidence``, or "undecided".

    ``own`` is the commit of the lineage that is nearest, or was declared, ``commit`` the one of ``lineage`` there.
    ``kind`` "shared": ``tensors`` of equal name and shape with ``shared`` values, ``coverage`` of the smaller model,
    were compared, ``identical`` of the values lie in equal tensors. ``kind`` "adapter": ``own`` changes so many tensors
    and values of ``commit``, a ``coverage`` of it. ``source`` "declared": ``commit`` is the declared parent.
    """

    lineage: str
    commit: str
    own: str
    kind: Literal["shared", "adapter"]
    source: Literal["weights", "declared"]
    order: Literal["after", "before", "undecided"]
    confidence: float | None
    tensors: int
    shared: int
    coverage: float
    identical: int
    cosine: float | None
    sigmas: float | None
    runner_up: str | None


@dataclass(frozen=True)
class DirectionResult:
    confidence: float
    source: Literal["weights", "declared", "undecided"]


@dataclass(frozen=True)
class LogLineage:
    """``id`` is stable while the lineage's root is: it is the root commit's. ``name_source``: "given" by mvc,
    "declared" by --run, "renamed" by the user. ``tensors`` and ``weights`` count the trainable ones. ``overlaps``:
    where it came from first, then by how much both have in common. ``adapter``: its tensors change another model's.
    """

    id: str
    name: str
    architecture: str
    forked_from: ForkedFrom | None
    direction: DirectionResult
    commits: tuple[LogCommit, ...]
    name_source: Literal["given", "declared", "renamed"] = "given"
    tensors: int = 0
    weights: int = 0
    overlaps: tuple[OverlapResult, ...] = ()
    adapter: bool = False


@dataclass(frozen=True)
class LogResult:
    lineages: tuple[LogLineage, ...]
    warnings: tuple[str, ...] = ()
