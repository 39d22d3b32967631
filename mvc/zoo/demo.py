"""The demo's population: both of the first paper's networks on scikit-learn's digits, a fork and a corrupted step.

Owns which runs there are and how long they train. The digits are few, so checkpoints lie several epochs apart.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from mvc.zoo.cards import Card
from mvc.zoo.data import Dataset, digits
from mvc.zoo.export import ForkPoint, Run, export, runs_of
from mvc.zoo.published import find_card
from mvc.zoo.shifts import only_classes, permuted_classes
from mvc.zoo.train import Progress, State, Trainer, train_population

CHECKPOINTS = 20  # of each run, the initial one included
MLP = replace(find_card("schurholt-borth-2021-mlp"), seeds=12, epochs=3 * (CHECKPOINTS - 1), checkpoint_every=3)
CNN = replace(find_card("schurholt-borth-2021-cnn"), seeds=6, epochs=9 * (CHECKPOINTS - 1), checkpoint_every=9)

FORKED_ROW, FORKED_AT, FORK_CHECKPOINTS, FORK_CLASSES = 3, 9, 8, range(5)
CORRUPTED_ROW = 7


def demo_population(
    out: Path, truth: Path, *, cards: tuple[Card, Card] = (MLP, CNN), progress: Progress | None = None
) -> dict[str, Any]:
    """Trains the population (about half a minute) and writes anonymous checkpoints to ``out``; returns the truth.

    The fork goes on from one MLP's middle on half of the classes, with a fresh optimiser; another MLP's last interval
    is trained on digits that each bear another digit's name.
    """
    data = digits()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # layers this small lose more by handing work over than they gain
    try:
        runs = [*_mlps(cards[0], data, progress), *_cnns(cards[1], data, progress)]
    finally:
        torch.set_num_threads(threads)
    return export(runs, out, truth, anonymous=True, seed=2021)


def _mlps(card: Card, data: Dataset, progress: Progress | None) -> list[Run]:
    last = card.epochs // card.checkpoint_every
    population = train_population(Trainer(card, data, range(card.seeds)), keep=(FORKED_AT, last - 1), progress=progress)
    runs = runs_of(population, "mlp")
    parent = runs[FORKED_ROW]
    start = population.states[FORKED_AT].of([FORKED_ROW], fresh=True)
    half = only_classes(data, FORK_CLASSES)
    fork = _continued(card, half, parent, start, seed=1000 + parent.seed, checkpoints=FORK_CHECKPOINTS)
    fork = replace(
        fork,
        name=f"{parent.name}-fork",
        parent=ForkPoint(parent.name, FORKED_AT),
        note=f"fine-tuned on the classes {list(FORK_CLASSES)}, fresh optimiser",
    )
    healthy = runs[CORRUPTED_ROW]
    start = population.states[last - 1].of([CORRUPTED_ROW])
    end = _continued(card, permuted_classes(data), healthy, start, seed=healthy.seed, checkpoints=1)
    runs[CORRUPTED_ROW] = replace(
        healthy,
        weights=torch.cat([healthy.weights[:last], end.weights]),  # (K, d)
        metrics=healthy.metrics[:last] + end.metrics,
        note="its last interval saw permuted labels",
        corrupted=(last,),
    )
    return [*runs, fork]


def _cnns(card: Card, data: Dataset, progress: Progress | None) -> list[Run]:
    return runs_of(train_population(Trainer(card, data, range(card.seeds)), progress=progress), "cnn")


def _continued(card: Card, data: Dataset, parent: Run, start: State, *, seed: int, checkpoints: int) -> Run:
    """``checkpoints`` more of one model, the start left out."""
    trainer = Trainer(card, data, [seed], start=start)
    run = runs_of(train_population(trainer, checkpoints * card.checkpoint_every), parent.name)[0]
    return replace(
        run,
        weights=run.weights[1:],  # (K, d)
        epochs=run.epochs[1:],
        metrics=run.metrics[1:],
    )
