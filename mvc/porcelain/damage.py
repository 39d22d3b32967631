"""Damage to one checkpoint, and whether it is the one that it is said to be. Owns what a case is held against.

Commits stand in the index beside what they are judged by; a file is measured now, beside what it would follow.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import numpy as np

from mvc.drift import RULES, RuleFinding
from mvc.drift.integrity import state_findings
from mvc.drift.origins import follows
from mvc.errors import GoneError
from mvc.index import Reader
from mvc.porcelain.case import Case
from mvc.porcelain.ground import contents_of, point_of, stand
from mvc.porcelain.ledger import measure_state
from mvc.porcelain.reading import signature_distance
from mvc.porcelain.results.logs import LogCommit, LogLineage
from mvc.porcelain.stepping import reference
from mvc.trajectory.likeness import unlikeness

REPLAY, WRONG_RUN = "MVC009", "MVC010"


def integrity(case: Case) -> Iterator[RuleFinding]:
    """MVC009, MVC010 and MVC013 to MVC017 for a case; nothing for what has no trainable weights."""
    if not case.model.signatures:
        return
    damage = case.history.workspace.look_up(lambda reader: _damage_of_step(reader, case))
    yield from damage
    replay = list(_replay(case))
    yield from replay
    if not replay:
        yield from _wrong_run(case, damaged=bool(damage))


def _damage_of_step(reader: Reader, case: Case) -> tuple[RuleFinding, ...]:
    try:
        return _damage(reader, case)
    except GoneError:  # what it would be compared with was given up: its own values are looked at
        return state_findings(measure_state(point_of(case)))


def _damage(reader: Reader, case: Case) -> tuple[RuleFinding, ...]:
    ground = stand(reader, case)
    if ground is None:
        # the first model of its kind here
        return state_findings(measure_state(point_of(case)))
    ledger, point = ground.ledger, ground.point
    if case.no_step:
        return ()
    if case.commit is not None:
        standing = ledger.standing(point.content)
        if standing is not None:
            return ledger.findings(standing.before, point) if standing.rules else ()
    if ground.past:
        return ledger.judge(ground.past[-1], point)[1]
    # it starts a lineage: either on its own, or because damage upset every distance
    line = () if case.lineage is None else case.lineage.commits[1:]
    tips = [row.commits[-1] for row in case.history.alike(case.model)]
    tips = [row for row in tips if case.history.model(row.id).objects != case.model.objects]
    following = contents_of(reader, [row.id for row in line[:1]])
    others = {*contents_of(reader, [row.id for row in (*line, *tips)])} - {point.content, *following}
    previous = reference(reader, ground.architecture, point, following, sorted(others))
    return state_findings(measure_state(point)) if previous is None else ledger.judge(previous, point)[1]


def _replay(case: Case) -> Iterator[RuleFinding]:
    """A checkpoint that is said to follow one commit and is an older one."""
    claimed = case.follows if case.commit is None else None
    if case.commit is None:
        path = [] if claimed is None else _exact(case.history.trajectory(claimed))
        older, newest = path[:-1], path[-1:]
    else:
        older, newest = _declared_before(case)
    if not newest:
        return
    limit = RULES[REPLAY].limit or 0.0
    limit = case.limits.get(REPLAY, limit)
    found = _nearest_within(case, [*older, *newest], limit)
    if found is None or found[0] is newest[0]:
        return
    origin, steps = found
    behind = len(older) - older.index(origin)
    what = "are those of" if steps == 0 else "are all but those of"
    message = f"its weights {what} {_named(case, origin)}, {behind} before the one that it is said to follow"
    yield RuleFinding(REPLAY, message, steps, limit, 0.0)


def _declared_before(case: Case) -> tuple[list[LogCommit], list[LogCommit]]:
    """Commits of the lineage that are declared earlier than a commit, all but the last and the last."""
    own = case.placed
    if own is None or own.step is None or case.lineage is None:
        return [], []
    rows = _exact(case.history.trajectory(case.lineage.commits[-1].id))
    before = sorted(
        (row for row in rows if row.id != own.id and row.step is not None and row.step < own.step),
        key=lambda row: (row.step, row.position),
    )
    return before[:-1], before[-1:]


def _exact(rows: Iterable[LogCommit]) -> list[LogCommit]:
    """Without copies in another precision: their originals stand before them, a rounding error away, not a step."""
    return [row for row in rows if "precision" not in row.evidence]


def _nearest_within(case: Case, rows: Sequence[LogCommit], limit: float) -> tuple[LogCommit, float] | None:
    """The commit whose weights are within ``limit`` steps, and how many; the newest of equal ones."""
    models = case.history.models(row.id for row in rows)
    steps = [signature_distance(a, b) for a, b in pairwise(models)]
    best: tuple[LogCommit, float] | None = None
    for place, (row, model) in enumerate(zip(rows, models, strict=True)):
        beside = [step for step in steps[max(0, place - 1) : place + 1] if step > 0]
        away = signature_distance(model, case.model)
        if beside and away <= limit * min(beside) and (best is None or away / min(beside) <= best[1]):
            best = row, away / min(beside)
    return best


def _wrong_run(case: Case, *, damaged: bool) -> Iterator[RuleFinding]:
    """A checkpoint beside the run that it is said to belong to, and beside all others."""
    history = case.history
    own = _claimed(case)
    if not own:
        return
    mine = {row.id for row in own}
    trees = {_root(case, row.id) for row in own}
    # ends and roots stand for a lineage: whoever comes from its middle is like either
    others = [
        row.commits[-1]
        for row in history.alike(case.model)
        if _root(case, row.commits[0].id) not in trees or (case.named and not mine & {c.id for c in row.commits})
        if row.commits[-1].id != case.commit
    ]
    blocks = case.model.blocks()

    def unlike(rows: Iterable[LogCommit]) -> list[float]:
        vectors = [model.vector for model in history.models(row.id for row in rows)]
        return unlikeness(np.stack(vectors), case.model.vector, blocks).tolist() if vectors else []

    vectors = [model.vector for model in history.models(row.id for row in own)]
    steps = [float(unlikeness(a[None], b, blocks)[0]) for a, b in pairwise(vectors[-4:])]
    away = unlike(others)
    nearest = min(away, default=None)
    verdict = follows(min(unlike(own)), steps, nearest)
    if verdict == "other" and nearest is not None:
        row = history.lineage(others[away.index(nearest)].id)
        assert row is not None
        likeness = unlike(row.commits)
        origin = row.commits[likeness.index(min(likeness))]
        message = f"it goes on from {_named(case, origin)}, not from {_called(case, own[-1])}"
        yield RuleFinding(WRONG_RUN, message, min(unlike(own)), nearest, 0.0)
    elif verdict == "none" and not damaged:
        # where nothing was claimed the nearest lineage is as far as any other
        where = _called(case, own[-1]) if case.named or case.commit else "every lineage here"
        message = f"its weights are as far from {where} as a stranger's: it goes on from none of them"
        yield RuleFinding(WRONG_RUN, message, min(unlike(own)), 0.0, 0.0)


def _claimed(case: Case) -> list[LogCommit]:
    """Commits, in order, of the run that a case is said to go on with."""
    if case.commit is None:
        return list(case.past)
    own = case.placed
    if own is None or own.run is None:
        return []
    rows = [row for line in case.history.alike(case.model) for row in line.commits]
    return [row for row in rows if row.run == own.run and row.id != own.id]


def _root(case: Case, commit: str) -> str:
    path = case.history.trajectory(commit)
    return path[0].id if path else commit


def _named(case: Case, row: LogCommit) -> str:
    line = case.history.lineage(row.id)
    return row.id[:8] if line is None else f"{row.id[:8]} ({line.name}@{row.position})"


def _called(case: Case, row: LogCommit) -> str:
    line: LogLineage | None = case.history.lineage(row.id)
    return row.id[:8] if line is None else line.name
