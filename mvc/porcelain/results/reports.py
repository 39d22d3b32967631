"""What `report` and `plot` return."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mvc.porcelain.results.checks import VerdictName


@dataclass(frozen=True)
class ReportResult:
    """The file at ``path`` with so many ``bytes``; ``pages``: commits with diff and blame on their page. ``notes`` say
    what was left out."""

    path: str
    bytes: int
    verdict: VerdictName
    findings: int
    commits: int
    lineages: int
    pages: int
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class PlotResult:
    """``lineages`` are the names of those shown; ``note`` says by what method, and how far to trust it."""

    path: str
    bytes: int
    kind: str
    title: str
    note: str
    lineages: tuple[str, ...]
    facts: dict[str, Any] = field(default_factory=dict)
