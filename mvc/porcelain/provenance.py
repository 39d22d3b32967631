"""What was declared of a commit, held against its weights: step, parent, run. Owns what is compared with what.

Declared facts win in the log; here is said where the weights surely speak against them. Files have nothing declared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from mvc.drift import RuleFinding
from mvc.drift.provenance import BACKWARDS, comparable, misplaced, nearer, runs_backwards, strangers
from mvc.objects import ObjectId
from mvc.porcelain.case import Case
from mvc.porcelain.permuted import UnitSearch
from mvc.porcelain.reading import History
from mvc.porcelain.results.logs import LogCommit, LogLineage
from mvc.trajectory import Block
from mvc.trajectory.kinship import SIGMAS, telling, varying
from mvc.trajectory.mst import Floats
from mvc.trajectory.ordering import squared_distances

STEP, PARENT = "MVC018", "MVC019"
#: confidence of a lineage's direction from which its earlier checkpoints count as earlier
_SURE = 0.99


def step_contradicts_order(case: Case) -> Iterator[RuleFinding]:
    """A declared step that is not where the weights stand among the lineage's other declared steps."""
    if case.placed is None or case.placed.step is None or case.lineage is None:
        return
    lineage = case.lineage
    found = case.history.remembered((STEP, lineage.id), lambda: _doubts(case.history, lineage, case.limit(STEP)))
    if case.placed.id in found:
        yield found[case.placed.id]


def _doubts(history: History, lineage: LogLineage, limit: float) -> dict[str, RuleFinding]:
    """Commit → what is wrong with its step, of one lineage."""
    rows = [row for row in lineage.commits if row.step is not None and row.relation != "copies"]
    if not rows:  # a copy alone says at which step it was made
        return {}
    rows.sort(key=lambda row: (row.step, row.position))
    path = np.stack([model.vector for model in history.models(row.id for row in rows)]).astype(np.float64)
    blocks = history.model(rows[0].id).blocks()
    found: dict[str, RuleFinding] = {}
    for item in misplaced(squared_distances(path), limit):
        row = rows[item.point]
        where = _between(*(None if i is None else rows[i] for i in (item.after, item.before)))
        message = f"declared as step {row.step:g}, but by its weights it stands {where}"
        found[row.id] = RuleFinding(STEP, message, round(item.gain, 2), limit)
    right = [i for i, row in enumerate(rows) if row.id not in found]
    sure = runs_backwards(path[right], blocks, forked=lineage.forked_from is not None)
    if sure is not None:
        # of the lineage as a whole, so it is said once, where it ends
        message = f"the declared steps of its lineage run against time as the weights tell it ({100 * sure:.1f} % sure)"
        found[rows[right[-1]].id] = RuleFinding(STEP, message, round(sure, 4), BACKWARDS)
    return found


def _between(after: LogCommit | None, before: LogCommit | None) -> str:
    if after is None or before is None:
        return f"before step {before.step:g}" if before is not None else f"after step {after.step:g}" if after else ""
    return f"between steps {after.step:g} and {before.step:g}"


def parent_contradicts_lineage(case: Case) -> Iterator[RuleFinding]:
    """A declared parent or run that the weights do not come from."""
    if case.commit is None or case.placed is None or case.placed.mixture:
        return
    facts = case.history.workspace.repository.commit(ObjectId(case.commit))
    if facts.parent is not None:
        yield from _parent(case, facts.parent)
    if facts.run is not None:
        yield from _run(case, facts.run)


def _parent(case: Case, parent: str) -> Iterator[RuleFinding]:
    history, own, theirs = case.history, case.lineage, case.history.lineage(parent)
    if case.commit is None or own is None or theirs is None or own.architecture != theirs.architecture:
        return
    lineages = history.connected([own, theirs])
    points = _points_of(history, [row.id for lineage in lineages for row in lineage.commits])
    after = history.descendants(parent) | history.descendants(case.commit)
    told = own.direction.source == "declared" or own.direction.confidence >= _SURE
    others = [
        points.place[row.id]
        for lineage in lineages
        for row in lineage.commits
        if row.id not in after and row.id != parent and (lineage is not own or told)
    ]
    limit = case.limit(PARENT)
    found = nearer(points.squares(case.commit), points.place[parent], others, limit)
    sigmas = _unrelated(case, points, parent)
    if sigmas is not None:
        kin = "" if found is None else f"; they are nearer to {_named(history, points.commits[found[0]])}"
        message = f"its weights have nothing in common with its declared parent {_named(history, parent)}{kin}"
        yield RuleFinding(PARENT, message, round(sigmas, 2), SIGMAS)
    elif found is not None:
        place, ratio = found
        message = (
            f"its weights do not come from its declared parent {_named(history, parent)}, which is "
            f"{ratio**0.5:.2g}× as far from them as {_named(history, points.commits[place])}"
        )
        yield RuleFinding(PARENT, message, round(ratio, 2), limit)


def _run(case: Case, run: str) -> Iterator[RuleFinding]:
    """Of a declared run nobody is kin."""
    rows = [row for lineage in case.history.alike(case.model) for row in lineage.commits]
    points = _points_of(case.history, [row.id for row in rows if row.run == run and not row.mixture])
    if case.commit is None or case.commit not in points.place:
        return
    own = points.of(case.commit)
    fellows = [fellow for fellow in points.commits if fellow != case.commit and comparable(own, points.of(fellow))]
    if not fellows or any(strangers(own, points.of(fellow), points.telling) is None for fellow in fellows):
        return
    sigmas = _unrelated(case, points, fellows[-1])
    if sigmas is not None:
        message = f"its weights have nothing in common with the others of its declared run {run!r}"
        yield RuleFinding(PARENT, message, round(sigmas, 2), SIGMAS)


def _unrelated(case: Case, points: _Points, other: str) -> float | None:
    """As `strangers` of the case's commit and the other; None also for kin with units in another order."""
    assert case.commit is not None
    sigmas = strangers(points.of(case.commit), points.of(other), points.telling)
    if sigmas is None:
        return None
    units = UnitSearch.of(case.history, case.checkpoint, case.model, [other])
    return sigmas if units is None or (units.copy() is None and units.descendant() is None) else None


@dataclass(frozen=True)
class _Points:
    """Signatures [n, k] of commits of one architecture, and the blocks of them that tell kin from strangers."""

    commits: Sequence[str]
    vectors: npt.NDArray[np.float32]
    telling: tuple[Block, ...]

    @cached_property
    def place(self) -> dict[str, int]:
        return {commit: place for place, commit in enumerate(self.commits)}

    def of(self, commit: str) -> Floats:
        point: Floats = self.vectors[self.place[commit]].astype(np.float64)
        return point

    def squares(self, commit: str) -> Floats:
        """Squared distances [n] from one of them to all."""
        away = self.vectors - self.vectors[self.place[commit]]
        squares: Floats = np.einsum("ij,ij->i", away, away).astype(np.float64)
        return squares


def _points_of(history: History, commits: Sequence[str]) -> _Points:
    """Put together once, however many of these commits are judged."""

    def read() -> _Points:
        models = history.models(commits)
        if not models:
            return _Points((), np.empty((0, 0), np.float32), ())
        vectors, blocks = np.stack([model.vector for model in models]), models[0].blocks()
        return _Points(commits, vectors, tuple(blocks[i] for i in telling(blocks, varying(vectors, blocks))))

    return history.remembered((PARENT, *commits), read)


def _named(history: History, commit: str) -> str:
    """A commit as revisions name it."""
    row, placed = history.lineage(commit), history.placed(commit)
    return commit[:8] if row is None or placed is None else f"{row.name}@{placed.position}"
