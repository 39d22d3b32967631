"""Which rules each commit breaks, so that the log can say it without judging anything. Owns what is judged by what.

As `check` does it: every point by its lineage before it, with other lineages of its architecture to say what is
normal. What a policy makes of a broken rule is not looked at here.
"""

from __future__ import annotations

import hashlib
from bisect import bisect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from mvc.drift.forecasts import Siblings
from mvc.drift.judging import HISTORY, STEP_RULES, judge_walk
from mvc.drift.walks import Layout
from mvc.index import CommitRow, LineageRow, Reader, WalkRow, chunked
from mvc.objects import ObjectId
from mvc.porcelain.walking import figures_of

__all__ = ["SIBLINGS", "STEP_RULES", "beside", "judge_walks", "root_contents", "taught"]

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


def root_contents(reader: Reader) -> dict[ObjectId, str]:
    """Lineage → the content of its root."""
    return {
        ObjectId(commit): content
        for piece in chunked(ObjectId(lineage) for (lineage,) in LineageRow.pick(reader, "id"))
        for commit, content in CommitRow.pick(reader, "id", "content", id=piece)
    }


def beside(own: str | None, walks: Mapping[str, WalkRow]) -> list[WalkRow]:
    """Walks that say what is normal for ``own``, a lineage by its root's content, None for one that is not there."""
    ring = ring_of({root: len(row.path) - row.before for root, row in walks.items()})
    return [walks[root] for root in siblings_of(own, ring)]


def taught(walks: Sequence[WalkRow], layout: Layout) -> Siblings | None:
    """What these walks teach."""
    return Siblings.of([figures_of(row, layout) for row in walks])


def judge_walks(
    walks: Sequence[WalkRow], roots: Mapping[ObjectId, str], layout: Layout
) -> Iterator[tuple[WalkRow, list[tuple[str, ...]]]]:
    """Walks of one architecture whose flags may not be those of the last time, and rules that each own point breaks."""
    known = {roots[row.lineage]: row for row in walks}
    for root, row in known.items():
        siblings = beside(root, known)
        judged = _digest([row, *siblings])
        if judged == row.judged or len(row.path) <= HISTORY:
            continue
        found = judge_walk(layout, figures_of(row, layout), siblings=taught(siblings, layout), start=row.before)
        yield replace(row, judged=judged), [tuple(f.rule for f in judgement.findings) for judgement in found]


def _digest(walks: Sequence[WalkRow]) -> str:
    parts = (part for row in walks for part in (f"{row.before} {len(row.figures)} ".encode(), row.figures))
    return hashlib.blake2b(b"".join(parts), digest_size=32).hexdigest()
