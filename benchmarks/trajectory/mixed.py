"""Runs of different optimisers and lengths, mixed in one repository: told nothing, which runs are found?

    python -m benchmarks.trajectory.mixed --data mnist.npz

All runs have the same architecture, and each its own initial weights. Each is cut to a random length of at least five
checkpoints from a random start, so some begin untrained and some do not; ``sparse`` keeps only every third checkpoint
of half of the runs. Prints a Markdown table: each optimiser's runs, all together, and all where every optimiser began
from the same six initial weights, so that what begins untrained is a fork.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from benchmarks.trajectory.populations import Trained, arguments, trained
from mvc.papers.engine import judge
from mvc.papers.outcome import EngineScores
from mvc.papers.tables import ENGINE_COLUMNS, engine_row, table_head, table_row

#: populations whose weights have the same names and shapes
SHARED = ("relu-sgd", "relu-sgd-growing", "relu-adam", "relu-adamw-cosine", "tanh-sgd-restarts")
SHORTEST = 5
REPEATS = 3


def main() -> None:
    asked = arguments(__doc__ or "")
    own, alike = (
        {name: trained(name, asked.data, asked.cache, first=first * i) for i, name in enumerate(SHARED)}
        for first in (100, 0)
    )
    print("\n".join(table_head(("runs of", "cut", *ENGINE_COLUMNS))))
    mixtures = {**{name: {name: one} for name, one in own.items()}, "all": own, "all, the same beginnings": alike}
    for name, chosen in mixtures.items():
        for sparse in (False, True):
            for repeat in range(REPEATS):
                scores = mixture(chosen, np.random.default_rng(repeat), sparse=sparse)
                cut = f"{'sparse' if sparse else 'dense'} {repeat}"
                print(table_row((name, cut, *engine_row(scores))), flush=True)


def mixture(populations: Mapping[str, Trained], random: np.random.Generator, *, sparse: bool) -> EngineScores:
    """Inference on all runs of these populations, each cut to some of its checkpoints, thrown together."""
    vectors: list[npt.NDArray[np.float32]] = []
    truth: list[npt.NDArray[np.intp]] = []
    for population in populations.values():
        for seed, run in enumerate(population.weights):
            kept = _cut(len(run), random, every=3 if sparse and random.random() < 0.5 else 1)
            vectors.append(population.vectors(seed)[kept])
            truth.append(np.stack([np.full(len(kept), len(truth)), np.arange(len(kept))], axis=1))
    blocks = next(iter(populations.values())).blocks()
    return judge(np.concatenate(vectors), blocks, np.concatenate(truth), initial=True)


def _cut(length: int, random: np.random.Generator, *, every: int) -> npt.NDArray[np.intp]:
    """Which checkpoints of a run are kept: from a random start (half of the time the first) for a random length."""
    span = SHORTEST * every
    first = 0 if random.random() < 0.5 else int(random.integers(0, length - span + 1))
    last = int(random.integers(first + span, length + 1))
    return np.arange(first, last, every)


if __name__ == "__main__":
    main()
