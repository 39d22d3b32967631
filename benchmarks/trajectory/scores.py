"""How right an inferred forest is: runs, parents, fork checkpoints, directions, and what stated confidences are worth.

Which of two branches goes on as the host is a matter of taste. So the truth is renamed before runs are compared: at
every fork checkpoint the incoming run may go on in any of the segments that leave it, namely in the one that the
inferred lineage followed. Trees, fork checkpoints and all points stay as they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from sklearn.metrics import adjusted_rand_score

from benchmarks.trajectory.branching import Forest
from mvc.trajectory import Inference
from mvc.trajectory.departures import fork_point
from mvc.trajectory.mst import Ints

BINS = (0.0, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)


@dataclass
class Thread:
    """A run after renaming: its points in order, the kind of fork it began with and the point it left (−1: a root)."""

    kind: str
    left: int
    points: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Judged:
    """A thread and the lineage that was found for it (−1: none owns it), and what is right about that."""

    thread: Thread
    lineage: int
    whole: bool
    parent_run: bool
    exact: bool
    within_one: bool


@dataclass(frozen=True)
class Scores:
    """``threads`` of true forks, judged; ``stated``: confidence and truth of inferred forks; the rest are rates."""

    threads: Sequence[Judged]
    stated: Sequence[tuple[float, bool]]
    roots: int
    purity: float
    ari: float
    ari_renamed: float
    parents: float
    directions: float
    first_points: float

    def f1(self) -> float:
        """Of the edges run → parent run; an inferred edge is right once."""
        right = sum(one.parent_run for one in self.threads)
        return 2 * right / max(len(self.threads) + len(self.stated), 1)


def threads(forest: Forest, label: Ints) -> list[Thread]:
    """The forest's runs under the names that ``label`` [n], the lineage of each point, agrees with best."""
    children: list[list[int]] = [[] for _ in forest.parent]
    for point, parent in enumerate(forest.parent):
        if parent >= 0:
            children[parent].append(point)
    found: list[Thread] = []
    waiting = [("root", -1, int(point)) for point in np.flatnonzero(forest.parent < 0)]
    while waiting:
        kind, left, point = waiting.pop(0)
        thread = Thread(kind, left)
        found.append(thread)
        segment = _segment(children, point)
        while segment:
            thread.points += segment
            names = Counter(label[segment].tolist())
            name = max(names, key=lambda one: (names[one], one))
            ways = [_segment(children, child) for child in children[segment[-1]]]
            if not ways:
                break
            # the host's own next point was listed first, so it stays the host where nothing speaks against it
            segment = max(ways, key=lambda way: int((label[way] == name).sum()))
            taken = forest.runs[int(forest.run[segment[0]])].kind
            for way in ways:
                if way is not segment:
                    own = forest.run[way[0]] == forest.run[thread.points[-1]]
                    waiting.append(
                        (taken if own else forest.runs[int(forest.run[way[0]])].kind, thread.points[-1], way[0])
                    )
    return found


def _segment(children: Sequence[Sequence[int]], point: int) -> list[int]:
    """Points from this one to the next fork checkpoint or the end."""
    segment = [point]
    while len(children[segment[-1]]) == 1:
        segment.append(children[segment[-1]][0])
    return segment


