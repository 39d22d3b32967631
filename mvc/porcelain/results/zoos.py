"""What `zoo` returns."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ZooCard:
    """A population that can be trained; the demo's is mixed and has no single size."""

    name: str
    about: str
    models: int | None
    seeds: int | None
    epochs: int | None
    weights: int | None


@dataclass(frozen=True)
class ZooListResult:
    cards: tuple[ZooCard, ...]


@dataclass(frozen=True)
class ZooTrainResult:
    """``out`` and ``truth`` (checkpoint files), ``population`` (arrays), ``repository``: None where not asked for.

    ``committed``: commits that are new in the repository; runs that share their first weights share that commit.
    """

    card: str
    out: str | None
    truth: str | None
    population: str | None
    repository: str | None
    runs: int
    checkpoints: int
    committed: int
