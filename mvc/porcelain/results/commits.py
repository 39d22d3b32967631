"""What `commit` and `checkout` return."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mvc.porcelain.results.logs import OverlapResult, Relation


@dataclass(frozen=True)
class Committed:
    """One path of `commit`. For "duplicate" ``id`` is the commit that already holds this content; for "restores" the
    one that had given up its tensors, and has them again.

    ``evidence`` says in numbers why it stands where it stands; ``runner_up`` names the next best lineage, if any.
    ``overlaps`` are those of its lineage that rest on this very commit.
    """

    id: str
    path: str
    architecture: str
    lineage: str
    position: int
    relation: Relation
    parent: str | None
    distance: float | None
    confidence: float
    bytes: int
    stored_bytes: int
    evidence: Mapping[str, Any] = field(default_factory=dict)
    overlaps: tuple[OverlapResult, ...] = ()
    pointer: str | None = None


@dataclass(frozen=True)
class CommitResult:
    commits: tuple[Committed, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class CheckoutResult:
    commit: str
    paths: tuple[str, ...]
    bytes: int
