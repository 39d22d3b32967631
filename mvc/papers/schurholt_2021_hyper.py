"""Schürholt, Kostadinov & Borth 2021, "Self-Supervised Representation Learning on Neural Network Weights for Model
Characteristic Prediction" (NeurIPS).

Owns the paper's tables as data, the printed numbers that are known here, and the readings taken where its text leaves
a choice. What each ablation varies is what the authors' scripts vary.
"""

from __future__ import annotations

import itertools
from typing import Any

from mvc.papers.cards import Population
from mvc.papers.characteristics.cards import CharacteristicsPaper, Representation, Row, Table

_PAPER = "schurholt-2021"
_OURS = "units"
_UNKNOWN: dict[str, float] = {}

_PRINTED_ECD = {
    "epoch": 97.0,
    "accuracy": 90.2,
    "gap": 81.9,
    "F1 0": 70.7,
    "F1 1": 75.9,
    "F1 2": 69.4,
    "F1 3": 86.6,
}
_PRINTED_STATISTICS = {"epoch": 96.4, "accuracy": 86.9, "gap": 81.0}

_W = Representation("weights")
_STATISTICS = Representation("statistics")
_REDUCTIONS = (
    ("PCA, linear", Representation("pca")),
    ("PCA, cosine", Representation("pca-cosine")),
    ("PCA, rbf", Representation("pca-rbf")),
    ("UMAP", Representation("umap")),
)


def _embedding(recipe: str = _PAPER, *, statistics: bool = False, **changes: Any) -> Representation:
    # half the digits in products: up to twice the steps in a minute
    return Representation("embedding", recipe, {"precision": "bfloat16", **changes}, statistics)


#: the paper's tokens, loss, augmentations and latent space in a quarter of the width, trained as ours is
_FAST: dict[str, Any] = {
    "width": 64,
    "feedforward": 128,
    "dropout": 0.0,
    "lr": 2e-3,
    "schedule": "one-cycle",
    "per_model": 10,
    "epochs": 20,
}


def _ablation(label: str, **changes: Any) -> Row:
    """The paper's recipe on TETRIS-SEED, in the size that trains in minutes, changed."""
    return Row(label, "tetris-seed", _embedding(**{**_FAST, **changes}), _UNKNOWN)


def _comparison(zoo: str, ecd: dict[str, float], statistics: dict[str, float], **paper: Any) -> tuple[Row, ...]:
    """Every representation of one population; ``paper``: how the paper's recipe is changed for it."""
    return (
        Row("W", zoo, _W, _UNKNOWN),
        Row("s(W)", zoo, _STATISTICS, statistics),
        Row("ours", zoo, _embedding(_OURS)),
        Row("ours + s(W)", zoo, _embedding(_OURS, statistics=True)),
        *(Row(label, zoo, representation, _UNKNOWN) for label, representation in _REDUCTIONS),
        Row("E_cD", zoo, _embedding(**paper), ecd, longer=4),
        Row("E_cD + s(W)", zoo, _embedding(**paper, statistics=True), longer=4),
        Row("E_cD, small and fast", zoo, _embedding(**_FAST)),
    )


def _beyond(first: str, *others: str) -> tuple[Row, ...]:
    """Three representations of ``first``, their probes judged on each of the others."""
    return tuple(
        Row(label, first, representation, printed, beyond=other)
        for other in others
        for label, representation, printed in (
            ("W", _W, _UNKNOWN),
            ("s(W)", _STATISTICS, _UNKNOWN),
            ("ours", _embedding(_OURS), None),
        )
    )


_MNIST_HYP = ("mnist-hyp-1-fix-seed", "mnist-hyp-1-rand-seed", "mnist-hyp-5-fix-seed", "mnist-hyp-5-rand-seed")
_GENERATED = ("tetris-seed", "tetris-hyp", "mnist-seed", *_MNIST_HYP)
_MNIST = {
    "width": 800,
    "heads": 2,
    "blocks": 4,
    "feedforward": 1000,
    "latent": 700,
    "projection": (400, 400, 400, 400, 50),
}

