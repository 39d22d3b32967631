"""What one more commit costs: distances to all sketches, the new tree, and what is read off it.

    OMP_NUM_THREADS=1 python -m benchmarks.trajectory.insertion --points 2000 20000 100000

Inserts checkpoints of each kind into the single-linkage tree of a synthetic population (`scale`), one after another,
and compares the tree at the end with that of all points at once. Times are milliseconds: median and best by the wall
clock, and median of the processor's, which is what the engine needs where others use the machine too. SciPy's linkage
has no insertion; its row is the batch that it would take, where its n² / 2 distances fit. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping

import numpy as np
from scipy.cluster.hierarchy import linkage as scipy_linkage
from scipy.spatial.distance import pdist

from benchmarks.trajectory.scale import Singles, population
from mvc.trajectory import distances_from, insert, linkage, single_linkage
from mvc.trajectory.mst import components

#: n² / 2 distances of eight bytes are held by SciPy; more points than that are not tried
SCIPY_MOST = 20_000
KINDS: Mapping[str, Callable[[Singles, np.random.Generator], Singles]] = {
    "next checkpoint": lambda points, rng: points[rng.integers(len(points))] + 0.02 * _normal(rng),
    "fork": lambda points, rng: points[rng.integers(len(points))] + 0.5 * _normal(rng),
    "stranger": lambda points, rng: _normal(rng),
    "copy": lambda points, rng: points[rng.integers(len(points))],
}


def _normal(rng: np.random.Generator) -> Singles:
    return rng.normal(size=64).astype(np.float32)


class Clock:
    """Milliseconds by the wall clock and of the processor, of each passage through a ``with``."""

    def __init__(self) -> None:
        self.times: list[tuple[float, float]] = []

    def __enter__(self) -> None:
        self.start = time.perf_counter(), time.process_time()

    def __exit__(self, *_: object) -> None:
        self.times.append(((time.perf_counter() - self.start[0]) * 1e3, (time.process_time() - self.start[1]) * 1e3))

    def __str__(self) -> str:
        (wall, cpu), (best, _) = np.median(self.times, axis=0), np.min(self.times, axis=0)
        return f"{wall:.1f} / {best:.1f} / {cpu:.1f}"


def measured(n: int, each: int) -> list[str]:
    """Rows of the table for n points and ``each`` insertions of every kind."""
    rng = np.random.default_rng(1)
    points, _ = population(n)
    tree = single_linkage(points)
    edges, weights = tree.edges, tree.weights
    rows = []
    reading = {"linkage": Clock(), "components": Clock()}
    for kind, make in KINDS.items():
        distance, new_tree, both = Clock(), Clock(), Clock()
        for _ in range(each):
            point = make(points, rng)
            with both:
                with distance:
                    distances = distances_from(point, points)
                with new_tree:
                    edges, weights = insert(edges, weights, distances)
            points = np.vstack([points, point])
        rows.append(f"| {len(points):,} | {kind} | {distance} | {new_tree} | {both} |  |")
    for _ in range(3):
        with reading["linkage"]:
            linkage(edges, weights)
        with reading["components"]:
            components(len(points), edges[: len(edges) * 49 // 50])
    rows += [f"| {len(points):,} | {what} of the tree |  |  | {clock} |  |" for what, clock in reading.items()]
    whole = single_linkage(points)
    same = np.array_equal(whole.edges, edges) and np.array_equal(whole.weights, weights)
    rows.append(
        f"| {len(points):,} | all at once, by groups |  |  |  | {'the same tree' if same else 'ANOTHER TREE'} |"
    )
    if n <= SCIPY_MOST:
        batch = Clock()
        with batch:
            scipys = scipy_linkage(pdist(points.astype(np.float64)), "single")
        heights = linkage(edges, weights)[:, 2]
        off = f"{np.abs(heights - scipys[:, 2]).max():.1e}"
        rows.append(f"| {len(points):,} | all at once, SciPy |  |  | {batch} | heights within {off} |")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, nargs="*", default=[2_000, 20_000, 100_000])
    parser.add_argument("--each", type=int, default=10, help="insertions of each kind")
    asked = parser.parse_args()
    print("| points | what | distances | tree | both | parity |\n|---|---|---|---|---|---|")
    for n in asked.points:
        print("\n".join(measured(n, asked.each)), flush=True)


if __name__ == "__main__":
    main()
