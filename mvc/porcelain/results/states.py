"""What the commands return that say how a repository stands, or keep it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mvc.porcelain.results.logs import DirectionResult, ForkedFrom


@dataclass(frozen=True)
class FsckFinding:
    """``blocks`` are objects that rest on this one and cannot be read until it is back; ``commits`` are those that
    cannot be read whole for its want."""

    code: str
    object: str | None
    message: str
    repaired: bool
    blocks: tuple[str, ...] = ()
    commits: tuple[str, ...] = ()


@dataclass(frozen=True)
class FsckResult:
    """``objects`` were verified; ``undecoded`` of them are, by their checksums, what was proved when it was written."""

    ok: bool
    objects: int
    undecoded: int
    findings: tuple[FsckFinding, ...]


@dataclass(frozen=True)
class StatusEntry:
    """A pointer is present, missing or differs as the file that it stands for does, and blocked where this repository
    does not have its commit; ``commit`` is the one that it names.
    """

    path: str
    state: Literal["new", "committed", "incomplete", "blocked", "changed", "bad", "present", "missing", "differs"]
    reason: str = ""
    commit: str | None = None


@dataclass(frozen=True)
class StatusResult:
    entries: tuple[StatusEntry, ...]


@dataclass(frozen=True)
class TagRow:
    name: str
    commit: str


@dataclass(frozen=True)
class TagResult:
    tags: tuple[TagRow, ...]


@dataclass(frozen=True)
class LineageRow:
    id: str
    name: str
    name_source: Literal["given", "declared", "renamed"]
    architecture: str
    commits: int
    tip: str
    forked_from: ForkedFrom | None
    direction: DirectionResult


@dataclass(frozen=True)
class LineageResult:
    lineages: tuple[LineageRow, ...]


@dataclass(frozen=True)
class ReindexResult:
    commits: int
    lineages: int


@dataclass(frozen=True)
class InitResult:
    path: str
    created: bool
