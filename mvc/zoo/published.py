"""Every population that can be trained, by name: those of Schürholt & Borth 2021 ("An Investigation of the Weight
Space to Monitor the Training Progress of Neural Networks") and of Schürholt, Kostadinov & Borth 2021 ("Self-Supervised
Representation Learning on Neural Network Weights for Model Characteristic Prediction").

Of the second paper, architectures, kinds of hyperparameters and sizes of the seeded populations are its own, biases
begin at .01 as in the authors' code; batch sizes, learning rates and the values on the grids' axes are ours, chosen by
the accuracies that they reach (docs/zoo.md). Needs no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from mvc.errors import InputError, NotFoundError
from mvc.zoo.cards import Architecture, Card, Conv, Optimiser
from mvc.zoo.grids import Grid

_PAPER_CNN = Architecture(
    hidden=(), activation="leaky_relu", convs=(Conv(16, 3, stride=2, pool=2), Conv(8, 3)), bias=False
)

_MLP = Card(
    name="schurholt-borth-2021-mlp",
    about="Schürholt & Borth 2021, MLP 196-10-10-10 without biases on MNIST 14×14",
    architecture=Architecture(hidden=(10, 10), activation="sigmoid", bias=False),
    optimiser=Optimiser("sgd", lr=0.03, momentum=0.9, weight_decay=3e-4),
    batch=4,
    epochs=50,
    seeds=250,
)
_CNN = Card(
    name="schurholt-borth-2021-cnn",
    about="Schürholt & Borth 2021, CNN on MNIST 14×14; its row read as AdamW on mean squared error, which trains",
    architecture=_PAPER_CNN,
    optimiser=Optimiser("adamw", lr=3e-4, weight_decay=0.1),
    batch=12,
    epochs=50,
    seeds=250,
)
_COLLAPSING = replace(
    _CNN,
    name="schurholt-borth-2021-cnn-collapsing",
    about="Schürholt & Borth 2021, CNN; its row read as SGD on summed squared error: weight decay shrinks every norm",
    optimiser=Optimiser("sgd", lr=3e-4, momentum=0.9, weight_decay=0.1),
    loss="mse-sum",
)

_TETRIS = Card(
    name="tetris-seed",
    about="MLP 16-5-4 without biases on mvc's 4×4 tetris images; models differ by seed alone",
    architecture=Architecture(hidden=(5,), activation="tanh", bias=False, image=(1, 4, 4), classes=4),
    optimiser=Optimiser("adam", lr=3e-4),
    batch=4,
    epochs=75,
    seeds=1000,
    loss="ce",
    data="tetris",
)
_MNIST = Card(
    name="mnist-seed",
    about="CNN of 2,464 weights on 28×28 images; models differ by seed alone",
    architecture=Architecture(
        hidden=(20,), activation="tanh", convs=(Conv(8, 5, pool=2), Conv(6, 5, pool=2), Conv(4, 2)), image=(1, 28, 28)
    ),
    optimiser=Optimiser("adam", lr=1e-3, momentum=0.9),
    batch=16,
    epochs=25,
    seeds=1000,
    loss="ce",
    initial_bias=0.01,
)
_FASHION = replace(
    _MNIST,
    name="fashion-seed",
    about="CNN of 2,464 weights on 28×28 images, meant for Fashion-MNIST; models differ by seed alone",
)

_TETRIS_AXES: Mapping[str, tuple[object, ...]] = {
    "activation": ("tanh", "relu", "gelu"),
    "init": ("uniform", "normal", "kaiming_uniform", "kaiming_normal"),
    "lr": (1e-4, 3e-4, 1e-3),
}
_MNIST_AXES: Mapping[str, tuple[object, ...]] = {
    "activation": ("tanh", "relu", "gelu"),
    "init": ("normal", "kaiming_uniform", "kaiming_normal", "xavier_uniform"),
    "optimiser": ("sgd", "adam"),
    "lr": (1e-3, 3e-3, 1e-2),
    "dropout": (0.0, 0.2, 0.4),
    "weight_decay": (0.0, 1e-3, 1e-2),
}


def _mnist_hyp(seeds: int, *, fixed: bool) -> Grid:
    kind, many = "fix" if fixed else "rand", f"{seeds} model{'s'[: seeds > 1]}"
    whose = "the same seeds for all" if fixed else "every model's seed its own"
    base = replace(
        _MNIST,
        name=f"mnist-hyp-{seeds}-{kind}-seed",
        about=f"CNN of 2,464 weights on 28×28 images; hyperparameters vary, {many} of each combination, {whose}",
    )
    return Grid(base, _MNIST_AXES, seeds=seeds, fixed=fixed)


_GRIDS = (
    Grid(
        replace(
            _TETRIS,
            name="tetris-hyp",
            about="MLP of 100 weights on tetris images; activation, initialisation and learning rate vary",
        ),
        _TETRIS_AXES,
        seeds=100,
    ),
    *(_mnist_hyp(seeds, fixed=fixed) for seeds in (1, 5) for fixed in (True, False)),
)
_CARDS = (_MLP, _CNN, _COLLAPSING, _TETRIS, _MNIST, _FASHION)

POPULATIONS: Mapping[str, Grid] = MappingProxyType(
    {grid.base.name: grid for grid in (*(Grid(card, seeds=card.seeds) for card in _CARDS), *_GRIDS)}
)


def find_population(
    name: str, *, seeds: int | None = None, epochs: int | None = None, models: int | None = None
) -> Grid:
    """The population of that name, its counts changed where asked. Raises NotFoundError, InputError.

    ``seeds`` of every combination of hyperparameters, ``epochs`` of each model, ``models``: a sample of them all.
    """
    if name not in POPULATIONS:
        raise NotFoundError(f"no zoo card is called {name!r}", hint=f"one of: {', '.join(sorted(POPULATIONS))}")
    grid = POPULATIONS[name]
    if (seeds is not None and seeds < 1) or (epochs is not None and epochs < 0):
        raise InputError(
            "a population needs at least one seed, and epochs that are not negative",
            hint=f"as in: mvc zoo train {name} --seeds 10 --epochs 5",
        )
    base = grid.base if epochs is None else replace(grid.base, epochs=epochs)
    return replace(grid, base=base, seeds=grid.seeds if seeds is None else seeds, models=models)


def find_card(name: str) -> Card:
    """The card that the population of that name is made from. Raises NotFoundError."""
    return find_population(name).base
