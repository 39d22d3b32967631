"""What `zoo` returns."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ZooCard:
    """A population that can be trained; the demo's is mixed and has no single size."""

    name: str
    about: str
    seeds: int | None
    epochs: int | None
    weights: int | None


@dataclass(frozen=True)
class ZooListResult:
    cards: tuple[ZooCard, ...]


@dataclass(frozen=True)
class ZooTrainResult:
    card: str
    out: str
    truth: str
    runs: int
    checkpoints: int
