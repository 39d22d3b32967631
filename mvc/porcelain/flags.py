"""Which rules each commit breaks, so that the log can say it without judging anything. Owns what is judged by what.

As `check` does it: every point by its lineage before it, with other lineages of its architecture to say what is
normal. What a policy makes of a broken rule is not looked at here.
"""

from __future__ import annotations

import hashlib
from bisect import bisect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, select

from mvc.drift import HISTORY, Normal, Steps, drift_steps, judge_steps
from mvc.index import CommitRow, LineageRow, WalkRow
from mvc.objects import ObjectId

NOT_FINITE = "MVC001"
#: siblings that say what is normal
SIBLINGS = 8


def ring_of(points: Mapping[str, int]) -> list[str]:
    """Lineages that are long enough to say what is normal; ``points``: lineage, by its root's content → how many."""
    return sorted(root for root, count in points.items() if count >= HISTORY)


def siblings_of(own: str | None, ring: Sequence[str]) -> list[str]:
    """Lineages that say what is normal for ``own``, None for one that is not there: the next ones round the ring.

    So where there are many, one that grows changes what is normal for a few others, not for all.
    """
    start = 0 if own is None else bisect(ring, own)
    following = (ring[(start + i) % len(ring)] for i in range(min(SIBLINGS + 1, len(ring))))
    return [root for root in following if root != own][:SIBLINGS]


def walk_of(lineage: LineageRow, path: npt.NDArray[np.float32]) -> WalkRow | None:
    """Steps of a lineage along ``path`` [m, k], its fork point first if it has one; None where it is too short."""
    if len(path) < HISTORY:
        return None
    steps = drift_steps(path)
    lengths, turns = (values.astype("<f8").tobytes() for values in (steps.log_lengths, steps.turns))
    return WalkRow(lineage.id, lineage.architecture, int(lineage.fork_commit is not None), lengths, turns, "")


def root_contents(connection: Connection) -> dict[ObjectId, str]:
    """Lineage → the content of its root."""
    lineages, commits = LineageRow.TABLE.c, CommitRow.TABLE.c
    rows = connection.execute(select(lineages.id, commits.content).where(lineages.id == commits.id))
    return dict(map(tuple, rows))


def judge_walks(
    walks: Sequence[WalkRow], roots: Mapping[ObjectId, str]
) -> Iterator[tuple[WalkRow, list[tuple[str, ...]]]]:
    """Walks of one architecture whose flags may not be those of the last time, and rules that each commit breaks."""
    known = {roots[row.lineage]: row for row in walks}
    # the host's steps before a fork say nothing of the steps after it
    own = {root: _steps(row, row.before) for root, row in known.items()}
    points = {root: len(steps.log_lengths) + 1 for root, steps in own.items()}
    ring = ring_of(points)
    for root, row in known.items():
        if points[root] + row.before <= HISTORY:
            continue
        siblings = siblings_of(root, ring)
        judged = _digest([row, *(known[sibling] for sibling in siblings)])
        if judged == row.judged:
            continue
        normal = Normal.of_steps(own[sibling] for sibling in siblings)
        found = judge_steps(_steps(row), siblings=normal, start=row.before)
        yield replace(row, judged=judged), [tuple(f.rule for f in judgement.findings) for judgement in found]


def _steps(row: WalkRow, start: int = 0) -> Steps:
    return Steps(np.frombuffer(row.lengths, "<f8")[start:], np.frombuffer(row.turns, "<f8")[start:])


def _digest(walks: Sequence[WalkRow]) -> str:
    parts = (part for row in walks for part in (f"{row.before} {len(row.lengths)} ".encode(), row.lengths, row.turns))
    return hashlib.blake2b(b"".join(parts), digest_size=32).hexdigest()
