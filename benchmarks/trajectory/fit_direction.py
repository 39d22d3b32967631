"""Fits the weights of the direction's signals and measures them, and their confidence, on families left out of the fit.

    python -m benchmarks.trajectory.fit_direction --data mnist.npz [--forests DIR]

Prints Markdown tables, the temperature and the coefficients for `mvc.trajectory.direction`. Each family is judged by a
fit to the others; the temperature is fitted to what those fits say of the families they did not see. With the forests
that `benchmarks.trajectory.forest` keeps in DIR all of that is done once more with their runs among the rest, for
branches in families of forks; a forest and the population of its card are left out together.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from benchmarks.trajectory.branching import grown
from benchmarks.trajectory.forest import IMAGES, POPULATIONS, plan
from benchmarks.trajectory.populations import CARDS, FURTHER, parser, trained
from mvc.trajectory import Block, lay_out
from mvc.trajectory.direction import DECIDED, LIMIT, SIGNALS, signals

#: kind of path → (length, how many a run); None: all of it
KINDS: dict[str, tuple[int | None, int]] = {
    "full": (None, 1), "20 first": (20, 1), "12": (12, 12), "5": (5, 12), "3": (3, 12), "2": (2, 12)
}  # fmt: skip
#: its norms and its runs' directions are lost in its first epoch: judged, not fitted, and left out of the calibration
UNDECIDABLE = {"schurholt-borth-2021-cnn-collapsing"}
#: edges of the bins of stated confidence
BINS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
#: inverse strength of the penalty on coefficients of signals scaled to unit mean square, each family weighing one;
#: from 30 to 1000 the results are the same within a few windows
INVERSE_PENALTY = 300.0
#: what names of forests begin with
FOREST = "forest "
Floats = npt.NDArray[np.float64]
Samples = dict[str, Floats]


def main() -> None:
    reader = parser(__doc__ or "")
    reader.add_argument("--forests", type=Path, help="where forests are kept")
    asked = reader.parse_args()
    names = [*CARDS, *FURTHER] if asked.only == list(CARDS) else asked.only
    families = {name: _of_family(name, asked) for name in names}
    _report(families)
    if asked.forests is not None:
        _report(families | {FOREST + name: _of_forest(name, asked) for name in POPULATIONS})


def _report(families: Mapping[str, Samples]) -> None:
    fittable = {name: samples for name, samples in families.items() if name not in UNDECIDABLE}
    held_out: dict[str, Samples] = {}
    for name, samples in families.items():
        weights = _fit([other for key, other in fittable.items() if _card(key) != _card(name)])
        held_out[name] = {kind: rows @ weights for kind, rows in samples.items()}
    temperature = _temperature([held_out[name] for name in fittable])
    stated = {name: {kind: _limited(o * temperature) for kind, o in odds.items()} for name, odds in held_out.items()}
    print("| family | " + " | ".join(f"{kind}: right / answered / right of those" for kind in KINDS) + " |")
    print("|---|" + "---|" * len(KINDS))
    for name, odds in stated.items():
        print(f"| {name} | " + " | ".join(_judge(odds[kind]) if kind in odds else "–" for kind in KINDS) + " |")
    _calibration([stated[name] for name in fittable])
    fitted = temperature * _fit(list(fittable.values()))
    print(f"temperature {temperature:.2f}: " + ", ".join(f"{s} {w:.3f}" for s, w in zip(SIGNALS, fitted, strict=True)))
    print()


def _card(name: str) -> str:
    """The population's card, of a forest the one that it was made of."""
    return name.removeprefix(FOREST).rpartition("-")[0] if name.startswith(FOREST) else name


def _of_family(name: str, asked: argparse.Namespace) -> Samples:
    population = trained(name, asked.data, asked.cache)
    return _samples(map(population.vectors, range(len(population.weights))), population.blocks())


