"""What the commands return that keep house."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mvc.porcelain.results.logs import DirectionResult
from mvc.repository.gc import GcReport


@dataclass(frozen=True)
class DuRow:
    """``bytes`` as the files have them. ``stored_bytes`` counts every object that is used, in each row once, also
    those that others use; ``shared_bytes`` divides each among all commits that use it, so that rows add up;
    ``own_bytes`` are of what nothing else uses."""

    kind: Literal["lineage", "commit", "tensor", "embedders", "memories", "operations", "total"]
    name: str
    commits: int
    bytes: int
    stored_bytes: int
    shared_bytes: float
    own_bytes: int


@dataclass(frozen=True)
class DuResult:
    """``files`` and ``store_bytes`` are those of the store; ``gc_bytes`` what `gc` would free of it now, and
    ``young_bytes`` what it would free once the grace period is over."""

    rows: tuple[DuRow, ...]
    files: int
    store_bytes: int
    gc_bytes: int
    young_bytes: int


@dataclass(frozen=True)
class GivingUp:
    """A commit that gives up its tensors, or would; ``bytes`` of them are in its files."""

    id: str
    path: str
    position: int
    step: float | None
    bytes: int


@dataclass(frozen=True)
class LineageRetention:
    """``direction``: how sure it is which end is the last. ``both_ends``: it is not, so both ends count as the last
    commits. ``unscored``: metrics of the rule that no commit here has, for which all are ``kept``."""

    lineage: str
    kept: int
    commits: tuple[GivingUp, ...]
    direction: DirectionResult
    both_ends: bool
    unscored: tuple[str, ...] = ()


@dataclass(frozen=True)
class Retention:
    """What a rule of retention comes to. At least ``freed_bytes``, as stored, go once all this is done: what
    was stored as a difference from what goes is stored otherwise then, and ``memory_bytes`` are taken by what is
    remembered. Of the commits that the rule does not keep, ``small`` many have only tensors that stay anyway, and
    ``light`` many are kept as giving theirs up would free no more than remembering them takes."""

    keep: str
    done: bool
    commits: int
    freed_bytes: int
    lineages: tuple[LineageRetention, ...]
    memory_bytes: int = 0
    small: int = 0
    light: int = 0


@dataclass(frozen=True)
class GcResult(GcReport):
    """``retention`` is what a rule of it came to, if there was one; ``proposed``: that was shown, and nothing done, as
    nobody said that it should be."""

    retention: Retention | None = None
    proposed: bool = False
