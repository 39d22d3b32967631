"""Which unit of one model is which of another's. Owns the matching and its null; decides nothing about copies.

Coordinate descent over groups of units, each a linear assignment solved exactly, after Ainsworth, Hayase and Srinivasa
(Git Re-Basin, 2022). Unlike theirs, the first pass goes from the input on (or from the output back) by what is settled
already, which finds a permuted copy's order exactly; random starts would not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from mvc.geometry.permutations import Axis, Floats, Ints, PermutationSpec, Units, permute, rescale, rows, unrows

_ROUNDS = 20
#: units mixed with each other in a made-up stranger
_MIXED = 128
#: made-up strangers that a match is held against
STRANGERS = 8


@dataclass(frozen=True)
class Matching:
    """``orders``, one a group: unit i of a is unit ``orders[g][i]`` of b. ``cosine`` of a and b so ordered, each tensor
    centred and scaled to unit variance.
    """

    orders: tuple[Ints, ...]
    cosine: float


def match_units(a: Mapping[str, Floats], b: Mapping[str, Floats], spec: PermutationSpec) -> Matching:
    """The order of b's units in which b is most like a: the better of two starts, improved until nothing helps."""
    x, y = _standardise(a), _standardise(b)
    found = (_descend(x, y, spec, backwards) for backwards in (False, True))
    return max(found, key=lambda one: one.cosine)


def apply(arrays: Mapping[str, Floats], spec: PermutationSpec, matching: Matching) -> dict[str, Floats]:
    """The model with its units in the matching's orders."""
    moved = dict(arrays)
    for units, order in zip(spec.units, matching.orders, strict=True):
        moved = permute(moved, units, order)
    return moved


def balance(arrays: Mapping[str, Floats], spec: PermutationSpec) -> dict[str, Floats]:
    """The model rescaled so that every scalable unit's own weights have norm one: equal for all rescaled copies."""
    moved = dict(arrays)
    for units in spec.units:
        if units.scalable:
            norms = np.sqrt(sum((rows(moved[axis.tensor], axis, units.size) ** 2).sum(1) for axis in units.produced))
            moved = rescale(moved, units, 1 / np.where(norms > 0, norms, 1.0))
    return moved


def undo_scales(a: Mapping[str, Floats], b: Mapping[str, Floats], spec: PermutationSpec) -> dict[str, Floats]:
    """b, whose units are in a's order, with the scales undone by which its units differ from a's.

    By least squares over the values that are not zero in b, which are all that pruning leaves.
    """
    moved = dict(b)
    for units in spec.units:
        if not units.scalable:
            continue
        x, y = (
            np.concatenate([rows(m[axis.tensor], axis, units.size) for axis in units.produced], 1) for m in (a, moved)
        )
        kept = y != 0
        above, below = (x * y).sum(1), ((x * kept) ** 2).sum(1)
        scales = np.divide(above, below, out=np.ones(units.size), where=(below > 0) & (above > 0))
        moved = rescale(moved, units, 1 / scales)
    return moved


def matched_null(a: Mapping[str, Floats], b: Mapping[str, Floats], spec: PermutationSpec) -> tuple[float, float]:
    """Mean and standard deviation of the cosine that a stranger like b reaches with a after matching.

    Strangers are made of b: in each tensor by itself the units are rotated among each other about their mean. That
    leaves what the data imposes on any network (means and covariances of inputs and outputs) and no unit as it was.
    """
    rng = np.random.default_rng(0)
    x = _standardise(a)
    drawn = []
    for _ in range(STRANGERS):
        y = _standardise(_stranger(b, spec, rng))
        drawn.append(max(_descend(x, y, spec, backwards).cosine for backwards in (False, True)))
    return float(np.mean(drawn)), float(np.std(drawn, ddof=1))


def _stranger(b: Mapping[str, Floats], spec: PermutationSpec, rng: np.random.Generator) -> dict[str, Floats]:
    moved = dict(b)
    for units in spec.units:
        for axis in (*units.produced, *units.read):
            values = rows(moved[axis.tensor], axis, units.size).copy()
            shuffled = rng.permutation(units.size)
            for start in range(0, units.size, _MIXED):
                some = shuffled[start : start + _MIXED]
                values[some] = _rotation(len(some), rng) @ values[some]
            moved[axis.tensor] = unrows(values, axis, moved[axis.tensor].shape)
    return moved


def _rotation(size: int, rng: np.random.Generator) -> Floats:
    """A random orthogonal matrix that leaves the mean where it is."""
    basis, _ = np.linalg.qr(np.c_[np.ones(size), rng.normal(size=(size, size - 1))])
    turned = basis.copy()
    if size > 1:
        inner, _ = np.linalg.qr(rng.normal(size=(size - 1, size - 1)))
        turned[:, 1:] = basis[:, 1:] @ inner
    product: Floats = turned @ basis.T
    return product


def _standardise(arrays: Mapping[str, Floats]) -> dict[str, Floats]:
    """Tensors centred and of unit variance, so that each counts by its number of values; constant ones are zero."""
    scaled = {}
    for name, array in arrays.items():
        centred = array - array.mean()
        spread = math.sqrt(float((centred**2).mean()))
        scaled[name] = centred / spread if spread > 0 else centred
    return scaled


def _descend(a: Mapping[str, Floats], b: Mapping[str, Floats], spec: PermutationSpec, backwards: bool) -> Matching:
    orders = [np.arange(units.size) for units in spec.units]
    moved = dict(b)

    def settle(group: int, axes: tuple[Axis, ...]) -> None:
        nonlocal moved
        units = spec.units[group]
        _, order = linear_sum_assignment(_gain(a, moved, units, axes), maximize=True)
        orders[group] = orders[group][order]
        moved = permute(moved, units, order)

    groups = range(len(spec.units))
    for group in reversed(groups) if backwards else groups:
        settle(group, spec.units[group].read if backwards else spec.units[group].produced)
    best = _cosine(a, moved)
    for _ in range(_ROUNDS):
        for group in groups:
            settle(group, (*spec.units[group].produced, *spec.units[group].read))
        now = _cosine(a, moved)
        if now <= best + 1e-12:
            break
        best = now
    return Matching(tuple(orders), max(best, _cosine(a, moved)))


def _gain(a: Mapping[str, Floats], b: Mapping[str, Floats], units: Units, axes: tuple[Axis, ...]) -> Floats:
    """Inner products [units of a, units of b]."""
    gain = np.zeros((units.size, units.size))
    for axis in axes:
        gain += rows(a[axis.tensor], axis, units.size) @ rows(b[axis.tensor], axis, units.size).T
    return gain


def _cosine(a: Mapping[str, Floats], b: Mapping[str, Floats]) -> float:
    inner, left, right = (sum(float(np.vdot(x[n], y[n])) for n in a) for x, y in ((a, b), (a, a), (b, b)))
    return inner / math.sqrt(left * right) if left > 0 and right > 0 else 0.0
