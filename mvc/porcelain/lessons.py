"""What of a repository an embedder learns from. Owns the choice of lineages, and of as many commits of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mvc.errors import InputError
from mvc.porcelain.reading import History
from mvc.porcelain.results.logs import LogLineage
from mvc.porcelain.revisions import resolve_lineage
from mvc.porcelain.workspace import Workspace

#: fewer lineages or checkpoints teach nothing that other lineages share
FEWEST_LINEAGES, FEWEST_CHECKPOINTS = 4, 32
#: values that are held in memory at most
LARGEST = 1 << 28


@dataclass(frozen=True)
class Lessons:
    """``lineages``: as many commits of each, in their order. ``shapes`` are those of the architecture's tensors."""

    architecture: str
    shapes: dict[str, tuple[int, ...]]
    lineages: tuple[tuple[str, ...], ...]

    @property
    def commits(self) -> list[str]:
        return [commit for lineage in self.lineages for commit in lineage]


def choose_lineages(workspace: Workspace, history: History, names: Sequence[str]) -> list[LogLineage]:
    """The lineages named; else all of the one architecture that has enough to learn from."""
    if names:
        ids = {resolve_lineage(workspace, name).id for name in names}
        found = [row for row in history.lineages if row.id in ids]
        if len({row.architecture for row in found}) > 1:
            raise InputError(
                "these lineages are of several architectures, and an embedder is for one",
                hint="name lineages of one architecture with --from",
            )
        return found
    groups: dict[str, list[LogLineage]] = {}
    for row in history.lineages:
        groups.setdefault(row.architecture, []).append(row)
    enough = [rows for rows in groups.values() if _enough(history, rows)]
    if len(enough) > 1:
        first = ", ".join(rows[0].name for rows in enough)
        raise InputError(
            f"{len(enough)} architectures have lineages to learn from, and an embedder is for one",
            hint=f"name lineages of one of them with --from (one of each: {first})",
        )
    return enough[0] if enough else max(groups.values(), key=len, default=[])


def _enough(history: History, rows: Sequence[LogLineage]) -> bool:
    return _most(_paths(history, rows)) > 0


def _most(paths: Sequence[Sequence[str]]) -> int:
    """How many lineages to learn from, the longest first, so that as many points of each are most; 0: too few."""
    lengths = sorted(map(len, paths), reverse=True)
    sizes = [(count * length, count) for count, length in enumerate(lengths, 1) if count >= FEWEST_LINEAGES]
    points, lineages = max(sizes, default=(0, 0))
    return lineages if points >= FEWEST_CHECKPOINTS else 0


def _paths(history: History, rows: Sequence[LogLineage]) -> list[list[str]]:
    """Commits of each lineage that are points of its training, all their values finite."""
    own = [[commit.id for commit in row.commits if commit.relation not in ("copies", "mixes")] for row in rows]
    known = {commit: point for path in own for commit, point in zip(path, history.points(path), strict=True)}
    sound = {
        commit
        for commit, point in known.items()
        if point.signatures and not any(one.nonfinite for one in point.signatures.values())
    }
    return [[commit for commit in path if commit in sound] for path in own]


def lessons_of(history: History, rows: Sequence[LogLineage]) -> Lessons:
    """As many commits of each lineage, spread evenly over it. Of all counts the one that leaves out fewest commits;
    lineages with fewer are left out. Raises InputError where that is too little to learn from, or too much to hold."""
    paths = sorted(filter(None, _paths(history, rows)), key=lambda path: (-len(path), path[0]))
    lineages = _most(paths)
    if not lineages:
        points, several = sum(map(len, paths)), len(paths) != 1
        raise InputError(
            f"too little to learn from: {points} checkpoint{'s'[: points != 1]} in {len(paths)} lineage{'s'[:several]}",
            hint=f"commit at least {FEWEST_CHECKPOINTS} in {FEWEST_LINEAGES} lineages of about equal length first",
            code="too-little",
        )
    model = history.model(paths[0][0])
    shapes = {name: model.specs[name].shape for name in sorted(model.signatures)}
    values = sum(model.specs[name].numel for name in shapes)
    points = min(len(paths[lineages - 1]), LARGEST // (values * lineages))
    if points < 1:
        raise InputError(
            f"{lineages} lineages of models of {values:,} values are more than can be held at once",
            hint="name fewer with --from",
        )
    spread = [np.linspace(0, len(path) - 1, points).round().astype(int) for path in paths[:lineages]]
    chosen = [tuple(path[i] for i in places) for path, places in zip(paths, spread, strict=False)]
    # by id: which ones are held out has nothing to do with their length
    return Lessons(model.architecture, shapes, tuple(sorted(chosen)))
