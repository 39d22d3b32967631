"""Populations as real checkpoint files, with the truth about them kept elsewhere. Owns file names and the truth's form.

Anonymous files bear random names, lie in one directory, and are written in random order, so that neither names nor
times tell where they came from. The truth file (JSON) says of each file its run, checkpoint, epoch and metrics, and of
each run its card, seed, hyperparameters, parent and what was done to it.

While files are being written, their directory holds a mark with a digest of the truth: by it an interrupted export is
known and gone on with. Nothing else that lies where files or the truth should go is ever overwritten.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import save
from torch import Tensor

from mvc.errors import ExistsError, InputError
from mvc.zoo.files import write_whole
from mvc.zoo.grids import Member
from mvc.zoo.nets import views
from mvc.zoo.populations import Zoo
from mvc.zoo.train import Population

TRUTH_VERSION = 1
_MARK = ".mvc-export"


@dataclass(frozen=True)
class ForkPoint:
    """The checkpoint (from 0) of another run that a run started from; it is not repeated in the run itself."""

    run: str
    checkpoint: int


@dataclass(frozen=True, eq=False)
class Run:
    """One model's checkpoints: weights (K, d), laid out as ``shapes`` say, and for each of the K its epoch and metrics.

    ``card`` is the name of what it was trained by, ``hyperparameters`` what is known of these, its seed included.
    Metrics are train_accuracy, test_accuracy, gap (their difference) and f1_0, f1_1, … of each class on the test
    images. ``corrupted`` lists the checkpoints whose training since the one before saw corrupted data.
    """

    name: str
    card: str
    hyperparameters: Mapping[str, float | int | str]
    shapes: Mapping[str, tuple[int, ...]]
    weights: Tensor
    epochs: tuple[float, ...]
    metrics: tuple[Mapping[str, float], ...]
    parent: ForkPoint | None = None
    note: str = ""
    corrupted: tuple[int, ...] = ()

    @property
    def seed(self) -> int:
        return int(self.hyperparameters["seed"])

    def file(self, number: int) -> bytes:
        """Checkpoint ``number`` as safetensors, float32."""
        weights = views(self.weights[[number]], self.shapes)
        return save({name: view[0].contiguous() for name, view in weights.items()}, {"format": "pt"})

    def place(self, number: int) -> str:
        """Where checkpoint ``number`` lies among all runs' files."""
        return f"{self.name}/checkpoint-{number:03d}.safetensors"


def runs_of(population: Population, prefix: str) -> list[Run]:
    """One Run a model, named by its seed: ``prefix-007``."""
    scores = zip(population.train_accuracy, population.test_accuracy, population.f1, strict=True)  # (K,) (K,) (K, C)
    return [
        Run(
            f"{prefix}-{seed:03d}",
            card.name,
            Member(card, seed).hyperparameters(),
            card.architecture.shapes(),
            weights,
            population.epochs,
            _metrics(*map(Tensor.numpy, found)),
        )
        for seed, card, weights, found in zip(
            population.seeds, population.cards, population.weights, scores, strict=True
        )
    ]


def runs_of_zoo(zoo: Zoo) -> list[Run]:
    """One Run a model, named by its number in the population: ``NAME-007``. F1 where it is known."""
    facts = zoo.facts
    known = [name for name, column in facts.items() if column.ndim == 1]
    said: list[dict[str, Any]] = [{name: facts[name][row].item() for name in known} for row in range(len(zoo.weights))]
    if zoo.members:
        said = [member.hyperparameters() for member in zoo.members]
    cards = [member.card.name for member in zoo.members] or [zoo.name] * len(zoo.weights)
    scores = zip(facts["train_accuracy"], facts["test_accuracy"], facts.get("f1", cards), strict=True)
    return [
        Run(
            f"{zoo.name}-{number:03d}",
            card,
            about,
            zoo.shapes,
            torch.from_numpy(weights),
            tuple(zoo.epochs.tolist()),
            _metrics(train, test, f1 if "f1" in facts else None),
        )
        for number, (card, about, weights, (train, test, f1)) in enumerate(
            zip(cards, said, zoo.weights, scores, strict=True)
        )
    ]


