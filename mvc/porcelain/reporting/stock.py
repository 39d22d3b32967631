"""The commits of a report, each with a number. Owns the numbering: lineages in the log's order, commits in theirs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from mvc.index import ArchitectureRow
from mvc.porcelain.points import read_contents
from mvc.porcelain.reading import History
from mvc.porcelain.results.logs import LogCommit, LogLineage
from mvc.porcelain.siblings import Teachers
from mvc.porcelain.workspace import Workspace
from mvc.report import colour


@dataclass(frozen=True)
class Stock:
    """``home`` is the number of each commit's lineage. ``notes`` gathers what was left out."""

    workspace: Workspace
    history: History
    lineages: Sequence[LogLineage]
    commits: Sequence[LogCommit]
    home: Sequence[int]
    notes: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, workspace: Workspace) -> Stock:
        history = History(workspace)
        lineages = history.lineages
        home = [number for number, row in enumerate(lineages) for _ in row.commits]
        return cls(workspace, history, lineages, [commit for row in lineages for commit in row.commits], home)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Commit → number."""
        return {commit.id: number for number, commit in enumerate(self.commits)}

    @cached_property
    def members(self) -> list[range]:
        """Numbers of each lineage's commits."""
        found, start = [], 0
        for row in self.lineages:
            found.append(range(start, start := start + len(row.commits)))
        return found

    @cached_property
    def contents(self) -> list[str]:
        """What names each commit's weights."""
        found = self.workspace.read(lambda c: read_contents(c, [commit.id for commit in self.commits]))
        return [found[commit.id] for commit in self.commits]

    @cached_property
    def architectures(self) -> dict[str, ArchitectureRow]:
        return {row.id: row for row in self.workspace.read(ArchitectureRow.select)}

    @cached_property
    def teachers(self) -> Teachers:
        return Teachers(self.workspace)

    def colour(self, commit: int) -> int:
        return colour(self.home[commit])

    def families(self) -> list[list[int]]:
        """Numbers of lineages that forks join, within one architecture; the most commits first."""
        number = {row.id: i for i, row in enumerate(self.lineages)}
        seen: set[int] = set()
        found = []
        for i, row in enumerate(self.lineages):
            if i not in seen:
                joined = self.history.connected([row])
                group = [number[one.id] for one in joined if one.architecture == row.architecture]
                group = sorted({i, *group} - seen)
                seen.update(group)
                found.append(group)
        return sorted(found, key=lambda group: -sum(len(self.members[i]) for i in group))
