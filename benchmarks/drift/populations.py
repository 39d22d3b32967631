"""Healthy runs and what they become within one interval after something goes wrong. Owns cells, conditions and ages.

    python -m benchmarks.drift.populations --data mnist.npz --cache DIR [--held-out] [--only CELL ...]

A cell is optimiser × activation × architecture. From each run's state at some ages, optimiser state kept, one more
interval is trained under every condition. Kept as .npz: ``healthy`` [seeds, checkpoints, d], ``shifted``
[ages, conditions, seeds, d], where the healthy checkpoint before a shifted one is ``ages[i]``.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from mvc.zoo import shifts
from mvc.zoo.cards import Activation, Architecture, Card, Conv, Optimiser, Schedule
from mvc.zoo.data import Dataset, load
from mvc.zoo.train import Population, State, Trainer, train_population

Shift = Callable[[Dataset, int], Dataset]

#: condition → what becomes of a run's data, by its seed. Those that keep the number of images are trained side by side
SHIFTS: Mapping[str, Shift] = {
    "label-noise-10": lambda data, seed: shifts.label_noise(data, 0.1, seed=seed),
    "label-noise-20": lambda data, seed: shifts.label_noise(data, 0.2, seed=seed),
    "relabelled": lambda data, seed: shifts.relabelled(data, seed % 10, (seed + 3) % 10),
    "rotated-15": lambda data, seed: shifts.rotated(data, 15),
    "rotated-90": lambda data, seed: shifts.rotated(data, 90),
    "inverted": lambda data, seed: shifts.inverted(data),
    "input-noise": lambda data, seed: shifts.input_noise(data, 0.3, seed=seed),
    "backdoor": lambda data, seed: shifts.backdoor(data, 0.05, target=seed % 10, seed=seed),
    "subset-same-steps": lambda data, seed: _repeated(shifts.subset(data, 0.1, seed=seed), 10),
    "missing": lambda data, seed: shifts.without_class(data, seed % 10),
    "subset": lambda data, seed: shifts.subset(data, 0.1, seed=seed),
}
#: condition → multiple of the learning rate, data as they were
RATES: Mapping[str, float] = {"lr-x2": 2.0, "lr-x5": 5.0, "optimiser-reset": 1.0}
CONDITIONS = (*SHIFTS, *RATES)

#: images an interval trains on: a third of MNIST, so that a cell takes minutes
IMAGES = 20_000
EPOCHS = 24
AGES = (6, 11, 16, 21)  # the last healthy checkpoint before the shifted one

_MLP = Architecture(hidden=(32, 16), activation="relu")
_CNN = Architecture(hidden=(), activation="relu", convs=(Conv(12, 3, 2), Conv(16, 3, 1, 2)))
_OPTIMISERS: Mapping[str, tuple[Optimiser, Schedule]] = {
    "sgd": (Optimiser("sgd", 0.05, momentum=0.9, weight_decay=1e-4), Schedule()),
    "adam": (Optimiser("adam", 1e-3), Schedule()),
    "adamw-cosine": (Optimiser("adamw", 2e-3, weight_decay=0.05), Schedule("cosine")),
}
_ACTIVATIONS: tuple[Activation, ...] = ("sigmoid", "relu", "gelu")


def _repeated(data: Dataset, times: int) -> Dataset:
    return replace(
        data,
        name=f"{data.name}x{times}",
        x_train=np.tile(data.x_train, (times, 1, 1)),
        y_train=np.tile(data.y_train, times),
    )


def _cell(name: str, optimiser: Optimiser, schedule: Schedule, architecture: Architecture, **more: object) -> Card:
    return Card(name, name, architecture, optimiser, batch=64, epochs=EPOCHS, seeds=6, loss="ce",
                init="kaiming_uniform", schedule=schedule, **more)  # type: ignore[arg-type]  # fmt: skip


def _cells() -> Iterator[Card]:
    for kind, shape in (("mlp", _MLP), ("cnn", _CNN)):
        for name, (optimiser, schedule) in _OPTIMISERS.items():
            for activation in _ACTIVATIONS:
                architecture = replace(shape, activation=activation)
                # sigmoids in a deep network need the larger rate to leave the plateau
                rate = replace(optimiser, lr=optimiser.lr * (3 if activation == "sigmoid" else 1))
                yield _cell(f"{kind}-{name}-{activation}", rate, schedule, architecture)


CELLS: Mapping[str, Card] = {card.name: card for card in _cells()}
#: families that nothing is fitted on: other depths, activations, losses, schedules and batch sizes
HELD_OUT: Mapping[str, Card] = {
    card.name: card
    for card in (
        _cell("mlp-sgd-plain-tanh", Optimiser("sgd", 0.1), Schedule(), Architecture((24,), "tanh")),
        _cell("mlp-sgd-cosine-relu", Optimiser("sgd", 0.05, momentum=0.9), Schedule("cosine"),
              Architecture((20, 20, 20), "relu")),
        _cell("mlp-adam-steps-gelu", Optimiser("adam", 2e-3), Schedule("step", period=8, factor=0.3),
              Architecture((48,), "gelu")),
        _cell("mlp-sgd-restarts-tanh", Optimiser("sgd", 0.03, momentum=0.9, weight_decay=1e-4),
              Schedule("warm-restarts", period=8), Architecture((32, 16), "tanh")),
        _cell("mlp-sgd-growing-relu", Optimiser("sgd", 0.02, momentum=0.9), Schedule("growing", factor=4.0),
              Architecture((32,), "relu")),
        replace(_cell("mlp-sgd-mse-sigmoid", Optimiser("sgd", 0.03, momentum=0.9, weight_decay=3e-4), Schedule(),
                      Architecture((10, 10), "sigmoid", bias=False)), loss="mse", batch=8),
        _cell("cnn-adamw-leaky", Optimiser("adamw", 1e-3, weight_decay=0.1), Schedule(),
              Architecture((), "leaky_relu", convs=(Conv(16, 3, 2, 2), Conv(8, 3)), bias=False)),
        _cell("cnn-sgd-cosine-tanh", Optimiser("sgd", 0.03, momentum=0.9), Schedule("cosine"),
              Architecture((24,), "tanh", convs=(Conv(8, 5, 2, 2),))),
    )
}  # fmt: skip


@dataclass(frozen=True)
class Drifted:
    """One cell: ``healthy`` [seeds, checkpoints, d], ``shifted`` [ages, conditions, seeds, d]."""

    card: Card
    healthy: npt.NDArray[np.float32]
    shifted: npt.NDArray[np.float32]
    conditions: tuple[str, ...]
    ages: tuple[int, ...]

    def tensors(self, weights: npt.NDArray[np.float32]) -> dict[str, npt.NDArray[np.float32]]:
        """name → array of one model [d]."""
        found, at = {}, 0
        for name, shape in self.card.architecture.shapes().items():
            size = int(np.prod(shape))
            found[name] = weights[at : at + size].reshape(shape)
            at += size
        return found


def drifted(card: Card, data: Path, cache: Path) -> Drifted:
    """A cell from the cache, or trained now."""
    file = cache / f"{card.name}.npz"
    if not file.exists():
        cache.mkdir(parents=True, exist_ok=True)
        start = time.monotonic()
        healthy, shifted = _train(card, load(data))
        part = file.with_suffix(".part.npz")
        np.savez(part, healthy=healthy.weights.numpy(), shifted=shifted)
        part.rename(file)
        accuracy = float(healthy.test_accuracy[:, -1].mean())
        print(f"{card.name}: accuracy {accuracy:.3f}, {time.monotonic() - start:.0f} s", flush=True)
    kept = np.load(file)
    return Drifted(card, kept["healthy"], kept["shifted"], CONDITIONS, AGES)


def _train(card: Card, data: Dataset) -> tuple[Population, npt.NDArray[np.float32]]:
    seeds = range(card.seeds)
    some = np.random.default_rng(1).permutation(len(data.x_train))[:IMAGES]
    data = replace(data, x_train=data.x_train[some], y_train=data.y_train[some])
    healthy = train_population(Trainer(card, data, seeds), keep=AGES)
    made = {name: [shift(data, seed) for seed in seeds] for name, shift in SHIFTS.items()}
    shifted = np.stack([_branch(card, data, made, healthy.states[age]) for age in AGES])
    return healthy, shifted


def _branch(card: Card, data: Dataset, made: Mapping[str, list[Dataset]], state: State) -> npt.NDArray[np.float32]:
    """One interval after ``state`` [conditions, seeds, d]."""
    seeds = range(card.seeds)
    found: dict[str, list[npt.NDArray[np.float32]]] = {name: [] for name in CONDITIONS}
    whole = [name for name, sets in made.items() if len({len(one.x_train) for one in sets} | {IMAGES}) == 1]
    groups = [[(name, seed) for name in whole for seed in seeds]]
    groups += [[(name, seed)] for name in made if name not in whole for seed in seeds]
    for group in groups:
        sets = [made[name][seed] for name, seed in group]
        trainer = Trainer(card, sets, [s for _, s in group], start=state.of([s for _, s in group]), epochs=card.epochs)
        trainer.advance()
        for (name, _), weights in zip(group, trainer.weights.numpy(), strict=True):
            found[name].append(weights)
    for name, rate in RATES.items():
        start = state.of(list(seeds), fresh=name == "optimiser-reset")
        trainer = Trainer(card, data, seeds, start=start, lr=[rate] * card.seeds, epochs=card.epochs)
        trainer.advance()
        found[name] = list(trainer.weights.numpy())
    return np.stack([np.stack(found[name]) for name in CONDITIONS])


def parser(about: str) -> argparse.ArgumentParser:
    reader = argparse.ArgumentParser(description=about)
    reader.add_argument("--data", type=Path, required=True, help=".npz or directory of IDX files")
    reader.add_argument("--cache", type=Path, default=Path("drift-out"), help="where trained cells are kept")
    reader.add_argument("--held-out", action="store_true", help="families that nothing is fitted on")
    reader.add_argument("--only", nargs="*", help="names of cells")
    return reader


def cells(asked: argparse.Namespace) -> list[Card]:
    known = HELD_OUT if asked.held_out else CELLS
    return [known[name] for name in (asked.only or known)]


if __name__ == "__main__":
    asked = parser(__doc__ or "").parse_args()
    torch.set_num_threads(1)
    for card in cells(asked):
        drifted(card, asked.data, asked.cache)
