"""How many of thousands of independent strangers are taken for copies or kin of models they have nothing to do with.

    python -m benchmarks.trajectory.strangers --data mnist14.npz --cache DIR

Trains small networks by the hundred, each from a seed of its own. A few of each kind are the known ones. Every other
one is a stranger: it is changed in one way (pruned, rounded, permuted, or not at all) and put to the tests that
`identify` puts a file to: values against every known model, units matched with one of them, with scales and without,
and placed among all of them by kinship. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.trajectory.copies import STEPS, Arrays
from mvc import trajectory
from mvc.geometry import PermutationSpec, derive, sign_tensor, transform
from mvc.geometry.explaining import explain
from mvc.geometry.matching import match_scaled, match_units, matched_null
from mvc.porcelain.copies import needed
from mvc.porcelain.permuted import BEYOND
from mvc.trajectory import lay_out
from mvc.zoo.cards import Architecture, Card, Conv, Optimiser
from mvc.zoo.data import load
from mvc.zoo.published import find_card
from mvc.zoo.train import Trainer

KNOWN, AT_ONCE, SLICE = 10, 250, 250
_SMALL = Card(
    name="strangers-relu", about="", architecture=Architecture(hidden=(10, 10), activation="relu"),
    optimiser=Optimiser("adam", 1e-2), batch=64, epochs=6, seeds=1, loss="ce",
)  # fmt: skip
_CNN = Architecture(hidden=(), activation="leaky_relu", convs=(Conv(16, 3, 2, 2), Conv(8, 3)), bias=False)
#: kind → card, training images, share of all strangers
KINDS: Mapping[str, tuple[Card, int, float]] = {
    "MLP 196-10-10-10, ReLU": (_SMALL, 512, 0.4),
    "MLP 196-10-10-10, sigmoid, no biases": (
        Card(name="strangers-sigmoid", about="", optimiser=Optimiser("adam", 2e-2), batch=64, epochs=6, seeds=1,
             architecture=Architecture(hidden=(10, 10), activation="sigmoid", bias=False), loss="ce"),
        512, 0.35,
    ),
    "CNN 16-8, leaky ReLU, no biases": (
        Card(name="strangers-cnn", about="", optimiser=Optimiser("adam", 1e-2), batch=64, epochs=6, seeds=1,
             architecture=_CNN, loss="ce"),
        512, 0.2,
    ),
    "the same, norms collapsing under weight decay": (
        replace(find_card("schurholt-borth-2021-cnn-collapsing"), name="strangers-collapsing", epochs=12),
        1024, 0.05,
    ),
}  # fmt: skip


@dataclass
class Found:
    """What strangers of one kind were taken for, and how near they came."""

    copies: int = 0
    permuted: int = 0
    trained_on: int = 0
    kin: int = 0
    cosine: float = 0.0

    def __add__(self, other: Found) -> Found:
        sums = (getattr(self, name) + getattr(other, name) for name in ("copies", "permuted", "trained_on", "kin"))
        return Found(*sums, cosine=max(self.cosine, other.cosine))


def models_of(card: Card, number: int, images: int, data: Path, cache: Path) -> npt.NDArray[np.float32]:
    """Weights [number, d] of models of all seeds, trained now or kept."""
    file = cache / f"{card.name}-{number}x{card.epochs}.npy"
    if not file.exists():
        cache.mkdir(parents=True, exist_ok=True)
        torch.set_num_threads(1)
        whole = load(data)
        some = type(whole)(
            "some", whole.x_train[:images], whole.y_train[:images], whole.x_test[:500], whole.y_test[:500]
        )
        parts, right = [], []
        for start in range(0, number, AT_ONCE):
            trainer = Trainer(card, some, range(start, min(start + AT_ONCE, number)))
            for _ in range(card.epochs):
                trainer.advance()
            parts.append(trainer.weights.numpy())
            right.append(float(trainer.accuracies()[1].mean()))
        np.save(file, np.concatenate(parts))
        print(f"{card.name}: {number} trained, accuracy {np.mean(right):.2f}", flush=True)
    weights: npt.NDArray[np.float32] = np.load(file)
    return weights[np.isfinite(weights).all(1)]  # some diverge


def judge(models: Sequence[Arrays], spec: PermutationSpec, rng: np.random.Generator) -> Found:
    """Puts every stranger to the tests; the first models are the known ones."""
    found, known = Found(), models[:KNOWN]
    names = sorted(known[0])
    signed = [vector(model, names) for model in known]
    blocks = lay_out((name, known[0][name].shape) for name in names)
    keys = tuple(f"{i:04}" for i in range(KNOWN))
    population = trajectory.Population(keys, np.stack(signed), blocks, (trajectory.Declared(),) * KNOWN)
    for stranger in models[KNOWN:]:
        step = rng.choice([*STEPS, "none"])
        file = stranger if step == "none" else STEPS[step][1](stranger, rng)
        found.copies += any(same_places(one, file) for one in known)
        one = known[int(rng.integers(KNOWN))]
        a, b = ({name: value.astype(np.float64) for name, value in model.items()} for model in (one, file))
        matching = match_units(a, b, spec)
        matchings = [(matching, False)]
        if any(units.scalable for units in spec.units):
            matchings.append((match_scaled(a, b, spec), True))
        made = [explain(one, file, spec, matched, scaled=scaled) for matched, scaled in matchings]
        found.permuted += any(row is not None and row.evidence > needed(KNOWN) for row in made)
        found.cosine = max(found.cosine, matching.cosine)
        if matching.cosine >= BEYOND:
            mean, _ = matched_null(a, b, spec)
            found.trained_on += (matching.cosine - mean) / (1 - mean) >= BEYOND
        found.kin += trajectory.identify(population, vector(file, names)) is not None
    return found


def same_places(a: Arrays, b: Arrays) -> bool:
    evidence = 0.0
    for name in sorted(a, key=lambda one: a[one].size):
        made = transform(a[name], b[name])
        if made is None:
            return False
        evidence += made.evidence
    return evidence > needed(KNOWN)


def vector(model: Arrays, names: Sequence[str]) -> npt.NDArray[np.float32]:
    return np.concatenate([sign_tensor(model[name]).values for name in names])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help=".npz or directory of IDX files")
    parser.add_argument("--cache", type=Path, default=Path("zoo-out"), help="where trained models are kept")
    parser.add_argument("--only", nargs="*", default=list(KINDS), help="names of kinds")
    parser.add_argument("--strangers", type=int, default=10_000, help="how many of all kinds")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    asked = parser.parse_args()
    print("| strangers | distinct | copies | permuted copies | trained on | kin | largest matched cosine | s |")
    print("|---|---|---|---|---|---|---|---|")
    for kind in asked.only:
        card, images, share = KINDS[kind]
        start, number = time.monotonic(), round(share * asked.strangers)
        weights = models_of(card, number + KNOWN, images, asked.data, asked.cache)
        shapes = card.architecture.shapes()
        ends = np.cumsum([int(np.prod(shape)) for shape in shapes.values()])[:-1]
        models = [
            {name: part.reshape(shape) for (name, shape), part in zip(shapes.items(), np.split(row, ends), strict=True)}
            for row in weights
        ]
        spec = derive(shapes)
        if spec is None:
            raise ValueError("no spec")
        slices = [models[:KNOWN] + models[at : at + SLICE] for at in range(KNOWN, len(models), SLICE)]
        seeds = [np.random.default_rng(seed) for seed in range(len(slices))]
        with ProcessPoolExecutor(asked.workers) as pool:
            f = sum(pool.map(judge, slices, [spec] * len(slices), seeds), Found())
        counts = f"{f.copies} | {f.permuted} | {f.trained_on} | {f.kin} | {f.cosine:.2f}"
        print(f"| {kind} | {len(models) - KNOWN} | {counts} | {time.monotonic() - start:.0f} |", flush=True)


if __name__ == "__main__":
    main()
