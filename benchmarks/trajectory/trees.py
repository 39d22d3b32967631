"""How much of the truth is in a family's spanning tree, by metric, and which way off a fork is the host's.

    python -m benchmarks.trajectory.trees --data mnist.npz --cache DIR

On the forests of ``benchmarks.trajectory.forest``, families given. Prints a Markdown table: shares of true parents that
are edges of the tree under each candidate metric and under the one with the fewest leaves; and of true forks whose host
goes on where its step does, and where most checkpoints follow.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np

from benchmarks.trajectory.branching import Forest, grown
from benchmarks.trajectory.forest import IMAGES, POPULATIONS, plan
from mvc.papers.tables import table_head, table_row
from mvc.trajectory.forks import continuity
from mvc.trajectory.metrics import candidates, trajectory_tree
from mvc.trajectory.mst import Ints, minimum_spanning_tree
from mvc.trajectory.ordering import squared_distances

TITLES = ("forest", "metrics", "fewest leaves", "host by its step", "host by what follows")


def parents(forest: Forest) -> tuple[list[float], float]:
    """Shares of true parents in the trees of all candidates, and in the chosen tree."""
    family = np.array([run.family for run in forest.runs])[forest.run]
    right: list[list[int]] = []
    for one in np.unique(family):
        points = np.flatnonzero(family == one)
        vectors = forest.vectors(points).astype(np.float64)
        squares = squared_distances(vectors)
        true = {(int(p), int(forest.parent[p])) for p in points if forest.parent[p] >= 0}
        trees = [minimum_spanning_tree(distances)[0] for distances in candidates(vectors, squares)]
        right.append([_shared(points[edges], true) for edges in (*trees, trajectory_tree(vectors, squares).edges)])
    *each, chosen = (np.sum(right, axis=0) / int((forest.parent >= 0).sum())).tolist()
    return each, chosen


def _shared(edges: Ints, true: set[tuple[int, int]]) -> int:
    return sum((a, b) in true or (b, a) in true for a, b in edges.tolist())


def hosts(forest: Forest) -> tuple[float, float]:
    """Shares of forks inside a run whose host is named by continuity, and by the longest future."""
    children: dict[int, list[int]] = defaultdict(list)
    for point, parent in enumerate(forest.parent.tolist()):
        children[parent].append(point)
    weights = forest.weights.astype(np.float64)

    def height(point: int) -> int:
        return 1 + max((height(child) for child in children.get(point, ())), default=0)

    named = []
    for point, ways in list(children.items()):
        own = [way for way in ways if point >= 0 and forest.run[way] == forest.run[point]]
        if not own or len(ways) < 2 or forest.parent[point] < 0:
            continue
        step = weights[point] - weights[forest.parent[point]]
        by_step = max(ways, key=lambda way: continuity(step, weights[way] - weights[point]))
        named.append((by_step == own[0], max(ways, key=height) == own[0]))
    by_step, by_future = np.mean(named, axis=0).tolist()
    return by_step, by_future


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help=".npz or directory of IDX files")
    parser.add_argument("--cache", type=Path, default=Path("zoo-out"), help="where trained forests are kept")
    asked = parser.parse_args()
    print("\n".join(table_head(TITLES)))
    for name, card in POPULATIONS.items():
        forest = grown(card, plan(), images=IMAGES, data=asked.data, cache=asked.cache, what="forest")
        each, chosen = parents(forest)
        by_metric = ", ".join(f"{share:.2f}" for share in each)
        print(table_row((name, by_metric, f"{chosen:.3f}", *(f"{share:.2f}" for share in hosts(forest)))), flush=True)


if __name__ == "__main__":
    main()
