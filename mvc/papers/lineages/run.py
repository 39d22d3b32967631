"""Runs a paper's card: trains its populations in a directory, measures by its protocol and by mvc's engine.

Owns the sequence; training resumes where it was interrupted, measuring is done anew. Writes nothing but the zoos.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from mvc.errors import InputError
from mvc.papers.lineages.cards import LineagePaper, Scores, ZooCard
from mvc.papers.lineages.engine import SKETCH, Weights, judge_engine, judge_reduced, known_runs, sketch
from mvc.papers.lineages.outcome import EngineScores, Measured, PaperOutcome, ZooOutcome
from mvc.papers.lineages.protocol import Floats, Ints, measure, truncated_svd
from mvc.zoo.cards import Card
from mvc.zoo.data import Dataset
from mvc.zoo.published import find_card
from mvc.zoo.runs import train
from mvc.zoo.train import Progress, Trainer

Illustrate = Callable[[ZooCard, Weights], str]
#: seeds that are trained side by side
BLOCK = 50


def run_paper(
    paper: LineagePaper,
    data: Dataset,
    out: Path,
    *,
    seeds: int | None = None,
    epochs: int | None = None,
    only: Sequence[str] = (),
    progress: Progress | None = None,
    illustrate: Illustrate | None = None,
) -> PaperOutcome:
    """Trains and measures the paper's zoos (all, or those named by ``only``), each in a directory of ``out``.

    ``illustrate`` is given each zoo's card and the weights that the paper's protocol sees; it names its figure.
    ``seeds`` and ``epochs`` of the zoos' cards unless given; at least two of each. Raises InputError.
    """
    unknown = set(only) - {zoo.name for zoo in paper.zoos}
    if unknown:
        known = ", ".join(zoo.name for zoo in paper.zoos)
        raise InputError(f"{paper.name} has no zoo {sorted(unknown)[0]!r}", hint=f"one of: {known}")
    chosen = [zoo for zoo in paper.zoos if not only or zoo.name in only]
    first = find_card(chosen[0].zoo)
    seeds, epochs = seeds or first.seeds, epochs or first.epochs
    if min(seeds, epochs) < 2:
        raise InputError("runs can be told apart and put in order where there are two seeds and two epochs at least")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # layers this small lose more by handing work over than they gain
    try:
        outcomes = tuple(
            _run_zoo(paper, zoo, data, out / zoo.name, (seeds, epochs), progress, illustrate) for zoo in chosen
        )
    finally:
        torch.set_num_threads(threads)
    return PaperOutcome(paper.name, paper.title, data.name, seeds, epochs, outcomes, paper.notes)


def _run_zoo(
    paper: LineagePaper,
    zoo: ZooCard,
    data: Dataset,
    out: Path,
    size: tuple[int, int],
    progress: Progress | None,
    illustrate: Illustrate | None,
) -> ZooOutcome:
    def report(what: str, done: int) -> None:
        if progress is not None:
            progress(f"{zoo.name}: {what}", done, 2 if illustrate is None else 3)

    card = find_card(zoo.zoo)
    begun = time.monotonic()
    weights, accuracy = train_zoo(card, data, out, size, progress)  # (S, K, d), the initial checkpoint first
    trained = time.monotonic()
    report("the paper's protocol", 0)
    seen = weights if paper.initial else weights[:, 1:]
    protocol = _protocol(paper, zoo, seen)
    measured = time.monotonic()
    report("mvc's inference", 1)
    engine = _engine(paper, weights, card.architecture.shapes())
    if illustrate is not None:
        report("figures", 2)
    return ZooOutcome(
        zoo=zoo.name,
        card=zoo.zoo,
        reading=zoo.reading,
        weights=card.architecture.size,
        accuracy=accuracy,
        protocol=protocol,
        engine=engine,
        training_seconds=round(trained - begun, 1),
        protocol_seconds=round(measured - trained, 1),
        figure=None if illustrate is None else illustrate(zoo, seen),
    )


def train_zoo(
    card: Card,
    data: Dataset,
    out: Path,
    size: tuple[int, int],
    progress: Progress | None = None,
    *,
    trainer: type[Trainer] = Trainer,
) -> tuple[Weights, float]:
    """Weights [seeds, checkpoints, d] and mean test accuracy after the last epoch, of ``size`` (seeds, epochs).

    Seeds are trained by the block, each in a directory of its own: a long training leaves whole runs wherever it is
    stopped, and a later one with more seeds goes on from them.
    """
    seeds, epochs = size
    blocks = [range(first, min(first + BLOCK, seeds)) for first in range(0, seeds, BLOCK)]
    weights, accuracies = [], []
    for number, block in enumerate(blocks):

        def report(what: str, done: int, total: int, before: int = number) -> None:
            if progress is not None:
                progress(what, before * total + done, len(blocks) * total)

        place = out / f"{block[0]:04d}-{block[-1]:04d}"
        population = train(card, data, place, seeds=block, epochs=epochs, progress=report, trainer=trainer)
        weights.append(population.weights.numpy())
        accuracies.append(population.test_accuracy[:, -1].numpy())
    return np.concatenate(weights), float(np.concatenate(accuracies).mean())


def _protocol(paper: LineagePaper, zoo: ZooCard, weights: Weights) -> tuple[Measured, ...]:
    points, truth = _points(weights)
    ranks = [rank for rank in paper.ranks if rank < min(points.shape)]  # more are no reduction of a small population
    reduced = truncated_svd(points, max(ranks)) if ranks else points
    representations = {"weights": points, **{f"svd-{rank}": reduced[:, :rank] for rank in ranks}}
    return tuple(
        Measured(name, measure(coordinates, *truth.T), zoo.printed.get(name, Scores()))
        for name, coordinates in representations.items()
    )


def _engine(paper: LineagePaper, weights: Weights, shapes: Mapping[str, tuple[int, ...]]) -> tuple[EngineScores, ...]:
    """Told nothing: from all weights with and without the initial checkpoints, then from a few numbers a model."""
    points, truth = _points(weights if paper.initial else weights[:, 1:])
    reduced = {f"sketch-{SKETCH}": sketch(points)}
    if min(points.shape) > paper.engine_rank:
        reduced[f"svd-{paper.engine_rank}"] = truncated_svd(points, paper.engine_rank)
    return (
        judge_engine(weights[:, 1:], shapes, initial=False),
        judge_engine(weights, shapes, initial=True),
        *(judge_reduced(few, truth, name, initial=paper.initial) for name, few in reduced.items()),
    )


def _points(weights: Weights) -> tuple[Floats, Ints]:
    """Points [S·K, d] of weights [S, K, d], and the run and place of each."""
    seeds, length, size = weights.shape
    return weights.reshape(-1, size).astype(np.float64), known_runs(seeds, length)
