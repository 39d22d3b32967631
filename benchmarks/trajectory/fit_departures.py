"""Fits the coefficients that weigh the evidence for a fork point, and judges them on families left out of the fit.

    python -m benchmarks.trajectory.fit_departures --data mnist.npz --cache DIR

Takes the forks of ``forks`` and ``forest``. Prints Markdown tables (a kind and a population a row, then stated against
observed) and the coefficients fitted to all, for ``mvc/trajectory/departures.py``.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.trajectory import forest, forks
from benchmarks.trajectory.branching import SPACINGS, grown, spaced
from benchmarks.trajectory.populations import CARDS
from benchmarks.trajectory.scores import calibration
from mvc.trajectory import lay_out
from mvc.trajectory.departures import evidence

#: ridge on standardised coefficients, and Newton steps
RIDGE, STEPS = 0.2, 60

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    population: str
    kind: str
    at: int
    evidence: Floats


def cases(data: Path, cache: Path) -> Iterator[Case]:
    """Every fork of both benchmarks."""
    forests = [("forest", card, forest.plan(), forest.IMAGES) for card in forest.POPULATIONS.values()]
    for spacing in SPACINGS:
        forests += [("forks", spaced(CARDS[name], spacing), forks.plan(), forks.IMAGES) for name in forks.NAMES]
    for what, card, runs, images in forests:
        grove = grown(card, runs, images=images, data=data, cache=cache, what=what)
        vectors = grove.vectors(np.arange(len(grove.weights))).astype(np.float64)
        blocks = lay_out(card.architecture.shapes().items())
        for number, run in enumerate(runs):
            if run.parent is not None:
                host, branch = vectors[grove.path(run.parent)], vectors[grove.path(number)]
                yield Case(f"{what} {card.name}", run.kind, run.at, evidence(host, branch, blocks))


def fit(some: Sequence[Case]) -> Floats:
    """Coefficients that maximise the conditional likelihood, by Newton's method on standardised evidence."""
    scale = np.concatenate([case.evidence for case in some]).std(axis=0) + 1e-9
    weights = np.zeros(len(scale))
    for _ in range(STEPS):
        gradient, curvature = -RIDGE * weights, RIDGE * np.eye(len(weights))
        for case in some:
            rows = case.evidence / scale
            chances = _chances(rows @ weights)
            mean = chances @ rows
            gradient += rows[case.at] - mean
            curvature += (rows * chances[:, None]).T @ rows - np.outer(mean, mean)
        step = np.linalg.solve(curvature, gradient)
        weights += step * min(1.0, 2.0 / float(np.abs(step).max()))
        if np.abs(step).max() < 1e-6:
            break
    fitted: Floats = weights / scale
    return fitted


def _chances(odds: Floats) -> Floats:
    raised = np.exp(odds - odds.max())
    chances: Floats = raised / raised.sum()
    return chances


def _family(population: str) -> str:
    """Architecture and optimiser: checkpoints at another spacing are no other family."""
    return population.split()[1].rsplit("-", 1)[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help=".npz or directory of IDX files")
    parser.add_argument("--cache", type=Path, default=Path("zoo-out"), help="where trained forks are kept")
    asked = parser.parse_args()
    every = list(cases(asked.data, asked.cache))
    rows: dict[str, list[int]] = defaultdict(list)
    stated = []
    for family in sorted({_family(case.population) for case in every}):
        weights = fit([case for case in every if _family(case.population) != family])
        for case in every:
            if _family(case.population) == family:
                chances = _chances(case.evidence @ weights)
                off = abs(int(chances.argmax()) - case.at)
                stated.append((float(chances.max()), off == 0))
                for label in (case.kind, case.population, "all"):
                    rows[label].append(off)
    print("| judged by a fit to the other families | forks | exact | within one |\n|---|---|---|---|")
    for label in sorted(rows, key=lambda label: (label == "all", label.startswith("for"), label)):
        off = np.array(rows[label])
        print(f"| {label} | {len(off)} | {(off == 0).mean():.3f} | {(off <= 1).mean():.3f} |")
    print(f"\n{calibration(stated)}\n\n{tuple(fit(every).round(2).tolist())}")


if __name__ == "__main__":
    main()
