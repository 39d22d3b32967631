"""What a card of this protocol holds: representations, and tables as rows of them on populations. Owns the types.

Refuses to compute and to import torch: the command line lists papers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from mvc.papers.cards import Paper

Kind = Literal["weights", "statistics", "pca", "pca-cosine", "pca-rbf", "umap", "embedding"]
Measure = Literal["score", "kendall"]
NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Representation:
    """Numbers that stand for a model. ``statistics``: the layers' statistics s(W) are joined to them.

    Of embeddings: a ``recipe`` of `mvc.embedding.recipes`, with ``changes`` to its fields.
    """

    kind: Kind
    recipe: str = ""
    changes: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    statistics: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One representation learned, probed and judged on models of the population ``zoo``.

    ``beyond``: probes are judged on that other population instead. ``printed``: the paper's numbers in percent (τ as
    it is) by target, as far as they are known; None for a row that the paper does not have. Its training may be so
    many times ``longer`` than others.
    """

    label: str
    zoo: str
    representation: Representation
    printed: Mapping[str, float] | None = None
    beyond: str | None = None
    longer: float = 1.0


@dataclass(frozen=True, slots=True)
class Table:
    """``score``: R² of numbers and accuracy of categories, in percent; ``kendall``: rank correlation τ of numbers.

    ``targets`` are its columns; none: whatever varies in its populations.
    """

    number: str
    title: str
    rows: tuple[Row, ...]
    measure: Measure = "score"
    targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CharacteristicsPaper(Paper):
    """``tables`` stand in the order in which they are worth their time. ``components`` of the reductions.

    ``initial``: whether the checkpoints before training belong to the populations. ``repeats`` and ``minutes`` are
    what is done unless asked otherwise: splits (and trainings) of each cell, and the longest that a training takes.
    """

    tables: tuple[Table, ...]
    components: int
    initial: bool
    repeats: int
    minutes: float

    @property
    def numbers(self) -> tuple[str, ...]:
        return tuple(table.number for table in self.tables)
