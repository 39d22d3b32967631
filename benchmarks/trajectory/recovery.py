"""How much of a population inference recovers when its checkpoints are thrown together, the number of runs not given.

    python -m benchmarks.trajectory.recovery --data mnist.npz

Prints a Markdown table: runs found of runs there, purity by checkpoints, adjacent pairs in order up to reversal (mean
and worst run), directions stated and right.
"""

from __future__ import annotations

import time

import numpy as np

from benchmarks.trajectory.populations import arguments, trained
from mvc.trajectory import Declared, Population, infer


def main() -> None:
    asked = arguments(__doc__ or "")
    titles = (
        "population",
        "points",
        "runs found / there",
        "purity",
        "pairs: mean, worst",
        "direction right / stated",
        "s",
    )
    print("| " + " | ".join(titles) + " |")
    print("|" + "---|" * len(titles))
    for name in asked.only:
        population = trained(name, asked.data, asked.cache)
        seeds, length = population.weights.shape[:2]
        vectors = np.concatenate([population.vectors(seed) for seed in range(seeds)])
        shuffled = np.random.default_rng(0).permutation(len(vectors))
        run, place = np.divmod(shuffled, length)
        keys = tuple(f"{i:06d}" for i in range(len(vectors)))
        start = time.monotonic()
        found = infer(Population(keys, vectors[shuffled], population.blocks(), (Declared(),) * len(keys)))
        seconds = time.monotonic() - start
        pure, adjacent, right, stated = 0, {}, 0, 0
        for lineage in found.lineages:
            members = np.array(lineage.members)
            names, counts = np.unique(run[members], return_counts=True)
            pure += int(counts.max())
            owner = int(names[counts.argmax()])
            places = place[members]
            pairs = int(((np.abs(np.diff(places)) == 1) & (run[members][1:] == run[members][:-1])).sum())
            adjacent[owner] = max(adjacent.get(owner, 0.0), pairs / (length - 1))
            if lineage.direction.source == "weights" and len(members) > 1:
                stated += 1
                right += int(places[0] < places[-1])
        rates = [adjacent.get(seed, 0.0) for seed in range(seeds)]
        print(
            f"| {name} | {len(keys)} | {len(found.lineages)} / {seeds} | {pure / len(keys):.3f} "
            f"| {np.mean(rates):.3f}, {min(rates):.2f} | {right} / {stated} | {seconds:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
