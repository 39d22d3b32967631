"""Single linkage of many sketches: time, memory, and agreement with all distances where these can be had.

    python -m benchmarks.trajectory.scale --points 20000 --check
    python -m benchmarks.trajectory.scale --points 1000000
    python -m benchmarks.trajectory.scale --cache zoo-out

Synthetic populations: runs of about 50 checkpoints from independent initial points (some of a few checkpoints, some of
hundreds) along a smooth drift that is partly common to all, with noise in every step and steps that shrink; every
fifth run is forked off another; half a percent of the points are copies; the order is random. Purity is that of as
many lineages as there are families, by cutting the longest edges. ``--cache`` takes trained populations as
`populations` keeps them, projected to 64 numbers. ``--check`` also makes the tree by Prim's algorithm from exact
distances, row by row, and SciPy's linkage from all of them. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import cdist, pdist

from mvc.trajectory import minimum_spanning_tree, single_linkage

Singles = npt.NDArray[np.float32]
Ints = npt.NDArray[np.intp]
WIDTH = 64
HEADER = (
    "| population | points | groups | compared | s | CPU s | peak GB | agreement | heights off | SciPy s | purity |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|"
)


class Rows:
    """Exact distances [n, n], one row at a time."""

    def __init__(self, points: Singles) -> None:
        self.points = points.astype(np.float64)

    def __len__(self) -> int:
        return len(self.points)

    def __getitem__(self, row: int) -> npt.NDArray[np.float64]:
        found: npt.NDArray[np.float64] = cdist(self.points[row : row + 1], self.points)[0]
        return found


def population(n: int, *, seed: int = 0, length: int = 50) -> tuple[Singles, Ints]:
    """Sketches [n, WIDTH] and the family [n] of each: a run and all that was forked off it."""
    rng = np.random.default_rng(seed)
    common = rng.normal(size=WIDTH) / np.sqrt(WIDTH)
    points = np.empty((n, WIDTH), dtype=np.float32)
    family = np.empty(n, dtype=np.intp)
    at = families = 0
    while at < n:
        kind = rng.random()
        size = int(rng.integers(2, 8) if kind < 0.02 else rng.integers(200, 500) if kind < 0.03 else length)
        run = slice(at, min(at + size, n))
        if at and rng.random() < 0.2:
            host = int(rng.integers(at))
            start, family[run] = points[host].astype(np.float64), family[host]
        else:
            start, family[run] = rng.normal(size=WIDTH), families
            families += 1
        time_ = np.arange(1, run.stop - at + 1)[:, None]
        phase = time_ / len(time_) * np.pi / 2
        aims = rng.normal(size=(3, WIDTH)) / np.sqrt(WIDTH)
        steps = np.cos(phase) * aims[0] + np.sin(phase) * aims[1] + 0.3 * np.cos(3 * phase) * aims[2] + 0.3 * common
        steps += 0.3 * rng.normal(size=steps.shape) / np.sqrt(WIDTH)
        steps *= 0.5 * np.sqrt(WIDTH) * time_**-0.7 / np.linalg.norm(steps, axis=1, keepdims=True)
        points[run] = start + np.cumsum(steps, axis=0)
        at = run.stop
    copies = rng.choice(n, size=n // 200, replace=False)
    originals = rng.permutation(copies)
    points[copies], family[copies] = points[originals], family[originals]
    order = rng.permutation(n)
    return points[order], family[order]


def trained(cache: Path) -> Iterator[tuple[str, Singles]]:
    """Sketches of all trained checkpoints of one size together: weights [seeds, checkpoints, d], projected."""
    by_size: dict[int, list[npt.NDArray[np.float64]]] = {}
    for file in sorted(cache.glob("*.npz")):
        with np.load(file) as arrays:
            if "weights" in arrays and arrays["weights"].ndim == 3:
                size = arrays["weights"].shape[-1]
                by_size.setdefault(size, []).append(arrays["weights"].reshape(-1, size).astype(np.float64))
    for size, parts in by_size.items():
        rng = np.random.default_rng(0)
        sketches = np.concatenate(parts) @ rng.normal(size=(size, WIDTH)) / np.sqrt(WIDTH)
        yield f"trained, {size:,} weights", rng.permutation(sketches).astype(np.float32)


def measured(name: str, points: Singles, family: Ints | None, *, threads: int, check: bool) -> str:
    """One row of the table."""
    start, cpu = time.monotonic(), time.process_time()
    found = single_linkage(points, threads=threads)
    seconds, cpu = time.monotonic() - start, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    share = found.compared / (len(points) * (len(points) - 1) / 2)
    agreement = off = scipys = right = "–"
    if family is not None:
        labels, _, _ = found.lineages(float(found.weights[-len(np.unique(family))]))
        right = f"{purity(labels, family):.4f}"
    if check:
        edges, weights = minimum_spanning_tree(Rows(points))  # type: ignore[arg-type]
        ours, theirs = ({(int(a), int(b)) for a, b in tree} for tree in (found.edges, edges))
        agreement = f"{len(ours & theirs) / len(theirs):.5f}"
        off = f"{np.abs(found.weights / np.where(weights, weights, 1) - (weights > 0)).max():.1e}"
        start = time.monotonic()
        linkage(pdist(points.astype(np.float64)), "single")
        scipys = f"{time.monotonic() - start:.1f}"
    return (
        f"| {name} | {len(points):,} | {found.groups:,} | {share:.2%} | {seconds:.1f} | {cpu:.1f} | {peak:.2f} "
        f"| {agreement} | {off} | {scipys} | {right} |"
    )


def purity(labels: Ints, family: Ints) -> float:
    """Share of points whose family is the commonest in their cluster."""
    pairs, counts = np.unique(np.stack([labels, family], axis=1), axis=0, return_counts=True)
    most = np.zeros(labels.max() + 1, dtype=np.intp)
    np.maximum.at(most, pairs[:, 0], counts)
    return float(most.sum() / len(labels))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, nargs="*", default=[])
    parser.add_argument("--length", type=int, default=50, help="checkpoints of a usual run; 1 for strangers only")
    parser.add_argument("--cache", type=Path, help="directory of trained populations")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--check", action="store_true")
    asked = parser.parse_args()
    print(HEADER, flush=True)
    for n in asked.points:
        points, family = population(n, length=asked.length)
        print(measured(f"runs of {asked.length}", points, family, threads=asked.threads, check=asked.check), flush=True)
    for name, points in trained(asked.cache) if asked.cache else []:
        print(measured(name, points, None, threads=asked.threads, check=True), flush=True)


if __name__ == "__main__":
    main()
