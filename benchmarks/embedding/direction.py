"""Whether a probe on embeddings knows which way time runs, beside the fitted signals, on optimisers it never saw.

    python -m benchmarks.embedding.direction --data mnist14.npz --cache DIR --drift DIR --minutes 2

Families of one architecture. For each optimiser in turn: an embedder learns from the runs of all others, without
labels; a ridge regression reads the logarithm of the epoch from its latents, for the others' runs, whose epochs were
declared; along a window of a run of the optimiser left out, the trend of what is read is the probe's evidence. How much
it is worth, alone and beside the signals' log-odds, is a logistic regression's answer on windows of each of the others
that were read by a probe without them. With s(W) in the place of latents the same. With ``--population`` runs of one
population are known, and others of it judged. Prints Markdown.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from benchmarks.embedding.families import (
    GROUPS,
    Family,
    embedded,
    families,
    learnt,
    parser,
    population,
    statistics,
    zoo,
)
from mvc.embedding.probes import Split, fit_ridge
from mvc.papers.lineages.engine import signatures
from mvc.trajectory import lay_out
from mvc.trajectory.direction import DECIDED, LIMIT, log_odds

Floats = npt.NDArray[np.float64]
#: kind of window → (length, how many a run)
KINDS: Mapping[str, tuple[int, int]] = {"12": (12, 6), "5": (5, 6), "3": (3, 6), "2": (2, 6)}
#: evidence of a probe beyond which more says little more
MOST = 6.0
WAYS = ("signals", "s(W)", "embedding", "signals + s(W)", "signals + embedding", "all three")
_USES = {
    "signals": (0,),
    "s(W)": (1,),
    "embedding": (2,),
    "signals + s(W)": (0, 1),
    "signals + embedding": (0, 2),
    "all three": (0, 1, 2),
}


class Runs:
    """A family's runs as what is read of them: [M, K, features] of s(W) and of latents; windows are drawn once."""

    def __init__(self, family: Family) -> None:
        self.family = family
        self.statistics = statistics(family.shapes, family.runs)
        rng = np.random.default_rng(0)
        points = family.runs.shape[1]
        #: (kind, run, start, length); the initial checkpoint is left out
        self.windows = [
            (kind, run, 1 + int(rng.integers(points - length)), length)
            for kind, (length, count) in KINDS.items()
            for run in range(len(family.runs))
            for _ in range(count)
        ]
        blocks = lay_out(family.shapes.items())
        vectors = [signatures(run, list(family.shapes.values())) for run in family.runs]
        self.odds = np.array([log_odds(vectors[run][at : at + n], blocks) for _, run, at, n in self.windows])


