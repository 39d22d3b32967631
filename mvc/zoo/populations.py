"""Trained populations, read from disk: weights, and what is known of every model and checkpoint. Needs no torch.

Owns the value ``Zoo`` and the form of ``population.json``; ``growing`` writes it. A population's models are trained in
groups, each in a directory of its own (``runs``):

    population.json      name, and for each group its directory and which models it has
    groups/00/…          one group, as ``mvc.zoo.runs`` lays it out
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mvc.errors import IntegrityError, MvcError, NotFoundError
from mvc.zoo.cards import Card
from mvc.zoo.grids import Member

POPULATION_VERSION = 1
FILE = "population.json"
_MEASURED = ("train_accuracy", "test_accuracy", "f1")


@dataclass(frozen=True, eq=False)
class Zoo:
    """M models of one architecture at K checkpoints, the initial one first.

    ``weights`` [M, K, d] float32, a model's tensors (``shapes``, in that order) flattened one after another; ``epochs``
    [K]. ``facts`` has, by name, arrays whose first axis is the model: train_accuracy, test_accuracy and gap (their
    difference) [M, K], f1 of every class on the test images [M, K, classes], and the hyperparameters [M]: lr,
    weight_decay, dropout, fraction, batch, seed as numbers, activation, init, optimiser as text. Zoos that others have
    trained lack what is not known of them, and their ``members``.
    """

    name: str
    weights: npt.NDArray[np.float32]
    shapes: Mapping[str, tuple[int, ...]]
    epochs: npt.NDArray[np.float64]
    members: tuple[Member, ...]
    facts: Mapping[str, npt.NDArray[Any]]


def read(path: Path | str) -> Zoo:
    """The population at ``path``, finished training. Raises NotFoundError (none there), IntegrityError (damaged, or not
    trained to its end)."""
    path = Path(path)
    if not (path / FILE).is_file():
        raise NotFoundError(f"no population at {path}", hint="train one with: mvc zoo train CARD --population DIR")
    plan = _json(path / FILE)
    try:
        groups = [(path / str(group["directory"]), [int(n) for n in group["models"]]) for group in plan["groups"]]
        places = [number for _, models in groups for number in models]
        if plan["version"] != POPULATION_VERSION or not places or sorted(places) != list(range(len(places))):
            raise ValueError("version or models")
        name = str(plan["name"])
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(path / FILE, error) from error
    return _joined(name, places, [_read_group(directory, len(models)) for directory, models in groups])


def _joined(name: str, places: list[int], groups: list[_Group]) -> Zoo:
    """Groups put together; the model in row n of them all is the population's ``places[n]``."""
    order = np.argsort(places)
    members = [member for group in groups for member in group.members]
    shapes = members[0].card.architecture.shapes()
    first = groups[0]
    for group in groups:
        if not np.array_equal(group.arrays["epoch"], first.arrays["epoch"]):
            raise IntegrityError(f"{name}: its groups' checkpoints are of different epochs")
    arrays = {key: np.concatenate([group.arrays[key] for group in groups])[order] for key in ("weights", *_MEASURED)}
    members = [members[row] for row in order]
    facts = {key: arrays[key] for key in _MEASURED}
    facts["gap"] = facts["train_accuracy"] - facts["test_accuracy"]
    said = [member.hyperparameters() for member in members]
    facts |= {key: np.array([one[key] for one in said]) for key in said[0]}
    return Zoo(name, arrays["weights"], shapes, first.arrays["epoch"], tuple(members), facts)


def read_checkpoints(directory: Path, total: int) -> dict[str, npt.NDArray[Any]]:
    """The initial checkpoint and ``total`` more of a zoo's ``directory``: epoch [K], the others [S, K, …].

    Raises IntegrityError for files that are damaged or not there.
    """
    found: dict[str, npt.NDArray[Any]] = {}
    for number in range(total + 1):
        file = directory / "checkpoints" / f"{number:04d}.npz"
        if not file.is_file():
            message = f"{directory} lacks checkpoint {number} of {total}: its training is not finished"
            raise IntegrityError(message, hint="go on with it by the command that began it")
        try:
            with file.open("rb") as raw, np.load(raw, allow_pickle=False) as stored:
                for name in ("epoch", "weights", *_MEASURED):
                    array = np.atleast_1d(stored[name])
                    if not number:  # filled one by one: a population is never in memory twice
                        found[name] = np.empty((len(array), total + 1, *array.shape[1:]), array.dtype)
                    found[name][:, number] = array
        except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise _damaged(file, error) from error
    return {**found, "epoch": found["epoch"][0]}


@dataclass(frozen=True, eq=False)
class _Group:
    members: tuple[Member, ...]
    arrays: Mapping[str, npt.NDArray[Any]]


def _read_group(directory: Path, models: int) -> _Group:
    known = directory / "zoo.json"
    if not known.is_file():
        message = f"{directory} lacks a group's {known.name}: training is not finished"
        raise IntegrityError(message, hint="go on with it by the command that began it")
    plan = _json(known)
    try:
        cards = [Card.from_plain(plain) for plain in plan["cards"]]
        members = tuple(Member(cards[number], int(seed)) for number, seed in plan["models"])
        total = int(plan["epochs"]) * cards[0].checkpoints_per_epoch // cards[0].checkpoint_every
        if len(members) != models:
            raise ValueError(f"{len(members)} models, {models} expected")
    except (KeyError, IndexError, TypeError, ValueError, MvcError) as error:
        raise _damaged(known, error) from error
    group = _Group(members, read_checkpoints(directory, total))
    if group.arrays["weights"].shape[::2] != (models, cards[0].architecture.size):
        raise _damaged(directory, f"weights of shape {group.arrays['weights'].shape}")
    return group


def _json(file: Path) -> dict[str, Any]:
    try:
        known = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise _damaged(file, error) from error
    if not isinstance(known, dict):
        raise _damaged(file, "no JSON object")
    return known


def _damaged(file: Path, what: object) -> IntegrityError:
    return IntegrityError(f"{file} is damaged: {what}", hint="delete the directory and train anew")
