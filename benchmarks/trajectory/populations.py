"""The populations that trajectory inference is fitted to and measured on. Trains them once and keeps them as .npz.

python -m benchmarks.trajectory.populations --data mnist.npz --cache DIR
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from mvc.papers.lineages.engine import signatures
from mvc.trajectory import Block, lay_out
from mvc.zoo.cards import Architecture, Card, Conv, Optimiser, Schedule
from mvc.zoo.data import load
from mvc.zoo.published import find_card
from mvc.zoo.train import Trainer, train_population

_WIDE = Architecture(hidden=(32, 16), activation="relu")


def _card(name: str, optimiser: Optimiser, architecture: Architecture, schedule: Schedule | None = None) -> Card:
    return Card(
        name=name,
        about=name,
        architecture=architecture,
        optimiser=optimiser,
        batch=64,
        epochs=30,
        seeds=6,
        loss="ce",
        schedule=schedule or Schedule(),
        init="kaiming_uniform",
    )


#: the paper's own zoos, and optimiser × activation families beside them
CARDS: Mapping[str, Card] = {
    card.name: card
    for card in (
        replace(find_card("schurholt-borth-2021-mlp"), seeds=12),
        replace(find_card("schurholt-borth-2021-cnn"), seeds=12),
        replace(find_card("schurholt-borth-2021-cnn-collapsing"), seeds=12),
        _card("relu-sgd", Optimiser("sgd", 0.05, momentum=0.9, weight_decay=1e-4), _WIDE),
        _card("relu-sgd-growing", Optimiser("sgd", 0.02, momentum=0.9), _WIDE, Schedule("growing", factor=5.0)),
        _card("relu-adam", Optimiser("adam", 1e-3), _WIDE),
        _card("relu-adamw-cosine", Optimiser("adamw", 1e-3, weight_decay=0.01), _WIDE, Schedule("cosine")),
        _card("tanh-sgd-restarts", Optimiser("sgd", 0.03, momentum=0.9, weight_decay=1e-4),
              replace(_WIDE, activation="tanh"), Schedule("warm-restarts", period=10)),
        _card("gelu-cnn-adam", Optimiser("adam", 1e-3),
              Architecture(hidden=(), activation="gelu", convs=(Conv(16, 3, 2, 2), Conv(8, 3)))),
        _card("sigmoid-nobias-sgd", Optimiser("sgd", 0.1, momentum=0.9),
              Architecture(hidden=(20,), activation="sigmoid", bias=False)),
    )
}  # fmt: skip

_NARROW = Architecture(hidden=(20, 10), activation="relu")
#: further optimiser × activation families, for what is fitted and judged on families left out
FURTHER: Mapping[str, Card] = {
    card.name: card
    for card in (
        _card("relu-sgd-decay", Optimiser("sgd", 0.02, momentum=0.9, weight_decay=1e-3), _NARROW),
        _card("tanh-adam", Optimiser("adam", 1e-3), replace(_NARROW, activation="tanh")),
        _card("gelu-nobias-adamw", Optimiser("adamw", 1e-3, weight_decay=0.1),
              Architecture(hidden=(20,), activation="gelu", bias=False)),
        _card("sigmoid-adam-cosine", Optimiser("adam", 2e-3), replace(_NARROW, activation="sigmoid"),
              Schedule("cosine")),
        _card("relu-sgd-cosine", Optimiser("sgd", 0.1, weight_decay=1e-4), _NARROW, Schedule("cosine")),
        # weight decay so strong that norms shrink while these learn
        _card("relu-sgd-shrinking", Optimiser("sgd", 0.02, momentum=0.9, weight_decay=1e-2), _NARROW),
        _card("tanh-adamw-shrinking", Optimiser("adamw", 1e-3, weight_decay=1.0), replace(_NARROW, activation="tanh")),
    )
}  # fmt: skip


@dataclass(frozen=True)
class Trained:
    """Weights [seeds, checkpoints, d] of one card, initial checkpoint first, and its tensors' shapes."""

    card: Card
    weights: npt.NDArray[np.float32]

    def blocks(self) -> tuple[Block, ...]:
        return lay_out(self.card.architecture.shapes().items())

    def vectors(self, seed: int) -> npt.NDArray[np.float32]:
        """Signatures [checkpoints, k] of one run."""
        return signatures(self.weights[seed], list(self.card.architecture.shapes().values()))


def trained(name: str, data: Path, cache: Path, *, seeds: int | None = None, epochs: int | None = None) -> Trained:
    """The population of one card, from the cache or trained now.

    A seed gives every card of one architecture and initialisation the same initial weights.
    """
    card = CARDS[name] if name in CARDS else FURTHER[name]
    card = replace(card, seeds=seeds or card.seeds, epochs=epochs or card.epochs)
    file = cache / f"{name}-{card.seeds}x{card.epochs}.npz"
    if not file.exists():
        cache.mkdir(parents=True, exist_ok=True)
        torch.set_num_threads(1)
        start = time.monotonic()
        population = train_population(Trainer(card, load(data), range(card.seeds)))
        np.savez(file.with_suffix(".part.npz"), weights=population.weights.numpy())
        file.with_suffix(".part.npz").rename(file)
        accuracy = float(population.test_accuracy[:, -1].mean())
        print(
            f"{name}: {card.seeds} × {card.epochs}, accuracy {accuracy:.3f}, {time.monotonic() - start:.0f} s",
            flush=True,
        )
    return Trained(card, np.load(file)["weights"])


def parser(about: str) -> argparse.ArgumentParser:
    reader = argparse.ArgumentParser(description=about)
    reader.add_argument("--data", type=Path, required=True, help=".npz or directory of IDX files")
    reader.add_argument("--cache", type=Path, default=Path("zoo-out"), help="where trained populations are kept")
    reader.add_argument("--only", nargs="*", default=list(CARDS), help="names of populations")
    return reader


def arguments(about: str) -> argparse.Namespace:
    return parser(about).parse_args()


if __name__ == "__main__":
    asked = arguments(__doc__ or "")
    for one in asked.only:
        trained(one, asked.data, asked.cache)
