"""What a report shows, as plain values: each picture's data in one place, for the page and for `mvc plot`.

Commits are numbers: places in the table of all commits. Knows no repository and draws nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Table:
    """Columns of equal length: a third of the size of rows in JSON."""

    columns: Mapping[str, Sequence[Any]]

    def rows(self) -> Iterator[dict[str, Any]]:
        return (dict(zip(self.columns, row, strict=True)) for row in zip(*self.columns.values(), strict=True))


@dataclass(frozen=True)
class Grid:
    """A cell for each row of ``down`` and of ``across``: ``values`` [down, across], None for an empty one."""

    down: Table
    across: Table
    values: Sequence[Sequence[float | None]]

    def rows(self) -> Iterator[dict[str, Any]]:
        across = list(self.across.rows())
        for left, values in zip(self.down.rows(), self.values, strict=True):
            yield from ({**left, **top, "v": value} for top, value in zip(across, values, strict=True))


@dataclass(frozen=True)
class Picture:
    """One chart's data: ``kind`` says which chart, ``note`` by what method and how far to trust it.

    ``tables`` hold the chart's data sets by name; rows that stand for a commit have its number as ``c``. ``lineages``
    are the numbers of those shown.
    """

    kind: str
    title: str
    note: str
    tables: Mapping[str, Table | Grid]
    lineages: tuple[int, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Blamed:
    """``shares``: commit → its share of the way from the roots, the largest first; ``tensors``: name, last changed by
    which commit, how far from the roots."""

    shares: Table
    tensors: Table


@dataclass(frozen=True)
class CommitPage:
    """What only some commits have: ``before`` is the one that it is compared with, ``diff`` a row for each tensor."""

    before: int | None
    diff: Table | None
    blame: Blamed | None


@dataclass(frozen=True)
class ReportData:
    """Everything on the page. ``head``: repository, operation, counts. ``verdict``: what `check` says, with findings.
    ``drift`` and ``layers`` have one picture, or None, for each lineage. ``pages``: commit → page. ``notes``
    say what was left out."""

    head: Mapping[str, Any]
    verdict: Mapping[str, Any]
    lineages: Table
    commits: Table
    maps: tuple[Picture, ...]
    trees: tuple[Picture, ...]
    drift: tuple[Picture | None, ...]
    layers: tuple[Picture | None, ...]
    pages: Mapping[int, CommitPage]
    notes: tuple[str, ...] = ()
