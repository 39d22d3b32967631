"""Trained runs as walks of figures, healthy ones and what they became. Owns the cache of what is slow to make.

python -m benchmarks.drift.walks --data mnist.npz --cache DIR --zoo DIR
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.drift.populations import AGES, CELLS, CONDITIONS, HELD_OUT, drifted
from benchmarks.trajectory.populations import CARDS, FURTHER, trained
from mvc.drift import Layout, Siblings, profile_step, signs, surprises, walk
from mvc.drift.profiles import StepProfile
from mvc.zoo.cards import Card

Floats = npt.NDArray[np.float64]

#: steps that the last row of a walk depends on
_BEHIND = 6
#: points before the first that is judged, and the first step that is
FIRST = 5 - 1


@dataclass(frozen=True)
class Walks:
    """``healthy`` [runs, T, F]; ``shifted`` [ages, conditions, runs, F]: after so many healthy steps, or None."""

    name: str
    layout: Layout
    healthy: Floats
    shifted: Floats | None

    def siblings(self, run: int) -> Siblings | None:
        """Up to eight other runs."""
        return Siblings.of([row for number, row in enumerate(self.healthy) if number != run][:8])


@dataclass(frozen=True)
class Signs:
    """``healthy`` [runs, steps judged, A]; ``shifted`` [conditions, ages, runs, A], or None."""

    name: str
    healthy: Floats
    shifted: Floats | None


def walks(name: str, data: Path, cache: Path, zoo: Path) -> Walks:
    """Walks of a cell (healthy and shifted) or of a population of trajectories (healthy)."""
    known = CELLS | HELD_OUT
    card = known[name] if name in known else (CARDS | FURTHER)[name]
    layout = Layout.of(card.architecture.shapes())
    file = cache / f"walks-{name}.npz"
    if not file.exists():
        cache.mkdir(parents=True, exist_ok=True)
        if name in known:
            cell = drifted(card, data, cache)
            arrays = _shifted(card, layout, cell.healthy, cell.shifted)
        else:
            runs = trained(name, data, zoo).weights
            arrays = {"healthy": np.stack([_walk(card, layout, run) for run in runs])}
        np.savez(file.with_suffix(".part.npz"), **arrays)
        file.with_suffix(".part.npz").rename(file)
    kept = np.load(file)
    return Walks(name, layout, kept["healthy"], kept.get("shifted"))


def signs_of(found: Walks, *, siblings: bool) -> Signs:
    """Signs of every step that is judged."""
    kinds = [kind for kind, _ in found.layout.figures]
    usual = found.layout.usual
    healthy, shifted = [], []
    for run, values in enumerate(found.healthy):
        beside = found.siblings(run) if siblings else None
        healthy.append(signs(kinds, surprises(values, usual, beside, start=FIRST)))
        if found.shifted is None:
            continue
        steps = [
            surprises(np.vstack([values[:age], last[run][None]]), usual, beside, start=age)[0]
            for age, conditions in zip(AGES, found.shifted, strict=True)
            for last in conditions
        ]
        shifted.append(signs(kinds, np.stack(steps)).reshape(len(AGES), len(CONDITIONS), -1))
    return Signs(found.name, np.stack(healthy), np.stack(shifted).transpose(2, 1, 0, 3) if shifted else None)


def _shifted(
    card: Card, layout: Layout, healthy: npt.NDArray[np.float32], shifted: npt.NDArray[np.float32]
) -> dict[str, Floats]:
    paths = [_walk(card, layout, run) for run in healthy]
    last = np.empty((len(AGES), len(CONDITIONS), len(healthy), len(layout.figures)))
    for run, weights in enumerate(healthy):
        for i, age in enumerate(AGES):
            behind = weights[max(0, age - _BEHIND) : age + 1]
            profiles = _profiles(card, behind)
            for j in range(len(CONDITIONS)):
                path = np.vstack([behind, shifted[i, j, run][None]])
                further = _profiles(card, path[-2:])
                last[i, j, run] = walk(layout, [*profiles, *further], _cosines(path))[-1]
    return {"healthy": np.stack(paths), "shifted": last}


def _walk(card: Card, layout: Layout, weights: npt.NDArray[np.float32]) -> Floats:
    return walk(layout, _profiles(card, weights), _cosines(weights))


def _profiles(card: Card, weights: npt.NDArray[np.float32]) -> list[StepProfile]:
    models = [_tensors(card, row) for row in weights]
    return [profile_step(before, now) for before, now in pairwise(models)]


def _tensors(card: Card, weights: npt.NDArray[np.float32]) -> dict[str, npt.NDArray[np.float32]]:
    found, at = {}, 0
    for name, shape in card.architecture.shapes().items():
        size = int(np.prod(shape))
        found[name] = weights[at : at + size].reshape(shape)
        at += size
    return found


def _cosines(weights: npt.NDArray[np.float32]) -> Floats:
    """Between each step and the one before it, the first NaN."""
    steps = np.diff(weights.astype(np.float64), axis=0)
    lengths = np.linalg.norm(steps, axis=1)
    found = np.full(len(steps), np.nan)
    found[1:] = np.einsum("ij,ij->i", steps[1:], steps[:-1]) / np.maximum(lengths[1:] * lengths[:-1], 1e-300)
    return found


def parser(about: str) -> argparse.ArgumentParser:
    reader = argparse.ArgumentParser(description=about)
    reader.add_argument("--data", type=Path, required=True, help=".npz or directory of IDX files")
    reader.add_argument("--cache", type=Path, default=Path("drift-out"), help="where cells and walks are kept")
    reader.add_argument("--trained", action="store_true", help="only what the caches hold")
    reader.add_argument("--zoo", type=Path, default=Path("zoo-out"), help="where populations of trajectories are kept")
    return reader


def every(asked: argparse.Namespace, names: Iterable[str]) -> Iterator[Walks]:
    for name in names:
        if asked.trained and not (asked.cache / f"walks-{name}.npz").exists():
            continue
        yield walks(name, asked.data, asked.cache, asked.zoo)


if __name__ == "__main__":
    asked = parser(__doc__ or "").parse_args()
    for one in every(asked, [*CELLS, *HELD_OUT, *CARDS, *FURTHER]):
        print(one.name, one.healthy.shape, flush=True)
