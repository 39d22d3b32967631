"""Runs of different optimisers and lengths, mixed in one repository: told nothing, which runs are found?

    python -m benchmarks.trajectory.mixed --data mnist.npz

All runs have the same architecture, and each its own initial weights: one run a seed, by another optimiser each, in
every rotation. Each is cut to a random length of at least five checkpoints from a random start, so some begin untrained
and some do not; ``sparse`` keeps only every third checkpoint of half of the runs. Last, all optimisers' runs at once,
of which five each begin from the same initial weights: what begins untrained is a fork there, and what does not is not.
Prints a Markdown table, six mixtures in each row, summed; the worst run's pairs are the worst of all six.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from benchmarks.trajectory.populations import Trained, arguments, trained
from mvc.papers.lineages.engine import judge
from mvc.papers.lineages.outcome import EngineScores
from mvc.papers.tables import table_head, table_row

#: populations whose weights have the same names and shapes
SHARED = ("relu-sgd", "relu-sgd-growing", "relu-adam", "relu-adamw-cosine", "tanh-sgd-restarts")
SHORTEST = 5
MIXTURES = 6

Run = tuple[Trained, int]


def main() -> None:
    asked = arguments(__doc__ or "")
    populations = [trained(name, asked.data, asked.cache) for name in SHARED]
    seeds = range(len(populations[0].weights))
    titles = ("runs", "cut", "points", "runs found / there", "count exact", "purity", "pairs: mean, worst")
    print("\n".join(table_head((*titles, "direction right / stated"))))
    for what in ("own beginnings", "the same beginnings"):
        for sparse in (False, True):
            found = []
            for number in range(MIXTURES):
                own = [(populations[(seed + number) % len(populations)], seed) for seed in seeds]
                alike = [(population, seed) for population in populations for seed in seeds]
                random = np.random.default_rng(number)
                found.append(mixture(own if what == "own beginnings" else alike, random, sparse=sparse))
            print(table_row((what, "sparse" if sparse else "dense", *_summed(found))), flush=True)


def mixture(runs: Sequence[Run], random: np.random.Generator, *, sparse: bool) -> EngineScores:
    """Inference on these runs, each cut to some of its checkpoints, thrown together."""
    vectors: list[npt.NDArray[np.float32]] = []
    truth: list[npt.NDArray[np.intp]] = []
    for number, (population, seed) in enumerate(runs):
        kept = _cut(len(population.weights[seed]), random, every=3 if sparse and random.random() < 0.5 else 1)
        vectors.append(population.vectors(seed)[kept])
        truth.append(np.stack([np.full(len(kept), number), np.arange(len(kept))], axis=1))
    return judge(np.concatenate(vectors), runs[0][0].blocks(), np.concatenate(truth), initial=True)


def _cut(length: int, random: np.random.Generator, *, every: int) -> npt.NDArray[np.intp]:
    """Which checkpoints of a run are kept: from a random start (half of the time the first) for a random length."""
    span = SHORTEST * every
    first = 0 if random.random() < 0.5 else int(random.integers(0, length - span + 1))
    last = int(random.integers(first + span, length + 1))
    return np.arange(first, last, every)


def _summed(found: Sequence[EngineScores]) -> tuple[str, ...]:
    points = sum(one.points for one in found)
    return (
        f"{points:,}",
        f"{sum(one.runs_found for one in found)} / {sum(one.runs for one in found)}",
        f"{sum(one.runs_found == one.runs for one in found)} / {len(found)}",
        f"{sum(one.purity * one.points for one in found) / points:.3f}",
        f"{np.mean([one.pairs_mean for one in found]):.3f}, {min(one.pairs_worst for one in found):.2f}",
        f"{sum(one.directions_right for one in found)} / {sum(one.directions_stated for one in found)}",
    )


if __name__ == "__main__":
    main()
