"""Whether an embedder's latent space tells drift from health, alone and beside the score of `mvc.drift`.

    python -m benchmarks.embedding.novelty --data mnist14.npz --cache DIR --drift DIR --minutes 2

The cells of `benchmarks.drift` that are perceptrons. For each optimiser in turn an embedder learns from healthy runs of
all others (those of `benchmarks.embedding.direction`, whose embedders are taken from the cache). Figures of a step in
its latent space: the step's length against the five before it, its turn, and how much farther than its predecessors the
point lies from all healthy points of sibling runs. They are weighed, without and with the drift score of a run on its
own, by a logistic regression on the cells of the other optimisers. Prints Markdown: AUROC by condition.

A second table asks of a point alone, whose own past is not known, where the drift score has nothing to say: its
distance from all points of sibling runs, by latents and by s(W).

The drift score's own numbers are those that ship, which were fitted to these cells among others: it has the advantage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from benchmarks.drift.measure import Fitted, auroc
from benchmarks.drift.populations import AGES, CELLS, CONDITIONS, drifted
from benchmarks.drift.walks import signs_of, walks
from benchmarks.embedding.families import GROUPS, by_name, embedded, families, learnt, parser, statistics

Floats = npt.NDArray[np.float64]
#: points before the first that is judged
HISTORY = 5
WAYS: Mapping[str, tuple[int, ...]] = {"score": (0,), "latent": (1, 2, 3), "score + latent": (0, 1, 2, 3)}


@dataclass(frozen=True)
class Cell:
    """Evidence [..., 4] of steps: ``healthy`` [runs · steps, 4], ``shifted`` [conditions, ages · runs, 4]."""

    name: str
    healthy: Floats
    shifted: Floats


def figures(past: Floats, now: Floats, siblings: Floats) -> list[float]:
    """Of a point [latent] after a past [n, latent], beside siblings' points [m, latent]: surprises, 0 for none."""
    path = np.concatenate([past[-HISTORY - 1 :], now[None]])
    steps = np.diff(path, axis=0)
    lengths = np.log(np.linalg.norm(steps, axis=1) + 1e-9)
    usual, spread = lengths[:-1].mean(), lengths[:-1].std() + 0.1
    cosines = (steps[1:] * steps[:-1]).sum(1) / np.exp(lengths[1:] + lengths[:-1])
    turn = (cosines[:-1].mean() - cosines[-1]) / (cosines[:-1].std() + 0.1)
    away = np.log(np.linalg.norm(path[:, None] - siblings[None], axis=2).min(1) + 1e-9)
    novel = (away[-1] - away[:-1].mean()) / (away[:-1].std() + 0.1)
    return [abs(float(lengths[-1] - usual)) / float(spread), abs(float(turn)), max(0.0, float(novel))]


def cell(name: str, healthy: Floats, shifted: Floats, scores: tuple[Floats, Floats]) -> Cell:
    """Latents ``healthy`` [runs, points, l] and ``shifted`` [ages, conditions, runs, l]; drift scores of the same."""
    runs, points, size = healthy.shape
    beside = [np.delete(healthy, run, axis=0).reshape(-1, size) for run in range(runs)]
    well = [
        figures(healthy[run, :place], healthy[run, place], beside[run])
        for run in range(runs)
        for place in range(HISTORY, points)
    ]
    badly = [
        [
            figures(healthy[run, : age + 1], shifted[i, number, run], beside[run])
            for i, age in enumerate(AGES)
            for run in range(runs)
        ]
        for number in range(len(CONDITIONS))
    ]
    return Cell(
        name,
        np.concatenate([scores[0].reshape(-1, 1), np.array(well)], axis=1),
        np.concatenate([scores[1].reshape(len(CONDITIONS), -1, 1), np.array(badly)], axis=2),
    )


