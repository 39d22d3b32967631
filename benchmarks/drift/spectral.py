"""What MVC007, effective ranks of changes, adds to the score of steps: AUROC, recall and false alarms.

    python -m benchmarks.drift.spectral --data mnist.npz --cache DIR [--held-out | --afterwards] [--healthy-cache DIR]

Prints Markdown: for each condition the mean and worst AUROC over cells, of the steps' score, of MVC007 and of the
larger of both (each a negative log probability; healthy steps from the eighth checkpoint on are the negatives), and
recall of both at the default limit. Two corruptions are added: along one random direction of one matrix, as long as
the step and twice as long. Then findings a thousand healthy steps; with ``--healthy-cache`` also on trajectory's
populations.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.drift.populations import HELD_OUT, Drifted, cells, drifted, parser
from benchmarks.trajectory.populations import CARDS, FURTHER, trained
from mvc.drift import LIMIT, Normal, drift_steps, judge_steps
from mvc.drift.spectral import Ranks, judge_ranks
from mvc.geometry.effective import effective_rank
from mvc.papers.tables import table_head, table_row
from mvc.zoo.cards import Architecture, Card, Optimiser, Schedule

Weights = npt.NDArray[np.float32]
#: checkpoints before the first that is judged
FIRST = 7
#: trained after everything was fixed
_PLAIN = HELD_OUT["mlp-sgd-plain-tanh"]
AFTERWARDS = (
    replace(_PLAIN, name="mlp-sgd-cosine-leaky", optimiser=Optimiser("sgd", 0.03, momentum=0.8, weight_decay=5e-4),
            schedule=Schedule("cosine"), architecture=Architecture((40,), "leaky_relu")),
    replace(_PLAIN, name="mlp-adamw-tanh", optimiser=Optimiser("adamw", 1.5e-3, weight_decay=0.02),
            architecture=Architecture((28, 14), "tanh")),
)  # fmt: skip
_ALONG = {"one-direction": 1.0, "one-direction-x2": 2.0}


class Runs:
    """Healthy runs of one card [seeds, checkpoints, d] and what their steps teach each other."""

    def __init__(self, card: Card, healthy: Weights) -> None:
        self.shapes = card.architecture.shapes()
        self.healthy = healthy
        self.walks = [[self.ranks(a, b) for a, b in pairwise(run)] for run in healthy]
        runs = range(len(healthy))
        self.normal = [Normal.of(healthy[o].astype(np.float64) for o in runs if o != s) for s in runs]

    def ranks(self, before: Weights, now: Weights) -> Ranks:
        found = {name: effective_rank(a, self.tensor(now, name)) for name, a in self.tensors(before).items()}
        return {name: rank for name, rank in found.items() if rank is not None}

    def tensors(self, weights: Weights) -> dict[str, Weights]:
        return {name: self.tensor(weights, name) for name in self.shapes}

    def tensor(self, weights: Weights, name: str) -> Weights:
        at = 0
        for key, shape in self.shapes.items():
            size = math.prod(shape)
            if key == name:
                return weights[at : at + size].reshape(shape)
            at += size
        raise KeyError(name)

    def scores(self, seed: int, age: int, now: Weights, ranks: Ranks) -> tuple[float, float]:
        """Of the steps and of MVC007, of ``now`` after the healthy checkpoints 0 … age."""
        path = np.concatenate([self.healthy[seed, : age + 1], now[None]]).astype(np.float64)
        step = judge_steps(drift_steps(path), siblings=self.normal[seed], start=age + 1)[0].score
        found = judge_ranks([*self.walks[seed][:age], ranks]).probability
        return step or 0.0, 0.0 if found is None else -math.log10(max(found, 1e-300))

    def healthy_scores(self) -> npt.NDArray[np.float64]:
        """[steps judged, 2]."""
        runs, points = self.healthy.shape[:2]
        return np.array(
            [
                self.scores(s, t - 1, self.healthy[s, t], self.walks[s][t - 1])
                for s in range(runs)
                for t in range(FIRST, points)
            ]
        )


def shifted_scores(cell: Drifted, runs: Runs) -> dict[str, npt.NDArray[np.float64]]:
    """condition → [ages · seeds, 2]."""
    rng = np.random.default_rng(0)
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    matrices = sorted({name for walk in runs.walks for step in walk for name in step})
    for i, age in enumerate(cell.ages):
        for seed in range(len(cell.healthy)):
            before, after = cell.healthy[seed, age], cell.healthy[seed, age + 1]
            made: Mapping[str, Weights] = {
                **{name: cell.shifted[i, c, seed] for c, name in enumerate(cell.conditions)},
                **{name: _along(runs, before, after, rng.choice(matrices), k, rng) for name, k in _ALONG.items()},
            }
            for name, now in made.items():
                found[name].append(runs.scores(seed, age, now, runs.ranks(before, now)))
    return {name: np.array(rows) for name, rows in found.items()}


def _along(runs: Runs, before: Weights, after: Weights, name: str, times: float, rng: np.random.Generator) -> Weights:
    made = after.copy()
    tensor = runs.tensor(made, name)
    direction = np.outer(rng.normal(size=len(tensor)), rng.normal(size=tensor.size // len(tensor)))
    length = times * float(np.linalg.norm(after - before))
    tensor += (length * direction / np.linalg.norm(direction)).reshape(tensor.shape).astype(np.float32)
    return made


def area(positive: npt.NDArray[np.float64], negative: npt.NDArray[np.float64]) -> float:
    """Area under the ROC curve; ties count half."""
    above = positive[:, None] > negative[None]
    return float((above + 0.5 * (positive[:, None] == negative[None])).mean())


def alarms(name: str, scores: npt.NDArray[np.float64]) -> str:
    rates = [f"{1000 * np.mean(scores[:, 1] > limit):.1f}" for limit in (3, -math.log10(LIMIT))]
    return table_row((name, f"{len(scores):,}", *rates))


def main() -> None:
    reader = parser(__doc__ or "")
    reader.add_argument("--healthy-cache", type=Path, help="where trajectory's populations are kept")
    reader.add_argument("--afterwards", action="store_true", help="cells that were not there when MVC007 was made")
    asked = reader.parse_args()
    areas: dict[str, list[Sequence[float]]] = defaultdict(list)
    lines = []
    for card in AFTERWARDS if asked.afterwards else cells(asked):
        cell = drifted(card, asked.data, asked.cache)
        runs = Runs(card, cell.healthy)
        negative = runs.healthy_scores()
        lines.append(alarms(card.name, negative))
        for condition, found in shifted_scores(cell, runs).items():
            both = [area(found.max(1), negative.max(1))]
            recall = [float(np.mean(found[:, i] > -math.log10(LIMIT))) for i in (0, 1)]
            areas[condition].append([*(area(found[:, i], negative[:, i]) for i in (0, 1)), *both, *recall])
    print(f"\n{len(lines)} cells; AUROC mean / worst cell.\n")
    print("\n".join(table_head(("condition", "steps", "MVC007", "both", "recall steps", "recall MVC007"))))
    for condition, rows in areas.items():
        mean, worst = np.mean(rows, axis=0), np.min(rows, axis=0)
        shown = [f"{mean[i]:.3f} / {worst[i]:.3f}" for i in range(3)] + [f"{mean[i]:.2f}" for i in (3, 4)]
        print(table_row((condition, *shown)))
    print("\n".join(["", *table_head(("healthy", "steps", "beyond 0.001", "beyond 0.0001")), *lines]))
    if asked.healthy_cache:
        for name in (*CARDS, *FURTHER):
            population = trained(name, asked.data, asked.healthy_cache)
            print(alarms(name, Runs(population.card, population.weights[:12]).healthy_scores()), flush=True)


if __name__ == "__main__":
    main()