def probe(read: Sequence[Floats]) -> tuple[npt.NDArray[np.float64], float, float]:
    """Coefficients, intercept and residual deviation of log(1 + epoch) on features of runs [M, K, f]."""
    rows = np.concatenate([part[:, 1:].reshape(-1, part.shape[2]) for part in read])
    epochs = np.concatenate([np.tile(np.arange(1, part.shape[1]), len(part)) for part in read])
    owners = np.concatenate([np.full(len(part) * (part.shape[1] - 1), i) for i, part in enumerate(read)])
    # a family in five is what the penalty is chosen by, so that it is one that holds on others
    held = np.isin(owners, np.arange(len(read))[:: max(2, len(read) // 3)])
    split = Split(np.flatnonzero(~held), np.flatnonzero(held), np.flatnonzero(held))
    target = np.log1p(epochs)
    fitted = fit_ridge(rows, target, split)
    left = target[held] - fitted.predict(rows[held])[:, 0]
    return fitted.coefficients[:, 0], float(fitted.intercepts[0]), float(left.std())


def evidence(runs: Runs, features: Floats, fitted: tuple[Floats, float, float]) -> Floats:
    """The trend of what the probe reads along each window, in deviations that chance would give it."""
    coefficients, intercept, deviation = fitted
    read = features @ coefficients + intercept
    found = []
    for _, run, at, length in runs.windows:
        time = np.arange(length) - (length - 1) / 2
        found.append(float(time @ read[run, at : at + length]) / (deviation * np.sqrt(time @ time)))
    return np.clip(found, -MOST, MOST)


def weights(rows: Floats, uses: Sequence[int]) -> Floats:
    """Log-odds per unit of the evidence used; reversal changes all signs, so there is no intercept."""
    chosen = rows[:, list(uses)]
    model = LogisticRegression(fit_intercept=False, C=100.0)
    model.fit(np.concatenate([chosen, -chosen]), np.r_[np.ones(len(rows)), np.zeros(len(rows))])
    found: Floats = model.coef_[0]
    return found


def judged(odds: Floats) -> str:
    confidence = 1 / (1 + np.exp(-np.abs(odds.clip(-LIMIT, LIMIT))))
    answered = confidence >= DECIDED
    of_those = f"{(odds[answered] > 0).mean():.2f}" if answered.any() else "–"
    return f"{(odds > 0).mean():.3f} / {answered.mean():.2f} / {of_those}"


def left_out(known: Mapping[str, list[Runs]], group: str, latents: Mapping[str, Floats]) -> list[tuple[Runs, Floats]]:
    """Of each family of the group: evidence [windows, 3] by the signals, s(W) and the embedding."""
    others = [runs for name, rows in known.items() if name != group for runs in rows]
    fitted = [probe([runs.statistics for runs in others]), probe([latents[runs.family.name] for runs in others])]
    found = []
    for runs in known[group]:
        features = (runs.statistics, latents[runs.family.name])
        read = [evidence(runs, part, one) for part, one in zip(features, fitted, strict=True)]
        found.append((runs, np.stack([runs.odds, *read], axis=1)))
    return found


def asked_of(
    known: Mapping[str, list[Runs]], group: str, latents: Mapping[str, Floats]
) -> dict[str, dict[str, Floats]]:
    """Way → kind of window → log-odds that the group's windows run forward."""
    others = {name: rows for name, rows in known.items() if name != group}
    inner = np.concatenate([rows for name in others for _, rows in left_out(others, name, latents)])
    outer = left_out(known, group, latents)
    kinds = np.concatenate([[kind for kind, *_ in runs.windows] for runs, _ in outer])
    rows = np.concatenate([found for _, found in outer])
    odds = {way: rows[:, list(uses)] @ weights(inner, uses) for way, uses in _USES.items()} | {"signals": rows[:, 0]}
    return {way: {kind: values[kinds == kind] for kind in KINDS} for way, values in odds.items()}


def show(name: str, odds: Mapping[str, Mapping[str, Floats]]) -> None:
    for kind in KINDS:
        print(f"| {name} | {kind} | " + " | ".join(judged(odds[way][kind]) for way in WAYS) + " |", flush=True)


def unseen(asked: argparse.Namespace) -> None:
    """Runs of a population of which others, ``--learn`` of them, are known."""
    family = (
        zoo(Path(asked.population))
        if Path(asked.population).is_dir()
        else population(asked.population, asked.data, asked.cache, seeds=asked.seeds)
    )
    known = family.runs[asked.first : asked.first + asked.learn]
    embedder = learnt([known], family.shapes, asked.recipe, asked.minutes, asked.cache)
    parts = {f"{i}": part for i, part in enumerate(np.array_split(known, 5))} | {"unseen": family.runs[: asked.judged]}
    groups = {name: [Runs(Family(name, family.shapes, part))] for name, part in parts.items()}
    latents = {name: embedded(embedder, part) for name, part in parts.items()}
    show(f"{Path(asked.population).name}: none", asked_of(groups, "unseen", latents))


def main() -> None:
    reader = parser(__doc__ or "")
    reader.add_argument("--population", help="only this population, or the zoo in this directory")
    reader.add_argument("--judged", type=int, default=30, help="runs of it that are judged")
    asked = reader.parse_args()
    print("| optimiser left out | windows | " + " | ".join(WAYS) + " |\n|---|---|" + "---|" * len(WAYS), flush=True)
    if asked.population:
        unseen(asked)
        return
    known = {
        group: [Runs(family) for family in families(group, asked.data, asked.cache, asked.drift)] for group in GROUPS
    }
    every: list[dict[str, dict[str, Floats]]] = []
    for group in GROUPS:
        learning = [runs.family.runs for name, rows in known.items() if name != group for runs in rows]
        embedder = learnt(learning, known[group][0].family.shapes, asked.recipe, asked.minutes, asked.cache)
        latents = {runs.family.name: embedded(embedder, runs.family.runs) for rows in known.values() for runs in rows}
        every.append(asked_of(known, group, latents))
        show(group, every[-1])
    together = {way: {kind: np.concatenate([one[way][kind] for one in every]) for kind in KINDS} for way in WAYS}
    show("**all**", together)


if __name__ == "__main__":
    main()