def judge(forest: Forest, found: Inference, order: Ints) -> tuple[Scores, list[list[int]]]:
    """Scores of an inference of the forest's points ``order`` [n], and its lineages as points of the forest."""
    lineages = [order[list(lineage.members)].tolist() for lineage in found.lineages]
    label = np.empty(len(order), dtype=np.intp)
    for number, members in enumerate(lineages):
        label[members] = number
    runs = threads(forest, label)
    home = np.empty(len(order), dtype=np.intp)
    for number, thread in enumerate(runs):
        home[thread.points] = number
    owners = [Counter(home[members].tolist()).most_common(1)[0] for members in lineages]
    forks = [-1 if lineage.fork is None else int(order[lineage.fork.parent]) for lineage in found.lineages]
    best = {owner: number for number, (owner, _) in sorted(enumerate(owners), key=lambda item: item[1][1])}
    judged = []
    for number, thread in enumerate(runs):
        if thread.left < 0:
            continue
        lineage = best.get(number, -1)
        at = forks[lineage] if lineage >= 0 else -1
        beside = at >= 0 and (at == forest.parent[thread.left] or forest.parent[at] == thread.left)
        judged.append(
            Judged(
                thread,
                lineage,
                lineage >= 0 and set(lineages[lineage]) == set(thread.points),
                at >= 0 and bool(home[at] == home[thread.left]),
                at == thread.left,
                at == thread.left or (beside and at not in thread.points),
            )
        )
    exact = {one.lineage for one in judged if one.exact}
    stated = [
        (lineage.fork.confidence, number in exact) for number, lineage in enumerate(found.lineages) if lineage.fork
    ]
    true = {p.point: int(forest.parent[order[p.point]]) for p in found.placements}
    parents = [(-1 if p.parent is None else order[p.parent]) == true[p.point] for p in found.placements]
    tree = _trees(found, forks, label)[label]
    family = np.array([run.family for run in forest.runs])[forest.run]
    depth = _depths(forest)
    # a family's root is that of the inferred tree which holds most of it
    first = [lineages[Counter(tree[family == one].tolist()).most_common(1)[0][0]] for one in np.unique(family)]
    scores = Scores(
        threads=judged,
        stated=stated,
        roots=len(np.unique(tree)),
        purity=sum(int(np.bincount(family[tree == one]).max()) for one in np.unique(tree)) / len(order),
        ari=float(adjusted_rand_score(forest.run, label)),
        ari_renamed=float(adjusted_rand_score(home, label)),
        parents=float(np.mean(parents)),
        directions=float(np.mean([_rises(depth[members]) for members in first])),
        first_points=float(np.mean([forest.parent[members[0]] < 0 for members in first])),
    )
    return scores, lineages


def _trees(found: Inference, forks: Sequence[int], label: Ints) -> Ints:
    """Root lineage of each lineage."""
    tree = np.arange(len(found.lineages))
    for number in range(len(tree)):
        seen = {number}
        while forks[tree[number]] >= 0 and int(label[forks[tree[number]]]) not in seen:
            tree[number] = label[forks[tree[number]]]
            seen.add(int(tree[number]))
    return tree


def _depths(forest: Forest) -> Ints:
    """Checkpoints between each point and its root's first."""
    depth = np.zeros(len(forest.parent), dtype=np.intp)
    for point, parent in enumerate(forest.parent):
        if parent >= 0:
            depth[point] = depth[parent] + 1
    return depth


def _rises(depth: Ints) -> bool:
    """Whether time runs forward along most of a lineage."""
    return bool(np.sign(np.subtract.outer(depth, depth))[np.tril_indices(len(depth), -1)].sum() > 0)


def told(forest: Forest, number: int) -> tuple[int, float]:
    """The fork rule's answer and confidence where the branch is known: host and branch are whole runs."""
    run = forest.runs[number]
    assert run.parent is not None
    host, branch = (forest.vectors(forest.path(one)).astype(np.float64) for one in (run.parent, number))
    at, stated, _ = fork_point(host, branch, forest.blocks())
    return at, stated


def calibration(stated: Sequence[tuple[float, bool]]) -> str:
    """Markdown table of stated confidence against observed truth, in bins of what was stated."""
    lines = ["| stated | forks | mean stated | right |", "|---|---|---|---|"]
    for low, high in pairwise(BINS):
        inside = [one for one in stated if low <= one[0] < high or (one[0] == high == 1.0)]
        if inside:
            said, right = np.mean(inside, axis=0)
            lines.append(f"| {low:.2f}–{high:.2f} | {len(inside)} | {said:.2f} | {right:.2f} |")
    return "\n".join(lines)