def fitted(cells: Sequence[Cell], uses: Sequence[int]) -> LogisticRegression:
    healthy = np.concatenate([one.healthy[:, list(uses)] for one in cells])
    shifted = np.concatenate([one.shifted.reshape(-1, one.shifted.shape[2])[:, list(uses)] for one in cells])
    labels = np.r_[np.zeros(len(healthy)), np.ones(len(shifted))]
    return LogisticRegression(class_weight="balanced").fit(np.clip(np.concatenate([healthy, shifted]), -10, 10), labels)


def alone(healthy: Floats, shifted: Floats) -> list[float]:
    """AUROC by condition of how far a point lies from all points of sibling runs: nothing of its own past is known.

    In units of each coordinate's deviation over all healthy points. ``healthy`` [runs, points, l], ``shifted`` [ages,
    conditions, runs, l]; healthy points are those that stand where the shifted ones do.
    """
    runs, _, size = healthy.shape
    scale = healthy.reshape(-1, size).std(0) + 1e-9
    beside = [np.delete(healthy, run, axis=0).reshape(-1, size) / scale for run in range(runs)]

    def away(points: Floats, run: int) -> Floats:
        found: Floats = np.linalg.norm(points[:, None] / scale - beside[run][None], axis=2).min(1)
        return found

    places = [age + 1 for age in AGES]
    well = np.concatenate([away(healthy[run, places], run) for run in range(runs)])
    badly = [np.concatenate([away(shifted[:, i, run], run) for run in range(runs)]) for i in range(len(CONDITIONS))]
    return [auroc(part, well) for part in badly]


def main() -> None:
    reader = parser(__doc__ or "")
    asked = reader.parse_args()
    judge = Fitted.shipped()
    known = {group: families(group, asked.data, asked.cache, asked.drift) for group in GROUPS}
    groups: dict[str, list[Cell]] = {}
    lone: dict[str, list[list[float]]] = {"s(W)": [], "latents": []}
    for group, (names, _) in GROUPS.items():
        others = [family for name, rows in known.items() if name != group for family in rows]
        embedder = learnt([one.runs for one in others], others[0].shapes, asked.recipe, asked.minutes, asked.cache)
        for name in names:
            found = drifted(CELLS[name], asked.data, asked.drift)
            shapes = found.card.architecture.shapes()
            ordered = [by_name(part, shapes)[0] for part in (found.healthy, found.shifted)]
            latents = [embedded(embedder, part) for part in ordered]
            described = [statistics(others[0].shapes, part) for part in ordered]
            lone["s(W)"].append(alone(*described))
            lone["latents"].append(alone(*latents))
            signs = signs_of(walks(name, asked.data, asked.drift, asked.cache), siblings=False)
            scores = judge.scores(signs.healthy, "alone"), judge.scores(signs.shifted, "alone")
            groups.setdefault(group, []).append(cell(name, latents[0], latents[1], scores))
    table: dict[str, list[list[float]]] = {way: [] for way in WAYS}
    for group, cells in groups.items():
        others = [one for name, rows in groups.items() if name != group for one in rows]
        for way, uses in WAYS.items():
            model = fitted(others, uses)
            for one in cells:
                healthy = model.decision_function(np.clip(one.healthy[:, list(uses)], -10, 10))
                shifted = [model.decision_function(np.clip(part[:, list(uses)], -10, 10)) for part in one.shifted]
                table[way].append([auroc(part, healthy) for part in shifted])
    show(table)
    print("\nA point alone, by its distance from all points of sibling runs\n")
    show(lone)


def show(table: Mapping[str, Sequence[Sequence[float]]]) -> None:
    """AUROC [cells][conditions] of each way."""
    print("| condition | " + " | ".join(f"{way}: mean, worst" for way in table) + " |\n|---|" + "---|" * len(table))
    for number, condition in enumerate(CONDITIONS):
        cells = [np.array(values)[:, number] for values in table.values()]
        print(f"| {condition} | " + " | ".join(f"{one.mean():.3f}, {one.min():.3f}" for one in cells) + " |")
    means = [np.array(values) for values in table.values()]
    print("| **all** | " + " | ".join(f"**{one.mean():.4f}**, {one.min():.3f}" for one in means) + " |")


if __name__ == "__main__":
    main()
