"""Views of a model that say the same: hidden units in another order, weights erased, noise. Owns the augmentations of
contrastive training, batched; all on flat weights [B, d].

Permutations follow the `PermutationSpec` that the engine matches units by and leave every model's function as it is.
Erasing (Zhong et al. 2020, on vectors) and noise do not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from mvc.embedding.recipes import Recipe
from mvc.embedding.tokens import Layout
from mvc.geometry.permutations import Axis


class Permuter:
    """Puts hidden units in other orders, each model's in its own."""

    def __init__(self, of: Layout) -> None:
        self._shapes = list(of.shapes.items())
        self._sizes = [units.size for units in of.spec.units]
        self._axes: dict[tuple[str, int], list[tuple[int, Axis]]] = {}
        for number, units in enumerate(of.spec.units):
            for axis in units.axes:
                self._axes.setdefault((axis.tensor, axis.axis), []).append((number, axis))

    def draw(self, models: int) -> list[Tensor]:
        """Random orders, (models, units) for each group of units: new unit i is old unit ``orders[…][:, i]``."""
        return [torch.rand(models, size).argsort(1) for size in self._sizes]

    def __call__(self, weights: Tensor, orders: Sequence[Tensor]) -> Tensor:
        """The same functions with their units in these orders, (B, d) → (B, d)."""
        return weights.gather(1, self.sources(orders))

    def sources(self, orders: Sequence[Tensor]) -> Tensor:
        """Where each weight comes from, (B, d): a tensor's places are sums of strides × axis indices."""
        models = len(orders[0])
        parts = []
        start = 0
        for name, shape in self._shapes:
            places = torch.full((models, *[1] * len(shape)), start)
            for number, length in enumerate(shape):
                along = self._along((name, number), length, orders) * math.prod(shape[number + 1 :])  # (B or 1, length)
                places = places + along.view(len(along), *(length if i == number else 1 for i in range(len(shape))))
            parts.append(places.flatten(1))  # (B, numel)
            start += math.prod(shape)
        return torch.cat(parts, 1)

    def _along(self, key: tuple[str, int], length: int, orders: Sequence[Tensor]) -> Tensor:
        """Old index of each new one along one axis of one tensor, (B, length); (1, length) where nothing moves."""
        if key not in self._axes:
            return torch.arange(length).unsqueeze(0)
        index = torch.arange(length).repeat(len(orders[0]), 1)
        for number, axis in self._axes[key]:
            places = torch.from_numpy(axis.places(self._sizes[number]))  # (outer, units, inner)
            moved = places[:, orders[number]]  # (outer, B, units, inner)
            index[:, places.flatten()] = moved.transpose(0, 1).flatten(1)
        return index


def erase_blocks(weights: Tensor, probability: float, share: tuple[float, float]) -> Tensor:
    """Each model with that probability loses one stretch of weights, a share between the two of all. (B, d)"""
    models, size = weights.shape
    hit = torch.rand(models, 1) < probability
    length = torch.empty(models, 1).uniform_(*share).mul(size).long() * hit  # (B, 1)
    start = (torch.rand(models, 1) * (size - length + 1)).long()  # (B, 1)
    place = torch.arange(size)  # (d)
    return weights.masked_fill((place >= start) & (place < start + length), 0.0)


def erase_scattered(weights: Tensor, probability: float, share: tuple[float, float]) -> Tensor:
    """Each model with that probability loses weights here and there, a share between the two of all. (B, d)"""
    models = len(weights)
    rate = torch.empty(models, 1).uniform_(*share) * (torch.rand(models, 1) < probability)
    return weights.masked_fill(torch.rand(weights.shape) < rate, 0.0)


def view(weights: Tensor, recipe: Recipe, permuter: Permuter) -> tuple[Tensor, Tensor]:
    """A random view of standardised weights (B, d), and the same before erasing and noise: what a decoder rebuilds."""
    whole = permuter(weights, permuter.draw(len(weights))) if recipe.permute else weights
    seen = whole
    if recipe.erase:
        erase = erase_blocks if recipe.erase_mode == "block" else erase_scattered
        seen = erase(seen, recipe.erase, recipe.erase_share)
    if recipe.noise:
        seen = seen + recipe.noise * torch.randn(seen.shape)
    return seen, whole
