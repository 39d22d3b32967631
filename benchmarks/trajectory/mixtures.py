"""How often mixtures of trained checkpoints are taken apart, how exact their weights are, and what is taken for one.

    python -m benchmarks.trajectory.mixtures --data mnist.npz --only relu-adam relu-sgd

Prints Markdown tables over all populations: recall and mean absolute error of the sources' weights for every kind of
mixture, in single and in half precision; how often a missing source is noticed, by kind and by its weight; and real
checkpoints that are called mixtures, each held against all others of its population, and against a third of them.
Siblings go on from one base with another data order and are populations of their own; the paper's zoos, whose batches
are small, have none here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.trajectory.populations import CARDS, Trained, arguments, trained
from mvc.trajectory import Mixture, explain_mixture
from mvc.zoo.data import load
from mvc.zoo.train import Trainer, train_population

Floats = npt.NDArray[np.floating]
Recipe = Mapping[int, float]

#: of every population, so many mixtures of each kind and real checkpoints
MIXED, REAL = 5, 100
SIBLINGS, FORKED_AT, LENGTH = 6, 8, 8
#: siblings of populations with smaller batches take too long to train
_QUICK = 16
#: upper ends of the classes of a missing source's weight
_CLASSES = (0.15, 0.3, 0.5, 0.7, 1.0, np.inf)


@dataclass(frozen=True)
class Group:
    """Weights [n, d] of one population and signatures [n, k]; ``runs`` are its points in order, ``bases`` the points
    that a task vector starts from.
    """

    population: Trained
    runs: Sequence[Sequence[int]]
    bases: Sequence[int]

    @property
    def weights(self) -> Floats:
        return self.population.weights[0]


@dataclass(frozen=True)
class Judged:
    """``found`` at all, said to be ``whole``; mean absolute ``error`` over sources told and there; ``weight`` of the
    source that is missing.
    """

    found: bool
    whole: bool
    error: float
    weight: float = 0.0


def main() -> None:
    asked = arguments(__doc__ or "")
    rng = np.random.default_rng(0)
    mixed: dict[tuple[str, str], list[Judged]] = defaultdict(list)
    real: dict[str, list[tuple[Mixture | None, Mixture | None]]] = {}
    for name in asked.only:
        for title, group in groups(name, asked.data, asked.cache):
            known = group.population.vectors(0)
            for _ in range(MIXED):
                for kind, recipe in recipes(rng, group):
                    for what in ("single", "half", "one missing"):
                        mixed[kind, what].append(judge(group, known, recipe, what, rng))
            real[title] = [held_out(known, int(i), rng) for i in rng.permutation(len(known))[:REAL]]
            print(f"{title}: {sum(f is not None for f, _ in real[title])} real called mixtures", flush=True)
    for line in (*recalls(mixed), "", *missing(mixed), "", *merges(real)):
        print(line)


def groups(name: str, data: Path, cache: Path) -> Iterator[tuple[str, Group]]:
    """The population of a card, whose runs are strangers, and its siblings."""
    whole = trained(name, data, cache)
    runs, length, _ = whole.weights.shape
    numbers = np.arange(runs * length).reshape(runs, length)
    flat = Trained(whole.card, whole.weights.reshape(1, runs * length, -1))
    yield name, Group(flat, numbers.tolist(), numbers[:, 0].tolist())
    if CARDS[name].batch >= _QUICK:
        yield f"{name}, siblings", siblings(name, data, cache)


def siblings(name: str, data: Path, cache: Path) -> Group:
    """A run, and runs that go on from its last checkpoint under the same schedule with fresh optimisers."""
    card = replace(CARDS[name], seeds=1, epochs=FORKED_AT + LENGTH)
    file = cache / f"{name}-siblings-{SIBLINGS}x{FORKED_AT}+{LENGTH}.npz"
    if not file.exists():
        cache.mkdir(parents=True, exist_ok=True)
        torch.set_num_threads(1)
        base = train_population(Trainer(card, load(data), range(1)), FORKED_AT, keep=(FORKED_AT,))
        start = base.states[FORKED_AT].of([0] * SIBLINGS, fresh=True)
        tails = train_population(Trainer(card, load(data), range(1, SIBLINGS + 1), start=start), LENGTH)
        np.savez(file, base=base.weights[0].numpy(), weights=tails.weights[:, 1:].numpy())
    with np.load(file) as kept:
        base_weights, tail_weights = kept["base"], kept["weights"]
    first = len(base_weights)
    numbers = first + np.arange(SIBLINGS * LENGTH).reshape(SIBLINGS, LENGTH)
    points = np.concatenate([base_weights, tail_weights.reshape(SIBLINGS * LENGTH, -1)])
    return Group(Trained(card, points[None]), numbers.tolist(), [first - 1])


def recipes(rng: np.random.Generator, group: Group) -> Iterator[tuple[str, Recipe]]:
    """Kinds of mixtures: point → weight."""
    runs = [group.runs[i] for i in rng.permutation(len(group.runs))]
    tips = [run[-1] for run in runs]
    tail = runs[0][-min(10, len(runs[0]) - 1) :]
    yield "uniform, 4 tips", dict.fromkeys(tips[:4], 0.25)
    some = rng.permutation([point for run in runs for point in run])[:3]
    yield "weighted, 3 anywhere", dict(zip(some.tolist(), rng.dirichlet(np.full(3, 4.0)).tolist(), strict=True))
    yield "SWA of a tail", dict.fromkeys(tail, 1 / len(tail))
    base = group.bases[int(rng.integers(len(group.bases)))]
    tasks = [tip for tip, run in zip(tips, runs, strict=True) if base not in run][:3]
    scale = float(rng.uniform(0.2, 0.8))
    yield "base + λ Σ (tᵢ - base)", {base: 1 - len(tasks) * scale} | dict.fromkeys(tasks, scale)
    yield "base - λ (t - base)", {base: 1 + scale, tasks[0]: -scale}


def judge(group: Group, known: Floats, recipe: Recipe, what: str, rng: np.random.Generator) -> Judged:
    """What is made of one mixture."""
    exact = np.array(list(recipe.values())) @ group.weights[list(recipe)].astype(np.float64)
    made = exact.astype(np.float16 if what == "half" else np.float32).astype(np.float32)
    (target,) = Trained(group.population.card, made[None, None]).vectors(0)
    kept = np.arange(len(known))
    weight = 0.0
    if what == "one missing":
        gone = list(recipe)[int(rng.integers(len(recipe)))]
        kept, weight = np.delete(kept, gone), abs(recipe[gone])
    rounding = float(np.linalg.norm(made - exact)) if what == "half" else 0.0
    found = explain_mixture(known[kept], target, rounding=rounding)
    if found is None:
        return Judged(False, False, float("nan"), weight)
    told = dict(zip(kept[list(found.sources)].tolist(), found.weights, strict=True))
    errors = [abs(told.get(i, 0.0) - recipe.get(i, 0.0)) for i in {*told, *recipe}]
    return Judged(True, not found.incomplete, float(np.mean(errors)), weight)


def held_out(known: Floats, point: int, rng: np.random.Generator) -> tuple[Mixture | None, Mixture | None]:
    """A real checkpoint held against all others, and against a third of them."""
    others = np.delete(np.arange(len(known)), point)
    third = np.sort(rng.permutation(others)[: len(others) // 3])
    return explain_mixture(known[others], known[point]), explain_mixture(known[third], known[point])


def recalls(mixed: Mapping[tuple[str, str], Sequence[Judged]]) -> Iterator[str]:
    yield "| mixture | n | recall | weights' error: mean, worst | fp16: recall | mean, worst |"
    yield "|---|---|---|---|---|---|"
    for kind in dict.fromkeys(kind for kind, _ in mixed):
        cells = [kind, str(len(mixed[kind, "single"]))]
        for what in ("single", "half"):
            errors = [one.error for one in mixed[kind, what]]
            cells.append(f"{np.mean([one.whole for one in mixed[kind, what]]):.3f}")
            cells.append(f"{np.nanmean(errors):.5f}, {np.nanmax(errors):.5f}")
        yield "| " + " | ".join(cells) + " |"


def missing(mixed: Mapping[tuple[str, str], Sequence[Judged]]) -> Iterator[str]:
    """How often it is said that a source is missing, by the missing source's absolute weight: share, of how many."""
    heads = [f"≤ {high:g}" if high < np.inf else "more" for high in _CLASSES]
    yield "| one source missing, by its weight | " + " | ".join([*heads, "all"]) + " |"
    yield "|---" * (len(heads) + 2) + "|"
    for kind in dict.fromkeys(kind for kind, _ in mixed):
        rows = mixed[kind, "one missing"]
        classes = np.searchsorted(_CLASSES, [row.weight - 1e-9 for row in rows])
        said = np.array([row.found and not row.whole for row in rows])
        parts = [said[classes == number] for number in range(len(_CLASSES))] + [said]
        yield f"| {kind} | " + " | ".join(f"{p.mean():.2f} of {len(p)}" if len(p) else "" for p in parts) + " |"


def merges(real: Mapping[str, Sequence[tuple[Mixture | None, Mixture | None]]]) -> Iterator[str]:
    yield "| real checkpoints of | n | called mixtures | incomplete ones | among a third | incomplete ones |"
    yield "|---|---|---|---|---|---|"
    everything = [row for rows in real.values() for row in rows]
    for title, rows in [*real.items(), ("all", everything)]:
        cells = [title, str(len(rows))]
        for found in zip(*rows, strict=True):
            called = [one for one in found if one is not None]
            cells += [str(sum(not one.incomplete for one in called)), str(sum(one.incomplete for one in called))]
        yield "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
