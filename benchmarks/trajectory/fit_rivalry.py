"""Fits how sure inference is of its forks when told nothing, and prints what stated confidences are worth.

    python -m benchmarks.trajectory.fit_rivalry --data mnist.npz --cache DIR

Forks are those of ``forest`` and ``forks``: each inferred one, right if most of its points are a true branch (or the
host's remainder) and the fork point is exact. Families are judged by a fit to the others.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

from benchmarks.trajectory import forest, forks
from benchmarks.trajectory.branching import SPACINGS, Forest, grown, spaced
from benchmarks.trajectory.populations import CARDS
from benchmarks.trajectory.scores import calibration, judge
from mvc.trajectory import Inference, Population, infer
from mvc.trajectory.departures import fork_point
from mvc.trajectory.mst import Floats, Ints
from mvc.trajectory.ordering import squared_distances
from mvc.trajectory.rivalry import CERTAIN, rivalry

Sample = tuple[str, list[float], bool]


def samples(data: Path, cache: Path) -> Iterator[Sample]:
    """Family, features (log-odds of the rule, rivalry) and whether it is right, of every inferred fork."""
    for name, card in forest.POPULATIONS.items():
        whole = grown(card, forest.plan(), images=forest.IMAGES, data=data, cache=cache, what="forest")
        population, order = whole.shuffled()
        found = infer(population)
        exact = {one.lineage for one in judge(whole, found, order)[0].threads if one.exact}
        for number, features in _features(population, found):
            yield f"forest {name}", features, number in exact
    for spacing in SPACINGS:
        for name in forks.NAMES:
            card = spaced(CARDS[name], spacing)
            pairs = grown(card, forks.plan(), images=forks.IMAGES, data=data, cache=cache, what="forks")
            for number in range(0, len(pairs.runs), 2):
                if pairs.runs[number].parent is not None:
                    for features, right in _pair(pairs, number):
                        yield f"forks {name}", features, right


def _pair(forest: Forest, number: int) -> Iterator[tuple[list[float], bool]]:
    """The forks inferred from one host and one branch alone."""
    run = forest.runs[number]
    assert run.parent is not None
    host, branch = forest.path(run.parent), forest.path(number)
    population, order = forest.shuffled(number, points=np.concatenate([host, branch]))
    found = infer(population)
    sides = (set(branch.tolist()), set(host[run.at + 1 :].tolist()))
    for at, features in _features(population, found):
        lineage = found.lineages[at]
        members = set(order[list(lineage.members)].tolist())
        mostly = max(len(members & side) / len(members | side) for side in sides) >= 0.5
        assert lineage.fork is not None
        yield features, mostly and int(order[lineage.fork.parent]) == host[run.at]


def _features(population: Population, found: Inference) -> Iterator[tuple[int, list[float]]]:
    vectors: Floats = population.vectors.astype(np.float64)
    squares = squared_distances(vectors)
    home: Ints = np.empty(len(vectors), dtype=np.intp)
    for number, lineage in enumerate(found.lineages):
        home[list(lineage.members)] = number
    for number, lineage in enumerate(found.lineages):
        if lineage.fork is not None:
            host, branch = found.lineages[home[lineage.fork.parent]].members, lineage.members
            sure = min(fork_point(vectors[list(host)], vectors[list(branch)], population.blocks)[1], 1 - 1e-6)
            odds = float(np.clip(np.log(sure / (1 - sure)), -CERTAIN, CERTAIN))
            yield number, [odds, *rivalry(squares, home, branch, host, lineage.fork.parent)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help=".npz or directory of IDX files")
    parser.add_argument("--cache", type=Path, default=Path("zoo-out"), help="where trained forks are kept")
    asked = parser.parse_args()
    families, features, right = zip(*samples(asked.data, asked.cache), strict=True)
    x, y, family = np.array(features), np.array(right), np.array(families)
    stated = np.empty(len(y))
    for name in np.unique(family):
        own = family == name
        stated[own] = LogisticRegression().fit(x[~own], y[~own]).predict_proba(x[own])[:, 1]
    print(calibration(list(zip(stated.tolist(), y.tolist(), strict=True))))
    fitted = LogisticRegression().fit(x, y)
    print(f"{len(y)} forks: {', '.join(f'{value:.2f}' for value in (*fitted.intercept_, *fitted.coef_[0]))}")


if __name__ == "__main__":
    main()