def _of_forest(name: str, asked: argparse.Namespace) -> Samples:
    """Of a forest's runs, each without the checkpoint it was forked from."""
    forest = grown(POPULATIONS[name], plan(), images=IMAGES, data=asked.data, cache=asked.forests, what="forest")
    runs = (forest.vectors(forest.path(run)) for run in range(len(forest.runs)))
    return _samples(runs, lay_out(forest.card.architecture.shapes().items()))


def _samples(paths: Iterable[npt.NDArray[np.float32]], blocks: Sequence[Block]) -> Samples:
    """Signals [n, 5] of each kind of paths; a kind that no run is long enough for is left out."""
    rng = np.random.default_rng(0)
    rows: dict[str, list[Floats]] = {kind: [] for kind in KINDS}
    for path in paths:
        for kind, (length, count) in KINDS.items():
            # windows leave out the initial checkpoint
            last = len(path) - (length or 2) - (count > 1)
            for _ in range(count if last >= 0 else 0):
                start = 0 if count == 1 else 1 + int(rng.integers(last + 1))
                rows[kind].append(signals(path[start : None if length is None else start + length], blocks))
    return {kind: np.array(found) for kind, found in rows.items() if found}


def _fit(families: Sequence[Samples]) -> Floats:
    """Logistic regression without intercept on paths and their reversals; families and kinds of paths weigh alike."""
    # a path and its reversal share the weight
    parts = [(rows, 0.5 / (len(samples) * len(rows))) for samples in families for rows in samples.values()]
    forward = np.concatenate([rows for rows, _ in parts])
    weight = np.concatenate([np.full(len(rows), share) for rows, share in parts])
    scale = np.sqrt(np.average(forward**2, axis=0, weights=weight))
    scaled = forward / scale
    model = LogisticRegression(fit_intercept=False, C=INVERSE_PENALTY, max_iter=1000)
    labels = np.r_[np.ones(len(forward)), np.zeros(len(forward))]
    model.fit(np.concatenate([scaled, -scaled]), labels, np.r_[weight, weight])
    coefficients: Floats = model.coef_[0] / scale
    return coefficients


def _temperature(families: Sequence[Samples]) -> float:
    """The multiple of these log-odds under which the true directions are likeliest; kinds of paths weigh alike."""
    tried = np.arange(0.3, 1.51, 0.05)
    losses = [np.mean([np.logaddexp(0, -_limited(o * t)).mean() for f in families for o in f.values()]) for t in tried]
    return float(tried[int(np.argmin(losses))])


def _limited(odds: Floats) -> Floats:
    return odds.clip(-LIMIT, LIMIT)


def _confidence(odds: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.abs(odds))))


def _judge(odds: Floats) -> str:
    answered = _confidence(odds) >= DECIDED
    of_those = f"{(odds[answered] > 0).mean():.2f}" if answered.any() else "–"
    return f"{(odds > 0).mean():.2f} / {answered.mean():.2f} / {of_those}"


def _calibration(families: Sequence[Mapping[str, Floats]]) -> None:
    """Stated confidence against what was right, over all paths; families and kinds of paths weigh alike."""
    odds = np.concatenate([rows for samples in families for rows in samples.values()])
    weight = np.concatenate([np.full(len(rows), 1 / len(rows)) for samples in families for rows in samples.values()])
    stated, right, error = _confidence(odds), odds > 0, 0.0
    print("\n| confidence | share of paths | stated | right |\n|---|---|---|---|")
    for low, high in pairwise(BINS):
        chosen = (stated >= low) & (stated < high)
        if chosen.any():
            said, was = (float(np.average(of[chosen], weights=weight[chosen])) for of in (stated, right))
            share = float(weight[chosen].sum() / weight.sum())
            error += share * abs(said - was)
            print(f"| {low:.2f}–{high:.2f} | {share:.2f} | {said:.3f} | {was:.3f} |")
    print(f"\nExpected calibration error {error:.3f},", end=" ")


if __name__ == "__main__":
    main()
