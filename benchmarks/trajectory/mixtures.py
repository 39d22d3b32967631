"""How often mixtures of trained checkpoints are taken apart, how exact their weights are, and what is taken for one.

    python -m benchmarks.trajectory.mixtures --data mnist.npz --only relu-adam relu-sgd

Prints two Markdown tables over all populations: recall and mean absolute error of the sources' weights for every kind
of mixture, in single and in half precision; and real checkpoints that are called mixtures, each held against all others
of its population. Siblings go on from one base with another data order and are populations of their own; the paper's
zoos, whose batches are small, have none here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.trajectory.populations import CARDS, Trained, arguments, trained
from mvc.trajectory import explain_mixture
from mvc.zoo.data import load
from mvc.zoo.train import Trainer, train_population

Floats = npt.NDArray[np.floating]

#: of every population, so many mixtures of each kind and real checkpoints
MIXED, REAL = 5, 100
SIBLINGS, FORKED_AT, LENGTH = 6, 8, 8
#: siblings of populations with smaller batches take too long to train
_QUICK = 16


def main() -> None:
    asked = arguments(__doc__ or "")
    rng = np.random.default_rng(0)
    mixed: dict[tuple[str, str], list[tuple[bool, bool, float]]] = defaultdict(list)
    real: dict[str, list[tuple[bool, bool]]] = {}
    for name in asked.only:
        populations = {name: trained(name, asked.data, asked.cache)}
        if CARDS[name].batch >= _QUICK:
            populations[f"{name}, siblings"] = siblings(name, asked.data)
        for title, population in populations.items():
            weights = population.weights.reshape(-1, population.weights.shape[-1])
            known = np.concatenate([population.vectors(run) for run in range(len(population.weights))])
            for _ in range(MIXED):
                for kind, recipe in recipes(rng, *population.weights.shape[:2]):
                    for what in ("single", "half", "one missing"):
                        mixed[kind, what].append(judge(population, weights, known, recipe, what, rng))
            drawn = rng.permutation(len(known))[:REAL]
            found = [explain_mixture(np.delete(known, i, axis=0), known[i]) for i in drawn]
            real[title] = [(f is not None and not f.incomplete, f is not None and f.incomplete) for f in found]
            print(f"{title}: {np.sum(real[title], axis=0)} of {len(drawn)} real called mixtures", flush=True)
    _print(mixed, real)


def siblings(name: str, data: Path) -> Trained:
    """Runs [siblings, checkpoints, d] that go on from one base, the base first in each."""
    torch.set_num_threads(1)
    card = replace(CARDS[name], seeds=1, epochs=FORKED_AT)
    base = train_population(Trainer(card, load(data), range(1)), keep=(FORKED_AT,)).states[FORKED_AT]
    start = base.of([0] * SIBLINGS, fresh=True)
    runs = train_population(Trainer(card, load(data), range(1, SIBLINGS + 1), start=start), LENGTH)
    # the base itself is one checkpoint, not one a sibling
    return Trained(card, runs.weights[:, 1:].numpy())


def recipes(rng: np.random.Generator, runs: int, length: int) -> Iterator[tuple[str, Mapping[int, float]]]:
    """Kinds of mixtures: place in the population → weight."""
    tips = [int(run) * length + length - 1 for run in rng.permutation(runs)]
    run, some, tail = int(rng.integers(runs)) * length, rng.permutation(runs * length), min(10, length - 1)
    yield "uniform, 4 tips", dict.fromkeys(tips[:4], 0.25)
    parts = rng.dirichlet(np.full(3, 4.0))
    yield "weighted, 3 anywhere", dict(zip(some[:3].tolist(), parts.tolist(), strict=True))
    yield "SWA of a tail", dict.fromkeys(range(run + length - tail, run + length), 1 / tail)
    scale = float(rng.uniform(0.2, 0.8))
    yield (
        "base + λ Σ (tᵢ - base)",
        {run: 1 - 3 * scale} | dict.fromkeys([t for t in tips if t // length != run // length][:3], scale),
    )
    yield "base - λ (t - base)", {run: 1 + scale, tips[0]: -scale}


def judge(
    population: Trained,
    weights: Floats,
    known: Floats,
    recipe: Mapping[int, float],
    what: str,
    rng: np.random.Generator,
) -> tuple[bool, bool, float]:
    """Whether it is found, whether it is said to be incomplete, and the mean absolute error of its weights."""
    exact = np.array(list(recipe.values())) @ weights[list(recipe)].astype(np.float64)
    made = exact.astype(np.float16 if what == "half" else np.float32).astype(np.float32)
    (target,) = Trained(population.card, made[None, None]).vectors(0)
    kept = np.arange(len(known))
    if what == "one missing":
        kept = np.delete(kept, list(recipe)[int(rng.integers(len(recipe)))])
    found = explain_mixture(
        known[kept], target, rounding=float(np.linalg.norm(made - exact)) if what == "half" else 0.0
    )
    if found is None:
        return False, False, float("nan")
    told = dict(zip(kept[list(found.sources)].tolist(), found.weights, strict=True))
    errors = [abs(told.get(i, 0.0) - recipe.get(i, 0.0)) for i in {*told, *recipe}]
    return True, found.incomplete, float(np.mean(errors))


def _print(
    mixed: Mapping[tuple[str, str], list[tuple[bool, bool, float]]], real: Mapping[str, list[tuple[bool, bool]]]
) -> None:
    print(
        "\n| mixture | n | recall | weights' error: mean, worst | fp16: recall | mean, worst | one missing: said so |"
    )
    print("|---|---|---|---|---|---|---|")
    for kind in dict.fromkeys(kind for kind, _ in mixed):
        single, half, missing = (np.array(mixed[kind, what]) for what in ("single", "half", "one missing"))
        cells = [f"{kind} | {len(single)}"]
        for table in (single, half):
            cells.append(f"{np.mean((table[:, 0] == 1) & (table[:, 1] == 0)):.3f}")
            cells.append(f"{np.nanmean(table[:, 2]):.5f}, {np.nanmax(table[:, 2]):.5f}")
        print("| " + " | ".join([*cells, f"{missing[:, 1].mean():.3f}"]) + " |")
    print("\n| real checkpoints of | n | called mixtures | called incomplete mixtures |")
    print("|---|---|---|---|")
    everything = [row for rows in real.values() for row in rows]
    for title, rows in [*real.items(), ("all", everything)]:
        print(f"| {title} | {len(rows)} | {sum(whole for whole, _ in rows)} | {sum(part for _, part in rows)} |")


if __name__ == "__main__":
    main()
