"""What `identify` returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mvc.porcelain.results.logs import MixtureWeight


@dataclass(frozen=True)
class Match:
    """``evidence``: of a source that was looked at as it is near in an embedder's latent space, the ``embedder``, and
    how many commits lie as near at most, it included (``neighbour``).
    """

    commit: str
    lineage: str
    relation: Literal["same", "copy", "descends", "precedes", "mixes", "overlaps"]
    transform: str | None
    confidence: float
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class FileOverlap:
    """What was compared of a file and a commit of another architecture; see `OverlapResult`. Names of tensors that only
    the file has (``added``), that only the commit has (``removed``), and that have another shape (``reshaped``).
    """

    tensors: int
    shared: int
    coverage: float
    identical: int
    cosine: float
    sigmas: float
    added: tuple[str, ...]
    removed: tuple[str, ...]
    reshaped: tuple[str, ...]


@dataclass(frozen=True)
class Identified:
    path: str
    match: Match | None
    runner_up: Match | None
    mixture: tuple[MixtureWeight, ...] | None
    reason: str = ""
    overlap: FileOverlap | None = None


@dataclass(frozen=True)
class IdentifyResult:
    results: tuple[Identified, ...]
