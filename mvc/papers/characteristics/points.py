"""A population as probes take it: rows of weights, the model each is of, and what is to be read from them.

Owns which facts of a population are targets. Only what varies in it is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mvc.embedding.probes import Floats, Ints
from mvc.errors import InputError
from mvc.zoo.populations import Zoo

Weights = npt.NDArray[np.float32]
Labels = npt.NDArray[np.str_]

#: targets that are numbers, and the fact that each is, in the order of columns; F1 has a column for each class
NUMBERS = (
    ("epoch", "epoch"),
    ("accuracy", "test_accuracy"),
    ("gap", "gap"),
    ("F1", "f1"),
    ("learning rate", "lr"),
    ("weight decay", "weight_decay"),
    ("dropout", "dropout"),
    ("fraction", "fraction"),
)
#: a model this many times as large as the median one, at any checkpoint, has diverged
DIVERGED = 10
CATEGORIES = (("activation", "activation"), ("initialisation", "init"), ("optimiser", "optimiser"))


@dataclass(frozen=True, eq=False)
class Points:
    """M models of K checkpoints each, n = M · K rows, model by model in order.

    ``left_out`` models had diverged, or facts that are not finite. ``accuracy`` [M] is that of the last checkpoint.
    """

    rows: Weights  # (n, d)
    owners: Ints  # (n,)
    checkpoints: int
    shapes: Mapping[str, tuple[int, ...]]
    numbers: Mapping[str, Floats]  # each (n,)
    categories: Mapping[str, Labels]  # each (n,)
    accuracy: Floats
    left_out: int

    def of(self, owners: npt.ArrayLike) -> Weights:
        """Weights [m, K, d] of the models numbered ``owners``."""
        grid = self.rows.reshape(-1, self.checkpoints, self.rows.shape[1])
        chosen: Weights = grid[np.asarray(owners)]
        return chosen


def lay_out(zoo: Zoo, *, initial: bool) -> Points:
    """Rows and targets of a population, the checkpoints before training left out unless ``initial``.

    Models that diverged are left out by their weights' norm alone: a linear probe is at the mercy of rows a thousand
    times as large as all others. Raises InputError where fewer than three models are left.
    """
    first = 0 if initial else 1
    weights = zoo.weights[:, first:]  # (M, K, d)
    facts = {name: _by_checkpoint(values, zoo, first) for name, values in zoo.facts.items()}  # each (M, K, …)
    facts["epoch"] = np.broadcast_to(np.asarray(zoo.epochs)[first:], weights.shape[:2])
    numbers = {target: column for target, fact in NUMBERS for target, column in _columns(target, facts.get(fact))}
    norms = np.linalg.norm(weights.astype(np.float64), axis=2).max(1)  # (M,)
    sound = np.isfinite(norms)
    if sound.any():
        sound &= norms <= DIVERGED * np.median(norms[sound])
    for column in numbers.values():
        sound &= np.isfinite(column).all(1)
    if sound.sum() < 3:
        raise InputError(f"{int(sound.sum())} of {len(weights)} models did not diverge: too few to be probed")
    models, checkpoints = int(sound.sum()), weights.shape[1]
    flat = {target: column[sound].reshape(-1).astype(np.float64) for target, column in numbers.items()}
    texts = {target: facts[fact][sound].reshape(-1).astype(np.str_) for target, fact in CATEGORIES if fact in facts}
    return Points(
        rows=np.ascontiguousarray(weights[sound]).reshape(models * checkpoints, -1),
        owners=np.repeat(np.arange(models), checkpoints),
        checkpoints=checkpoints,
        shapes=zoo.shapes,
        numbers={target: column for target, column in flat.items() if _varies(column)},
        categories={target: column for target, column in texts.items() if _varies(column)},
        accuracy=facts["test_accuracy"][sound, -1].astype(np.float64),
        left_out=len(weights) - models,
    )


def _by_checkpoint(values: npt.NDArray[Any], zoo: Zoo, first: int) -> npt.NDArray[Any]:
    """[M, K, …] of a fact [M, K, …], or [M], which all checkpoints of a model share; the first ones cut off."""
    models, checkpoints = zoo.weights.shape[:2]
    if values.ndim == 1:
        return np.broadcast_to(values[:, None], (models, checkpoints))[:, first:]
    return values[:, first:]


def _columns(target: str, values: npt.NDArray[Any] | None) -> list[tuple[str, npt.NDArray[Any]]]:
    """The target's columns [M, K]: one, or one for each class; none of a fact that the population does not have."""
    if values is None:
        return []
    if values.ndim == 2:
        return [(target, values)]
    return [(f"{target} {number}", values[..., number]) for number in range(values.shape[2])]


def _varies(column: npt.NDArray[Any]) -> bool:
    return bool((column != column[0]).any())
