"""What a card of this protocol holds: how each population was read, and the numbers that were printed. Owns the types.

Refuses to compute and to import torch: the command line lists papers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mvc.papers.cards import Paper, Population


@dataclass(frozen=True, slots=True)
class Scores:
    """What a protocol says of one representation of a population; None: not printed.

    ``purity``: share of checkpoints in a cluster of their own run's. ``ordered_initial_epochs``: how many first epochs
    stand in their places. ``ordered_pairs``: share of neighbours in the order that are one epoch apart, forward.
    """

    purity: float | None = None
    ordered_initial_epochs: float | None = None
    ordered_pairs: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ZooCard(Population):
    """How a population's row was read, and its ``printed`` numbers by representation: "weights", or "svd-50"."""

    reading: str
    printed: Mapping[str, Scores]


@dataclass(frozen=True, slots=True, kw_only=True)
class LineagePaper(Paper):
    """``ranks`` are the dimensions that weights are reduced to by a truncated singular value decomposition.

    ``engine_rank`` is the one of them that mvc's inference is also given. ``initial`` says whether the checkpoints
    before training belong to the paper's populations.
    """

    ranks: tuple[int, ...]
    engine_rank: int
    initial: bool
    zoos: tuple[ZooCard, ...]
