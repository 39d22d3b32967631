"""Which rules each commit breaks, so that the log can say it without judging anything. Owns what is judged by what.

As `check` does it: every point by its lineage before it, with the other lineages of its architecture to say what is
normal. What a policy makes of a broken rule is not looked at here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mvc.drift import HISTORY, Normal, judge_all
from mvc.index import FlagRow
from mvc.objects import ObjectId

NOT_FINITE = "MVC001"
#: siblings that say what is normal, the longest first
SIBLINGS = 16


@dataclass(frozen=True)
class Walk:
    """One lineage: its commits in order, and the commit that it forked from."""

    id: ObjectId
    commits: Sequence[ObjectId]
    fork: ObjectId | None


def find_flags(
    walks: Sequence[Walk], vectors: Mapping[ObjectId, npt.NDArray[np.float32]], broken: Sequence[ObjectId]
) -> tuple[FlagRow, ...]:
    """Flags of one architecture's commits; ``broken`` are those with values that are not finite."""
    found = {FlagRow(commit, NOT_FINITE) for commit in broken}
    longest = sorted(walks, key=lambda walk: (-len(walk.commits), walk.id))[: SIBLINGS + 1]
    normal = {walk.id: Normal.of([_path(walk.commits, vectors)]) for walk in longest}
    for walk in walks:
        # as `check` does: the host's steps before a fork say nothing of the steps after it
        before = [] if walk.fork is None else [walk.fork]
        whole = [*before, *walk.commits]
        if len(whole) <= HISTORY:
            continue
        others = [normal[other.id] for other in longest if other.id != walk.id][:SIBLINGS]
        siblings = Normal(
            tuple(errors for other in others for errors in other.lengths),
            tuple(errors for other in others for errors in other.turns),
        )
        judged = judge_all(_path(whole, vectors), siblings=siblings, start=len(before))
        for commit, judgement in zip(walk.commits, judged, strict=True):
            found |= {FlagRow(commit, finding.rule) for finding in judgement.findings}
    return tuple(sorted(found, key=lambda row: (row.commit, row.rule)))


def _path(commits: Sequence[ObjectId], vectors: Mapping[ObjectId, npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
    return np.stack([vectors[commit] for commit in commits])
