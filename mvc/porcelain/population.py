"""Trains one of the zoo's populations into a directory of checkpoints. Owns where training keeps its state meanwhile.

Checkpoints appear in ``out`` when all are trained; until then ``.NAME.training`` beside it holds what an interrupted
run goes on from. The truth is written outside of ``out``: nothing that commits ``out`` may see it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from mvc.errors import ExistsError, InputError
from mvc.porcelain.progress import Report
from mvc.porcelain.results.zoos import ZooTrainResult
from mvc.porcelain.zoo import DEMO
from mvc.zoo.cards import find_card
from mvc.zoo.data import load
from mvc.zoo.demo import demo_population
from mvc.zoo.export import export, runs_of
from mvc.zoo.runs import train


def train_card(
    card: str,
    out: Path,
    *,
    seeds: int | None = None,
    epochs: int | None = None,
    data: Path | None = None,
    truth: Path | None = None,
    anonymous: bool = False,
    progress: Report | None = None,
) -> ZooTrainResult:
    """Trains ``card`` ("demo" or a card's name) and writes its checkpoints to ``out``, the truth to ``truth``.

    ``data`` is an .npz or a directory of IDX files; scikit-learn's digits unless given. Raises InputError, ExistsError.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ExistsError(f"{str(out)!r} is not empty", hint="give another directory with -o")
    truth = out.parent / f"{out.name}-truth.json" if truth is None else truth

    def report(what: str, done: int, total: int) -> None:
        if progress is not None:
            progress(done, total, what)

    if card == DEMO:
        if (seeds, epochs, data) != (None, None, None):
            raise InputError("the demo's population has one size", hint="choose a card from: mvc zoo list")
        known = demo_population(out, truth, progress=report)
    else:
        found = find_card(card)
        if (seeds is not None and seeds < 1) or (epochs is not None and epochs < 0):
            raise InputError("a population needs at least one seed, and epochs that are not negative")
        state = out.parent / f".{out.name}.training"
        numbers = None if seeds is None else range(seeds)
        population = train(found, load(data), state, seeds=numbers, epochs=epochs, progress=report)
        known = export(runs_of(population, card), out, truth, anonymous=anonymous)
        shutil.rmtree(state)
    return ZooTrainResult(
        card=card, out=str(out), truth=str(truth), runs=len(known["runs"]), checkpoints=len(known["files"])
    )
