"""Fits the weights of the direction's signals and measures them on families left out of the fit.

    python -m benchmarks.trajectory.fit_direction --data mnist.npz

Prints a Markdown table and the coefficients for `mvc.trajectory.direction`. Each family is judged by a fit to the
others.
"""

from __future__ import annotations

import argparse

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from benchmarks.trajectory.populations import arguments, trained
from mvc.trajectory.direction import DECIDED, SIGNALS, signals

#: kind of path → (length, how many a run); None: all of it
KINDS: dict[str, tuple[int | None, int]] = {
    "full": (None, 1), "20 first": (20, 1), "12": (12, 8), "5": (5, 6), "3": (3, 4), "2": (2, 4)
}  # fmt: skip
#: judged but not fitted: where everything collapses the weights do not tell which way time runs
UNDECIDABLE = {"schurholt-borth-2021-cnn-collapsing"}
Samples = dict[str, npt.NDArray[np.float64]]


def main() -> None:
    asked = arguments(__doc__ or "")
    families = {name: _samples(name, asked) for name in asked.only}
    print("| family | " + " | ".join(f"{kind}: right / answered / right of those" for kind in KINDS) + " |")
    print("|---|" + "---|" * len(KINDS))
    fittable = {name: samples for name, samples in families.items() if name not in UNDECIDABLE}
    for name, samples in families.items():
        weights = _fit([other for key, other in fittable.items() if key != name])
        print(f"| {name} | " + " | ".join(_judge(samples[kind], weights) for kind in KINDS) + " |")
    fitted = _fit(list(fittable.values()))
    print("\n" + ", ".join(f"{signal} {weight:.3f}" for signal, weight in zip(SIGNALS, fitted, strict=True)))


def _samples(name: str, asked: argparse.Namespace) -> Samples:
    population = trained(name, asked.data, asked.cache)
    blocks = population.blocks()
    rng = np.random.default_rng(0)
    rows: dict[str, list[npt.NDArray[np.float64]]] = {kind: [] for kind in KINDS}
    for seed in range(len(population.weights)):
        path = population.vectors(seed).astype(np.float64)
        for kind, (length, count) in KINDS.items():
            for _ in range(count):
                # windows leave out the initial checkpoint
                start = 0 if count == 1 else int(rng.integers(1, len(path) - (length or 0) + 1))
                rows[kind].append(signals(path[start : None if length is None else start + length], blocks))
    return {kind: np.array(found) for kind, found in rows.items()}


def _fit(families: list[Samples]) -> npt.NDArray[np.float64]:
    """Logistic regression without intercept on paths and their reversals; kinds of paths weigh alike."""
    parts = [(rows, 1.0 / len(rows)) for samples in families for rows in samples.values()]
    forward = np.concatenate([rows for rows, _ in parts])
    weight = np.concatenate([np.full(len(rows), share) for rows, share in parts])
    model = LogisticRegression(fit_intercept=False, C=3.0 * len(forward) / weight.sum() / len(families))
    labels = np.r_[np.ones(len(forward)), np.zeros(len(forward))]
    model.fit(np.concatenate([forward, -forward]), labels, np.r_[weight, weight])
    coefficients: npt.NDArray[np.float64] = model.coef_[0]
    return coefficients


def _judge(rows: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]) -> str:
    odds = rows @ weights
    answered = 1 / (1 + np.exp(-np.abs(odds))) >= DECIDED
    of_those = f"{(odds[answered] > 0).mean():.2f}" if answered.any() else "–"
    return f"{(odds > 0).mean():.2f} / {answered.mean():.2f} / {of_those}"


if __name__ == "__main__":
    main()
