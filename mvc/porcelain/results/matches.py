"""What `identify` returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mvc.porcelain.results.logs import MixtureWeight


@dataclass(frozen=True)
class Match:
    commit: str
    lineage: str
    relation: Literal["same", "copy", "descends", "precedes", "mixes", "overlaps"]
    transform: str | None
    confidence: float


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
