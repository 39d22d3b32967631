"""What came out of this protocol: frozen values, from which JSON and tables are made. Computes nothing but means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from mvc.papers.characteristics.cards import Measure


@dataclass(frozen=True)
class Spread:
    """Values of the repeats so far, their mean, and their sample deviation where there are two or more."""

    mean: float
    deviation: float | None
    values: tuple[float, ...]


def spread(values: Sequence[float]) -> Spread | None:
    """None of nothing."""
    if not values:
        return None
    return Spread(fmean(values), stdev(values) if len(values) > 1 else None, tuple(values))


@dataclass(frozen=True)
class Cell:
    """One target: R², accuracy or τ on test models, the same on the validation models that chose, and as printed."""

    target: str
    measured: Spread | None
    validation: Spread | None
    printed: float | None


@dataclass(frozen=True)
class RowOutcome:
    """``width``: numbers a model is represented by. ``recipe``: every hyperparameter of an embedding, else None.

    ``minutes``: processor time of one training, the mean over repeats; ``limit``: the most that it was given, by the
    clock. ``missing``: why nothing was measured.
    ``in_paper``: whether the paper has this row.
    """

    label: str
    zoo: str
    beyond: str | None
    width: int | None
    recipe: Mapping[str, Any] | None
    minutes: float | None
    limit: float | None
    missing: str | None
    in_paper: bool
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class TableOutcome:
    table: str
    title: str
    measure: Measure
    targets: tuple[str, ...]
    rows: tuple[RowOutcome, ...]


@dataclass(frozen=True)
class ZooOutcome:
    """``left_out`` models had diverged. ``accuracy``: on test images at the last checkpoint."""

    zoo: str
    card: str
    models: int
    left_out: int
    checkpoints: int
    weights: int
    accuracy: tuple[float, float, float]  # least, mean, most


@dataclass(frozen=True)
class CharacteristicsOutcome:
    """``done`` of ``planned`` measurements are in it: it is written after each, so that none is lost.

    ``repeats`` and ``minutes``, the most that a training was given by the clock, are those asked for; rows of earlier
    runs stand beside these and say themselves what they were given. Where nothing was to be measured they are the most
    that any row has, ``minutes`` None where none was trained.
    """

    paper: str
    title: str
    data: str
    repeats: int
    minutes: float | None
    done: int
    planned: int
    zoos: tuple[ZooOutcome, ...]
    tables: tuple[TableOutcome, ...]
    notes: tuple[str, ...]
