"""Populations as real checkpoint files, with the truth about them kept elsewhere. Owns file names and the truth's form.

Anonymous files bear random names, lie in one directory, and are written in random order, so that neither names nor
times tell where they came from. The truth file (JSON) says of each file its run, checkpoint, epoch and accuracies, and
of each run its card, seed, parent and what was done to it.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import save
from torch import Tensor

from mvc.errors import ExistsError, InputError
from mvc.zoo.cards import Architecture
from mvc.zoo.files import write_whole
from mvc.zoo.nets import views
from mvc.zoo.train import Population

TRUTH_VERSION = 1


@dataclass(frozen=True)
class ForkPoint:
    """The checkpoint (from 0) of another run that a run started from; it is not repeated in the run itself."""

    run: str
    checkpoint: int


@dataclass(frozen=True, eq=False)
class Run:
    """One model's checkpoints: weights (K, d), and for each of the K its epoch and accuracies.

    ``corrupted`` lists the checkpoints whose training since the one before saw corrupted data.
    """

    name: str
    card: str
    architecture: Architecture
    seed: int
    weights: Tensor
    epochs: tuple[float, ...]
    train_accuracy: tuple[float, ...]
    test_accuracy: tuple[float, ...]
    parent: ForkPoint | None = None
    note: str = ""
    corrupted: tuple[int, ...] = ()


def runs_of(population: Population, prefix: str) -> list[Run]:
    """One Run a model, named by its seed: ``prefix-007``."""
    return [
        Run(
            f"{prefix}-{seed:03d}",
            population.cards[row].name,
            population.cards[row].architecture,
            seed,
            population.weights[row],  # (K, d)
            population.epochs,
            tuple(population.train_accuracy[row].tolist()),
            tuple(population.test_accuracy[row].tolist()),
        )
        for row, seed in enumerate(population.seeds)
    ]


def export(runs: Sequence[Run], out: Path, truth: Path, *, anonymous: bool = False, seed: int = 0) -> dict[str, Any]:
    """Writes every checkpoint as safetensors (float32) into ``out`` and returns the truth that it wrote to ``truth``.

    Named files are ``RUN/checkpoint-NNN.safetensors``. Anonymous names and their order of writing are drawn from
    ``seed``. Raises ExistsError where ``out`` is not empty and InputError where the truth would lie among the files.
    """
    if len({run.name for run in runs}) != len(runs):
        raise InputError("two runs bear one name")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ExistsError(f"{out} is not empty", hint="give a new directory")
    if truth.resolve().is_relative_to(out.resolve()):
        raise InputError(f"the truth {truth} would lie among the checkpoints", hint="give a path outside the directory")
    places = [(run, number) for run in runs for number in range(len(run.weights))]
    stream = random.Random(seed)
    if anonymous:
        stream.shuffle(places)
        names = [f"{name:08x}.safetensors" for name in stream.sample(range(1 << 32), len(places))]
    else:
        names = [f"{run.name}/checkpoint-{number:03d}.safetensors" for run, number in places]
    files = {}
    for (run, number), name in zip(places, names, strict=True):
        tensors = {key: view[0].contiguous() for key, view in views(run.weights[[number]], run.architecture).items()}
        write_whole(out / name, save(tensors, {"format": "pt"}))
        files[name] = {
            "run": run.name,
            "checkpoint": number,
            "epoch": run.epochs[number],
            "train_accuracy": round(run.train_accuracy[number], 4),
            "test_accuracy": round(run.test_accuracy[number], 4),
        }
    known = {
        "version": TRUTH_VERSION,
        "runs": {
            run.name: {
                "card": run.card,
                "seed": run.seed,
                "checkpoints": len(run.weights),
                "parent": asdict(run.parent) if run.parent else None,
                "note": run.note,
                "corrupted": list(run.corrupted),
            }
            for run in runs
        },
        "files": files,
    }
    write_whole(truth, json.dumps(known, indent=1).encode())
    return known