CARD = CharacteristicsPaper(
    name="schurholt-2021-hyper",
    title="Self-Supervised Representation Learning on Neural Network Weights for Model Characteristic Prediction",
    about="Schürholt, Kostadinov & Borth 2021: accuracy, epoch and hyperparameters read from learned representations",
    zoos=tuple(Population(name=name, zoo=name) for name in _GENERATED),
    tables=(
        Table(
            "tetris-seed",
            "all representations, one architecture from many seeds",
            _comparison("tetris-seed", _PRINTED_ECD, _PRINTED_STATISTICS),
        ),
        Table(
            "tetris-hyp",
            "all representations where activation, initialisation and learning rate vary",
            _comparison("tetris-hyp", _UNKNOWN, _UNKNOWN, feedforward=900),
        ),
        Table(
            "mnist-hyp",
            "all representations where hyperparameters of a convolutional network vary",
            _comparison(_MNIST_HYP[0], _UNKNOWN, _UNKNOWN, **_MNIST),
        ),
        Table(
            "1",
            "losses",
            (
                _ablation("ED", loss="ED"),
                _ablation("E_c", loss="E_c"),
                _ablation("E_c+D", loss="E_c+D"),
                _ablation("E_cD"),
            ),
        ),
        Table(
            "2",
            "encoders and tokens",
            (
                _ablation("feed-forward", encoder="feedforward"),
                _ablation("weights, aggregate", tokens="weight", pooling="aggregate"),
                _ablation("weights, compression token", tokens="weight"),
                _ablation("neurons, aggregate", pooling="aggregate"),
                _ablation("neurons, compression token"),
                Row("hidden units, compression token", "tetris-seed", _embedding(**_FAST, tokens="unit")),
            ),
        ),
        Table(
            "3",
            "augmentations",
            tuple(
                _ablation(
                    ", ".join(name for name, on in zip(("permutation", "erasing", "noise"), used, strict=True) if on)
                    or "none",
                    permute=used[0],
                    erase=0.5 if used[1] else 0.0,
                    noise=0.05 if used[2] else 0.0,
                )
                for used in itertools.product((False, True), repeat=3)
            ),
        ),
        Table("12", "compression", tuple(_ablation(f"{size} of 100", latent=size) for size in (50, 33, 20))),
        Table("7", "another population: TETRIS", _beyond("tetris-seed", "tetris-hyp"), "kendall"),
        Table("11", "another population: TETRIS, the other way", _beyond("tetris-hyp", "tetris-seed"), "kendall"),
        Table("13", "another population: MNIST, from fixed seeds", _beyond(*_MNIST_HYP), "kendall"),
        Table("14", "another population: MNIST, from random seeds", _beyond(*_MNIST_HYP[::-1]), "kendall"),
        Table(
            "4",
            "what varies in a population",
            tuple(
                Row(label, zoo, representation, printed)
                for zoo in _GENERATED
                for label, representation, printed in (
                    ("W", _W, _UNKNOWN),
                    ("s(W)", _STATISTICS, _UNKNOWN),
                    ("ours", _embedding(_OURS), None),
                )
            ),
        ),
    ),
    components=50,
    initial=False,
    repeats=3,
    minutes=5,
    notes=(
        "Printed numbers are of the paper's own populations and images: its TETRIS images are in no public code, ours "
        "are another data set of the same kind. Rows stand beside them, and are not to be equal to them.",
        "Probes: ridge regression, α of 1e3 to 1e-5, multinomial logistic regression of categories; 70 / 15 / 15 % of "
        "the models to fit, to choose by and to judge by. Features are standardised by the rows that are fitted to.",
        "Checkpoints before training are left out; so are models that diverged: weights that overflowed or grew to ten "
        "times the median model's norm. Learning rates and weight decays are read as they are, not in logarithms.",
        "PCA with a radial kernel and UMAP are fitted to 2,000 rows of training models, all other rows placed "
        "afterwards; linear and cosine PCA are exact, on all training rows.",
        "Tables 1, 2, 3 and 12 change one thing of E_cD, small and fast: in the paper's size each takes hours.",
        "E_cD is the authors' recipe (their code: Adam 1e-4, batches of 500, up to 1,000 epochs on a GPU) for four "
        "times as many minutes by the clock as were given. Its positive-only loss (E_c+D) is the paper's Eq. 3, which "
        "their code contradicts.",
        "Which of the tables 7, 11, 13 and 14 has which pair of populations is our division; so are named tables.",
    ),
)
