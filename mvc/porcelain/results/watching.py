"""What `watch` tells."""

from __future__ import annotations

from dataclasses import dataclass

from mvc.porcelain.results.commits import Committed


@dataclass(frozen=True)
class LeftOut:
    """A checkpoint that is not committed: not whole or not at rest yet, or not readable."""

    path: str
    reason: str


@dataclass(frozen=True)
class WatchResult:
    """One look: what was committed, what could not be (told once for each state of its files), and, at the last look,
    what was ``waiting``."""

    commits: tuple[Committed, ...] = ()
    failed: tuple[LeftOut, ...] = ()
    waiting: tuple[LeftOut, ...] = ()
    warnings: tuple[str, ...] = ()
