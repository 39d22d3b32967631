"""Families of one architecture that differ in optimiser, schedule and activation, and embedders that learn from some.

What `benchmarks.drift` and `benchmarks.trajectory` have trained, with tensors in the order of their names.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.drift.populations import CELLS, drifted
from benchmarks.trajectory.populations import trained
from mvc.embedding.embedder import Embedder, from_bytes
from mvc.embedding.recipes import find_recipe
from mvc.embedding.train import train
from mvc.geometry.statistics import TRIMMED, layer_statistics
from mvc.zoo.populations import read

Floats = npt.NDArray[np.float32]
Shapes = Mapping[str, tuple[int, ...]]
#: what runs are trained by → its families of perceptrons 196-32-16-10: cells of drift, populations of trajectories
GROUPS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "sgd": (("mlp-sgd-sigmoid", "mlp-sgd-relu", "mlp-sgd-gelu"), ("relu-sgd",)),
    "sgd growing": ((), ("relu-sgd-growing",)),
    "sgd restarts": ((), ("tanh-sgd-restarts",)),
    "adam": (("mlp-adam-sigmoid", "mlp-adam-relu", "mlp-adam-gelu"), ("relu-adam",)),
    "adamw cosine": (
        ("mlp-adamw-cosine-sigmoid", "mlp-adamw-cosine-relu", "mlp-adamw-cosine-gelu"),
        ("relu-adamw-cosine",),
    ),
}


def parser(about: str) -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(description=about)
    found.add_argument("--data", type=Path, required=True, help=".npz or directory of IDX files")
    found.add_argument("--cache", type=Path, default=Path("zoo-out"), help="populations of benchmarks.trajectory")
    found.add_argument("--drift", type=Path, default=Path("drift-out"), help="cells of benchmarks.drift")
    found.add_argument("--recipe", default="invariant")
    found.add_argument("--minutes", type=float, default=2.0, help="for each embedder")
    found.add_argument("--seeds", type=int, default=250, help="runs that a single population is trained with")
    found.add_argument("--first", type=int, default=200, help="the first of them that the embedder learns from")
    found.add_argument("--learn", type=int, default=40, help="how many it learns from")
    return found


@dataclass(frozen=True)
class Family:
    """``runs`` [M, K, d], the initial checkpoint first, tensors in the order of ``shapes``, which is that of names."""

    name: str
    shapes: Shapes
    runs: Floats


def by_name(weights: Floats, shapes: Shapes) -> tuple[Floats, Shapes]:
    """Weights [..., d] in the order of ``shapes``, and these, in the order of the tensors' names."""
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes.values()])[:-1]
    parts = dict(zip(shapes, np.split(weights, ends, axis=-1), strict=True))
    return np.concatenate([parts[name] for name in sorted(parts)], axis=-1), {
        name: shapes[name] for name in sorted(parts)
    }


def named(shapes: Shapes, weights: Floats) -> dict[str, Floats]:
    """name → array of one model [d]."""
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes.values()])[:-1]
    parts = zip(shapes.items(), np.split(weights, ends), strict=True)
    return {name: part.reshape(shape) for (name, shape), part in parts}


def population(name: str, data: Path, cache: Path, seeds: int | None = None) -> Family:
    found = trained(name, data, cache, seeds=seeds)
    runs, shapes = by_name(found.weights, found.card.architecture.shapes())
    return Family(name, shapes, runs)


def zoo(directory: Path) -> Family:
    """A population that `mvc zoo` trained, as it lies on disk."""
    found = read(directory)
    runs, shapes = by_name(np.asarray(found.weights), found.shapes)
    return Family(directory.name, shapes, runs)


def families(group: str, data: Path, cache: Path, drift: Path) -> list[Family]:
    """A group's families."""
    cells, populations = GROUPS[group]
    found = [population(name, data, cache) for name in populations]
    for name in cells:
        cell = drifted(CELLS[name], data, drift)
        runs, shapes = by_name(cell.healthy, cell.card.architecture.shapes())
        found.append(Family(name, shapes, runs))
    return found


def learnt(runs: Sequence[Floats], shapes: Shapes, recipe: str, minutes: float, cache: Path) -> Embedder:
    """An embedder of families' runs [M, K, d] each, of which every seventh is held out; from the cache, or trained now.

    Of longer runs as many checkpoints are taken as the shortest have.
    """
    points = min(run.shape[1] for run in runs)
    all_runs = np.concatenate([run[:, np.linspace(0, run.shape[1] - 1, points).round().astype(int)] for run in runs])
    digest = hashlib.blake2b(all_runs.tobytes() + repr((recipe, minutes)).encode(), digest_size=8).hexdigest()
    file = cache / f"embedder-{digest}.safetensors"
    if not file.exists():
        held = np.arange(len(all_runs)) % 7 == 6
        began = time.monotonic()
        chosen = find_recipe(recipe)
        made = train(all_runs[~held], shapes, chosen, validation=all_runs[held], minutes=minutes)
        file.write_bytes(made.to_bytes())
        print(f"{len(all_runs)} runs of {points} checkpoints, {recipe}: {time.monotonic() - began:.0f} s", flush=True)
    return from_bytes(file.read_bytes())


def statistics(shapes: Shapes, weights: Floats) -> npt.NDArray[np.float64]:
    """s(W) [..., features] of models [..., d]."""
    flat = weights.reshape(-1, weights.shape[-1])
    rows = [layer_statistics(named(shapes, model).values(), TRIMMED) for model in flat]
    return np.stack(rows).reshape(*weights.shape[:-1], -1)


def embedded(embedder: Embedder, weights: Floats) -> npt.NDArray[Any]:
    """Latents [..., latent] of models [..., d]."""
    flat = embedder.embed(weights.reshape(-1, weights.shape[-1]))
    return flat.reshape(*weights.shape[:-1], -1)
