"""Mixtures taken apart among ten thousand candidates, from sketches of several lengths, and how long that takes.

    python -m benchmarks.trajectory.candidates --data mnist.npz --only relu-sgd relu-adam relu-adamw-cosine

Candidates are all checkpoints and siblings of the populations, which have to share one architecture, and fillers: runs
that go on from them by their own steps in shuffled coordinates. Mixtures are of real checkpoints, in single precision.
Sources found on sketches are verified on all values, which also give the weights. Prints a Markdown table.
"""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np

from benchmarks.trajectory.mixtures import Floats, Recipe, groups, recipes
from benchmarks.trajectory.populations import arguments
from mvc.trajectory import explain_mixture
from mvc.trajectory.mixtures import sum_to_one_least_squares

CANDIDATES = 10_000
LENGTHS = (64, 128, 256, 512)
#: checkpoints of a filling run
_FILLED = 20
#: mixtures of each kind and group
MIXED = 2


def main() -> None:
    asked = arguments(__doc__ or "")
    rng = np.random.default_rng(0)
    points: list[Floats] = []
    wanted: list[tuple[str, Recipe]] = []
    at = 0
    for name in asked.only:
        for _, group in groups(name, asked.data, asked.cache):
            points.append(group.weights)
            for _ in range(MIXED):
                wanted += [(kind, {at + i: w for i, w in recipe.items()}) for kind, recipe in recipes(rng, group)]
            at += len(group.weights)
    real, first, names = np.unique(np.concatenate(points), axis=0, return_index=True, return_inverse=True)
    # a run of the population may begin as the siblings' base does: equal models are one candidate
    wanted = [(kind, {int(names[i]): w for i, w in recipe.items()}) for kind, recipe in wanted]
    at = len(first)
    known = filled(real, rng)
    print(f"{at} real candidates of {len(known)}, {len(wanted)} mixtures, {known.shape[1]} weights\n")
    print("| numbers a sketch | sources found | verified | false | weights' error: mean, worst | seconds a model |")
    print("|---|---|---|---|---|---|")
    for length in (*LENGTHS, known.shape[1]):
        sketches = known if length == known.shape[1] else sketched(known, length)
        right, verified, false, errors, taken = 0, 0, 0, [], 0.0
        for _, recipe in wanted:
            weights = np.array(list(recipe.values()))
            made = (weights @ known[list(recipe)].astype(np.float64)).astype(np.float32)
            target = made if length == known.shape[1] else sketched(made[None], length)[0]
            start = time.process_time()
            found = explain_mixture(sketches, target)
            if found is not None and not found.incomplete:
                fit = sum_to_one_least_squares(known[list(found.sources)].astype(np.float64), made.astype(np.float64))
                exact = fit.residual < 1e-6 * float(np.linalg.norm(made))
                right += set(found.sources) == set(recipe)
                verified += exact
                false += not exact
                told = dict(zip(found.sources, fit.weights.tolist(), strict=True))
                errors.append(np.mean([abs(told.get(i, 0.0) - recipe.get(i, 0.0)) for i in {*told, *recipe}]))
            taken += time.process_time() - start
        n = len(wanted)
        print(
            f"| {length} | {right / n:.3f} | {verified / n:.3f} | {false} | "
            f"{np.mean(errors or [np.nan]):.5f}, {np.max(errors, initial=0):.5f} | {taken / n:.2f} |",
            flush=True,
        )


def filled(real: Floats, rng: np.random.Generator) -> Floats:
    """The real points and runs that go on from some of them, CANDIDATES in all."""
    steps = [b - a for a, b in pairwise(real)]
    found = [real]
    missing = CANDIDATES - len(real)
    while missing > 0:
        at = real[int(rng.integers(len(real)))].copy()
        step = steps[int(rng.integers(len(steps)))]
        run = np.empty((min(_FILLED, missing), real.shape[1]), np.float32)
        for row in run:
            at = at + rng.permutation(step)
            row[:] = at
        found.append(run)
        missing -= len(run)
    return np.concatenate(found)


def sketched(points: Floats, length: int) -> Floats:
    """CountSketches [n, length] (Charikar, Chen, Farach-Colton 2002), the same projection for all."""
    rng = np.random.default_rng(length)
    buckets, signs = rng.integers(length, size=points.shape[1]), rng.choice([-1.0, 1.0], size=points.shape[1])
    found = np.zeros((len(points), length))
    for bucket in range(length):
        here = buckets == bucket
        found[:, bucket] = points[:, here].astype(np.float64) @ signs[here]
    return found.astype(np.float32)


if __name__ == "__main__":
    main()
