"""Whose checkpoint is whose once every checkpoint's units were shuffled: single linkage of weights, latents, matchings.

    python -m benchmarks.embedding.shuffled --data mnist14.npz --cache DIR --minutes 2

Runs of one population, of which every ``--every``-th checkpoint is kept, each with its hidden units in an order of its
own. Distances: of weights as they stand; of latents of an embedder that learnt from other runs; of weights after the
units of each pair were matched. Single linkage is cut where there are as many parts as runs. Prints Markdown: purity;
share of checkpoints whose nearest neighbour is of the same run; of the order that seriation gives each run alone, the
share of neighbours that are neighbours in time; seconds of the processor. Units as they are for comparison.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import combinations, pairwise

import numpy as np
import numpy.typing as npt
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist, squareform

from benchmarks.embedding.families import Floats, Shapes, learnt, named, parser, population
from benchmarks.trajectory.copies import permuted, spec_of
from mvc.embedding.embedder import Embedder
from mvc.geometry.matching import match_units
from mvc.trajectory.ordering import order_epochs

Distances = npt.NDArray[np.float64]  # squared, condensed, as SciPy has them


def models_of(runs: Floats, shapes: Shapes, *, shuffle: bool) -> Floats:
    """Models of [M, K, d], each with its hidden units in an order of its own if so wished, [M · K, d]."""
    rng = np.random.default_rng(0)
    found = [named(shapes, model) for run in runs for model in run]
    moved = [permuted(model, rng) for model in found] if shuffle else found
    return np.stack([np.concatenate([model[name].reshape(-1) for name in shapes]) for model in moved])


def of_weights(models: Floats, shapes: Shapes, embedder: Embedder) -> Distances:
    return pdist(models, "sqeuclidean")


def of_latents(models: Floats, shapes: Shapes, embedder: Embedder) -> Distances:
    return pdist(embedder.embed(models), "sqeuclidean")


def of_matched(models: Floats, shapes: Shapes, embedder: Embedder) -> Distances:
    """1 - cosine after matching: half a squared distance of standardised weights."""
    arrays = [{name: part.astype(np.float64) for name, part in named(shapes, model).items()} for model in models]
    spec = spec_of(arrays[0])
    return np.array([1 - match_units(a, b, spec).cosine for a, b in combinations(arrays, 2)])


WAYS: dict[str, Callable[[Floats, Shapes, Embedder], Distances]] = {
    "weights": of_weights,
    "latents": of_latents,
    "matched": of_matched,
}


def judged(distances: Distances, runs: int, points: int) -> tuple[float, float, float]:
    """Purity, share of nearest neighbours of the same run, share of neighbours in time that an order puts together."""
    owners = np.repeat(np.arange(runs), points)
    parts = fcluster(linkage(distances, "single"), runs, "maxclust")
    purity = sum(np.bincount(owners[parts == part]).max() for part in np.unique(parts)) / len(owners)
    square = squareform(distances)
    np.fill_diagonal(square, np.inf)
    nearest = square.argmin(1)
    own = owners[nearest] == owners
    together = []
    for run in range(runs):
        own_part = slice(run * points, (run + 1) * points)
        part = square[own_part, own_part].copy()
        np.fill_diagonal(part, 0.0)
        together += [abs(a - b) == 1 for a, b in pairwise(order_epochs(part).tolist())]
    return float(purity), float(own.mean()), float(np.mean(together))


def main(arguments: Sequence[str] | None = None) -> None:
    reader = parser(__doc__ or "")
    reader.add_argument("--population", default="schurholt-borth-2021-mlp")
    reader.add_argument("--every", type=int, nargs="*", default=[1, 5, 10])
    reader.add_argument("--models", type=int, default=120, help="about how many checkpoints are shuffled")
    asked = reader.parse_args(arguments)
    found = population(asked.population, asked.data, asked.cache, seeds=asked.seeds)
    learning = found.runs[asked.first : asked.first + asked.learn]
    embedder = learnt([learning], found.shapes, asked.recipe, asked.minutes, asked.cache)
    print("| every | runs | units | distance | purity | nearest of the same run | order: pairs | s |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for every in asked.every:
        points = len(range(1, found.runs.shape[1], every))
        runs = max(2, asked.models // points)
        for shuffle in (False, True):
            models = models_of(found.runs[:runs, 1::every], found.shapes, shuffle=shuffle)
            for name, way in WAYS.items():
                if name == "matched" and not shuffle:
                    continue
                began = time.process_time()
                distances = way(models, found.shapes, embedder)
                seconds = time.process_time() - began
                cells = " | ".join(f"{value:.3f}" for value in judged(distances, runs, points))
                units = "shuffled" if shuffle else "as they are"
                print(f"| {every} | {runs} × {points} | {units} | {name} | {cells} | {seconds:.2f} |", flush=True)


if __name__ == "__main__":
    main()