def _metrics(
    train: npt.NDArray[Any], test: npt.NDArray[Any], f1: npt.NDArray[Any] | None
) -> tuple[Mapping[str, float], ...]:
    """From accuracies (K,) and F1 (K, classes); what is not known of a checkpoint is left out."""
    columns = {"train_accuracy": train, "test_accuracy": test, "gap": train.astype(np.float64) - test}
    if f1 is not None:
        columns |= {f"f1_{number}": column for number, column in enumerate(f1.T)}
    return tuple(
        {name: round(float(column[at]), 6) for name, column in columns.items() if np.isfinite(column[at])}
        for at in range(len(train))
    )


def check_places(out: Path, truth: Path) -> None:
    """Raises ExistsError where ``out`` or ``truth`` holds something that is no interrupted export's, InputError where
    the truth would lie among the files."""
    if truth.resolve().is_relative_to(out.resolve()):
        raise InputError(f"the truth {truth} would lie among the checkpoints", hint="give a path outside the directory")
    if (out / _MARK).is_file():
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ExistsError(f"{str(out)!r} is not empty", hint="give a new directory")
    if truth.exists():
        raise ExistsError(f"{str(truth)!r} is there already", hint="give the truth another place, or delete that file")


def export(
    runs: Sequence[Run],
    out: Path,
    truth: Path,
    *,
    anonymous: bool = False,
    seed: int = 0,
    last: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Writes every checkpoint as safetensors (float32) into ``out`` and returns the truth that it wrote to ``truth``.

    Named files are ``RUN/checkpoint-NNN.safetensors``. Anonymous names and their order of writing are drawn from
    ``seed``. Whoever is interrupted, before or while ``last`` is called at the end, may export the same again. Raises
    what ``check_places`` raises, and ExistsError where ``out`` holds another interrupted export.
    """
    check_places(out, truth)
    if len({run.name for run in runs}) != len(runs):
        raise InputError("two runs bear one name")
    places = [(run, number) for run in runs for number in range(len(run.weights))]
    stream = random.Random(seed)
    if anonymous:
        stream.shuffle(places)
        names = [f"{name:08x}.safetensors" for name in stream.sample(range(1 << 32), len(places))]
    else:
        names = [run.place(number) for run, number in places]
    known = _known(runs, dict(zip(names, places, strict=True)))
    content = json.dumps(known, indent=1).encode()
    _claim(out, truth, content)
    for (run, number), name in zip(places, names, strict=True):
        write_whole(out / name, run.file(number))
    write_whole(truth, content)
    last()
    (out / _MARK).unlink()
    return known


def _claim(out: Path, truth: Path, content: bytes) -> None:
    """Marks ``out`` as being written, or finds that it is, and by this very export."""
    mark, digest = out / _MARK, hashlib.blake2b(content).hexdigest().encode()
    if not mark.is_file():
        write_whole(mark, digest)
    elif mark.read_bytes() != digest:
        raise ExistsError(
            f"{str(out)!r} holds an interrupted export of other checkpoints or names",
            hint=f"give the same settings to go on with it, or start anew after: rm -r {out}",
        )
    if truth.exists() and truth.read_bytes() != content:
        raise ExistsError(f"{str(truth)!r} is there already", hint="give the truth another place, or delete that file")


def _known(runs: Sequence[Run], files: Mapping[str, tuple[Run, int]]) -> dict[str, Any]:
    """The truth about ``runs`` and their ``files`` (name → run and checkpoint)."""
    return {
        "version": TRUTH_VERSION,
        "runs": {
            run.name: {
                "card": run.card,
                "seed": run.seed,
                "hyperparameters": dict(run.hyperparameters),
                "checkpoints": len(run.weights),
                "parent": asdict(run.parent) if run.parent else None,
                "note": run.note,
                "corrupted": list(run.corrupted),
            }
            for run in runs
        },
        "files": {
            name: {
                "run": run.name,
                "checkpoint": number,
                "epoch": run.epochs[number],
                **{key: round(value, 4) for key, value in run.metrics[number].items()},
            }
            for name, (run, number) in files.items()
        },
    }
