"""Scales that a network's function does not depend on. Owns their removal and their estimation from two models.

A ReLU unit may grow while its readers shrink (Neyshabur, Salakhutdinov and Srebro 2015), and what stands before a batch
normalisation may have any scale. Which scales are free is data: `Scaling`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mvc.geometry.permutations import Axis, Floats, PermutationSpec, Scaling, rescale, rows

_SWEEPS, _STEPS = 100, 1000
_BALANCED = 1e-4
_SETTLED = 1e-10


def balance(arrays: Mapping[str, Floats], spec: PermutationSpec) -> dict[str, Floats]:
    """The model with every unit's own weights and those of its readers of equal norm: alike for all rescaled copies.

    That is the one of smallest norm among them, and unit by unit finds it (Stock, Graham, Gribonval and Jégou 2019). A
    unit with one side zero, or without readers, gets a norm of one.
    """
    moved = dict(arrays)
    for _ in range(_SWEEPS):
        change = 0.0
        for scaling in _scalings(spec):
            grown, shrunk = (_norms(moved, scaling, power) for power in (1, -1))
            one, other = np.where(grown > 0, grown, 1.0), np.where(shrunk > 0, shrunk, 1.0)
            factors = np.where((grown > 0) & (shrunk > 0), np.sqrt(other / one), other / one)
            moved = rescale(moved, scaling, factors)
            change = max(change, float(np.abs(np.log(factors)).max()))
        if change < _BALANCED:
            break
    return moved


def fit_scales(a: Mapping[str, Floats], b: Mapping[str, Floats], spec: PermutationSpec) -> dict[str, Floats]:
    """a with the scales of b, whose units are in a's order: ready to be compared value by value with b as it is.

    Least squares of logarithms over the values that are not zero in b, which are all that pruning leaves, each weighed
    by its square within its tensor: as if rounding were alike all over a tensor. All scales at once, by conjugate
    gradients, as one unit's readers are what makes the next. Units with nothing in common keep their scale.
    """
    scalings = _scalings(spec)
    terms = _terms(a, b, scalings)
    starts = np.cumsum([0, *(scaling.size for scaling in scalings)])

    def gathered(values: Callable[[_Term], Floats]) -> Floats:
        total = np.zeros(starts[-1])
        for term in terms:
            found = values(term)
            for side, (number, power) in enumerate(term.ends):
                total[starts[number] : starts[number + 1]] += power * found.sum(1 - side)
        return total

    def product(logs: Floats) -> Floats:
        def said(term: _Term) -> Floats:
            parts = [power * logs[starts[number] : starts[number + 1]] for number, power in term.ends]
            weighed: Floats = term.weights * (parts[0][:, None] + (parts[1] if len(parts) > 1 else 0.0))
            return weighed

        return gathered(said)

    logs = _solve(product, gathered(lambda term: term.ratios))
    moved = dict(a)
    for number, scaling in enumerate(scalings):
        moved = rescale(moved, scaling, np.exp(logs[starts[number] : starts[number + 1]]))
    return moved


@dataclass(frozen=True)
class _Term:
    """One tensor's say: weights and weighed log ratios, [units, other units or one], summed over all else.

    ``ends``: the number of the scaling along each of the two, with its power.
    """

    ends: tuple[tuple[int, int], ...]
    weights: Floats
    ratios: Floats


def _terms(a: Mapping[str, Floats], b: Mapping[str, Floats], scalings: Sequence[Scaling]) -> list[_Term]:
    ends: dict[str, list[tuple[int, int, Axis]]] = {}
    for number, scaling in enumerate(scalings):
        for axis, power in scaling.powers:
            ends.setdefault(axis.tensor, []).append((number, power, axis))
    terms = []
    for name, found in ends.items():
        x, y = a[name], b[name]
        told = x * y > 0
        weights = np.where(told, (y / (np.abs(y).max(initial=0) or 1.0)) ** 2, 0.0)
        ratios = weights * np.log(np.divide(y, x, out=np.ones_like(y), where=told))
        axes = [(axis, scalings[number].size) for number, _, axis in found]
        terms.append(
            _Term(tuple((number, power) for number, power, _ in found), _summed(weights, axes), _summed(ratios, axes))
        )
    return terms


def _summed(array: Floats, axes: Sequence[tuple[Axis, int]]) -> Floats:
    """Sums for each unit along the first axis given and each along the second (or one), over all else."""
    left = np.moveaxis(array, [axis.axis for axis, _ in axes], range(len(axes)))
    for axis, size in axes:
        left = np.moveaxis(left[axis.places(size)].sum((0, 2)), 0, -1)
    sums: Floats = left.reshape(-1, *(size for _, size in axes)).sum(0)
    return sums if len(axes) > 1 else sums[:, None]


def _solve(product: Callable[[Floats], Floats], right: Floats) -> Floats:
    """x of smallest norm with product(x) = right, by conjugate gradients (Hestenes and Stiefel 1952)."""
    x, rest = np.zeros_like(right), right.copy()
    direction, size = rest.copy(), float(rest @ rest)
    goal = size * _SETTLED**2
    for _ in range(_STEPS):
        if size <= goal:
            break
        along = product(direction)
        step = size / float(direction @ along)
        x += step * direction
        rest -= step * along
        before, size = size, float(rest @ rest)
        direction = rest + size / before * direction
    return x


def _norms(arrays: Mapping[str, Floats], scaling: Scaling, power: int) -> Floats:
    squares = np.zeros(scaling.size)
    for axis, own in scaling.powers:
        if own == power:
            squares += (rows(arrays[axis.tensor], axis, scaling.size) ** 2).sum(1)
    norms: Floats = np.sqrt(squares)
    return norms


def _scalings(spec: PermutationSpec) -> list[Scaling]:
    return [scaling for units in spec.units for scaling in units.scalings]
