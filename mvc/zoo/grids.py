"""Populations that vary hyperparameters, as frozen values. Owns which models there are; trains none, needs no torch.

A model is a card and a seed. A grid has every combination of its axes' values, each with the same seeds (``fixed``) or
with seeds of its own, so that a combination's models share their first weights with other combinations' or with none.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from mvc.errors import InputError
from mvc.zoo.cards import Card

_AXES: Mapping[str, Callable[[Card, Any], Card]] = MappingProxyType(
    {
        "activation": lambda card, value: replace(card, architecture=replace(card.architecture, activation=value)),
        "init": lambda card, value: replace(card, init=value),
        "optimiser": lambda card, value: replace(card, optimiser=replace(card.optimiser, kind=value)),
        "lr": lambda card, value: replace(card, optimiser=replace(card.optimiser, lr=value)),
        "weight_decay": lambda card, value: replace(card, optimiser=replace(card.optimiser, weight_decay=value)),
        "dropout": lambda card, value: replace(card, dropout=value),
        "fraction": lambda card, value: replace(card, fraction=value),
        "batch": lambda card, value: replace(card, batch=value),
    }
)


@dataclass(frozen=True, slots=True)
class Member:
    """One model of a population."""

    card: Card
    seed: int

    def hyperparameters(self) -> dict[str, float | int | str]:
        """Everything that a population may vary, and the seed."""
        card, optimiser = self.card, self.card.optimiser
        return {
            "lr": optimiser.lr,
            "weight_decay": optimiser.weight_decay,
            "dropout": card.dropout,
            "fraction": card.fraction,
            "batch": card.batch,
            "seed": self.seed,
            "activation": card.architecture.activation,
            "init": card.init,
            "optimiser": optimiser.kind,
        }


@dataclass(frozen=True)
class Grid:
    """``seeds`` models of every combination of ``axes`` (name → values) of ``base``.

    Names of axes: activation, init, optimiser, lr, weight_decay, dropout, fraction, batch. With ``models``, a random
    sample of that many, the same one every time; a larger sample holds every smaller one.
    """

    base: Card
    axes: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    seeds: int = 1
    fixed: bool = True
    models: int | None = None

    def __post_init__(self) -> None:
        unknown = set(self.axes) - set(_AXES)
        if unknown:
            raise InputError(f"{sorted(unknown)[0]!r} is no axis of a grid", hint=f"one of: {', '.join(_AXES)}")
        if self.seeds < 1 or not all(self.axes.values()):
            raise InputError("a grid needs one seed and, on every axis, one value at least")
        if self.models is not None and not 1 <= self.models <= self.full_size:
            raise InputError(
                f"{self.base.name} has {self.full_size} models, {self.models} cannot be taken of them",
                hint=f"take 1 to {self.full_size}, or more seeds",
            )

    @property
    def full_size(self) -> int:
        """Number of models without a sample being taken."""
        combinations = 1
        for values in self.axes.values():
            combinations *= len(values)
        return combinations * self.seeds

    def members(self) -> tuple[Member, ...]:
        """Every model, by combination, then by seed; the last axis varies fastest."""
        found = []
        for number, values in enumerate(itertools.product(*self.axes.values())):
            card = self.base
            for axis, value in zip(self.axes, values, strict=True):
                card = _AXES[axis](card, value)
            first = 0 if self.fixed else number * self.seeds
            found += [Member(card, seed) for seed in range(first, first + self.seeds)]
        if self.models is None:
            return tuple(found)
        order = list(range(len(found)))
        random.Random(self.base.name).shuffle(order)
        return tuple(found[number] for number in sorted(order[: self.models]))
