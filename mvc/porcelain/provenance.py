"""What was declared of a commit, held against its weights: step, parent, run. Owns what is compared with what.

Declared facts win in the log; here is said where the weights surely speak against them. Files have nothing declared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from mvc.drift import RuleFinding
from mvc.drift.provenance import BACKWARDS, comparable, misplaced, nearer, runs_backwards, strangers
from mvc.objects import ObjectId
from mvc.porcelain.case import Case
from mvc.porcelain.permuted import UnitSearch
from mvc.porcelain.reading import History
from mvc.porcelain.results import LogCommit, LogLineage
from mvc.trajectory.kinship import SIGMAS
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
    rows.sort(key=lambda row: (row.step, row.position))
    path = _points(history, [row.id for row in rows])
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
    after = history.descendants(parent) | history.descendants(case.commit)
    told = own.direction.source == "declared" or own.direction.confidence >= _SURE
    others = [
        row.id
        for lineage in history.connected([own, theirs])
        for row in lineage.commits
        if row.id not in after and row.id != parent and (lineage is not own or told)
    ]
    limit = case.limit(PARENT)
    points = _points(history, [case.commit, parent, *others])
    found = nearer(points[0], points[1], points[2:], limit=limit)
    sigmas = _unrelated(case, [case.commit, parent, *others])
    if sigmas is not None:
        kin = "" if found is None else f"; they are nearer to {_named(history, others[found[0]])}"
        message = f"its weights have nothing in common with its declared parent {_named(history, parent)}{kin}"
        yield RuleFinding(PARENT, message, round(sigmas, 2), SIGMAS)
    elif found is not None:
        place, ratio = found
        message = (
            f"its weights do not come from its declared parent {_named(history, parent)}, which is "
            f"{ratio**0.5:.2g}× as far from them as {_named(history, others[place])}"
        )
        yield RuleFinding(PARENT, message, round(ratio, 2), limit)


def _run(case: Case, run: str) -> Iterator[RuleFinding]:
    """Of a declared run nobody is kin."""
    if case.commit is None:
        return
    rows = [row for lineage in case.history.alike(case.model) for row in lineage.commits]
    alike = [row.id for row in rows if row.run == run and row.id != case.commit and not row.mixture]
    others = [row.id for row in rows if row.run != run][:1]
    own, *points = _points(case.history, [case.commit, *alike])
    fellows = [fellow for fellow, point in zip(alike, points, strict=True) if comparable(own, point)]
    for fellow in fellows:
        if strangers(_points(case.history, [case.commit, fellow, *others]), case.model.blocks()) is None:
            return
    sigmas = _unrelated(case, [case.commit, fellows[-1], *others]) if fellows else None
    if sigmas is not None:
        message = f"its weights have nothing in common with the others of its declared run {run!r}"
        yield RuleFinding(PARENT, message, round(sigmas, 2), SIGMAS)


def _unrelated(case: Case, commits: Sequence[str]) -> float | None:
    """As `strangers` of the first commit, the case's, and the second; None also for kin with units in another order."""
    sigmas = strangers(_points(case.history, commits), case.model.blocks())
    if sigmas is None:
        return None
    units = UnitSearch.of(case.history, case.checkpoint, case.model, [commits[1]])
    return sigmas if units is None or (units.copy() is None and units.descendant() is None) else None


def _points(history: History, commits: Sequence[str]) -> Floats:
    """Signatures [n, k] of commits of one architecture."""
    return np.stack([model.vector for model in history.models(commits)]).astype(np.float64)


def _named(history: History, commit: str) -> str:
    """A commit as revisions name it."""
    row, placed = history.lineage(commit), history.placed(commit)
    return commit[:8] if row is None or placed is None else f"{row.name}@{placed.position}"
