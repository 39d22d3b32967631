"""What came out of a paper's reproduction: frozen values, from which JSON and tables are made. Computes nothing."""

from __future__ import annotations

from dataclasses import dataclass

from mvc.papers.lineages.cards import Scores


@dataclass(frozen=True)
class Measured:
    """The paper's protocol on one representation, beside what the paper printed for it."""

    representation: str
    measured: Scores
    printed: Scores


@dataclass(frozen=True)
class EngineScores:
    """mvc's inference on the same points, shuffled, the number of runs not given.

    ``representation``: "weights", or what each model was reduced to before ("svd-50", "sketch-64").
    ``pairs_mean`` and ``pairs_worst`` over runs: share of an epoch's pairs that stand next to each other in order, up
    to reversal. ``directions_right`` of ``directions_stated``; the other lineages are said to be undecided.
    """

    representation: str
    initial: bool
    points: int
    runs: int
    runs_found: int
    purity: float
    pairs_mean: float
    pairs_worst: float
    directions_stated: int
    directions_right: int
    seconds: float


@dataclass(frozen=True)
class ZooOutcome:
    """One population: ``accuracy`` is the mean test accuracy after the last epoch; seconds are this call's.

    ``figure``: its PNG beside the results, if one was drawn.
    """

    zoo: str
    card: str
    reading: str
    weights: int
    accuracy: float
    protocol: tuple[Measured, ...]
    engine: tuple[EngineScores, ...]
    training_seconds: float
    protocol_seconds: float
    figure: str | None = None


@dataclass(frozen=True)
class PaperOutcome:
    paper: str
    title: str
    data: str
    seeds: int
    epochs: int
    zoos: tuple[ZooOutcome, ...]
    notes: tuple[str, ...]
