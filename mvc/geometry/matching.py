"""Which unit of one model is which of another's. Owns the matching and its null; decides nothing about copies.

Coordinate descent over groups of units, each a linear assignment solved exactly, after Ainsworth, Hayase and Srinivasa
(Git Re-Basin, 2023; Singh and Jaggi 2020 match layer by layer). Unlike theirs, the first pass settles each group by
what is settled already, from the input on or from the output back, which finds a permuted copy's order exactly; random
starts would not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mvc.deferred import Deferred
from mvc.geometry.layouts import derive
from mvc.geometry.permutations import (
    Axis,
    Floats,
    Ints,
    PermutationSpec,
    Shapes,
    Units,
    permute,
    rows,
    with_rows,
)
from mvc.geometry.scales import balance, fit_scales
from mvc.geometry.transformers import head_sizes

if TYPE_CHECKING:
    import scipy.optimize as optimize
else:
    optimize = Deferred("scipy.optimize")

_ROUNDS = 20
#: share of a unit's squares that single precision leaves unexplained
_EXACT = 1e-12
#: units mixed with each other in a made-up stranger
_MIXED = 128
#: made-up strangers that a match is held against
STRANGERS = 8
#: values of a model above which fewer will do
LARGE = 1 << 20


@dataclass(frozen=True)
class Matching:
    """``steps`` that put b's units into a's order: a group's number, and for each place the unit that goes there.

    ``cosine`` of a and b so ordered, each tensor centred and scaled to unit variance.
    """

    steps: tuple[tuple[int, Ints], ...]
    cosine: float


def match_once(a: Mapping[str, Floats], b: Mapping[str, Floats], spec: PermutationSpec) -> Matching:
    """The order of b's units by one pass from the input on: that of a permuted copy, and no good one of a stranger."""
    return _descend(_standardise(a), _standardise(b), spec, False, rounds=0)


def match_units(a: Mapping[str, Floats], b: Mapping[str, Floats], spec: PermutationSpec) -> Matching:
    """The order of b's units in which b is most like a: the better of two starts, improved until nothing helps."""
    x, y = _standardise(a), _standardise(b)
    found = (_descend(x, y, spec, backwards) for backwards in (False, True))
    return max(found, key=lambda one: one.cosine)


def apply(arrays: Mapping[str, Floats], spec: PermutationSpec, matching: Matching) -> dict[str, Floats]:
    """The model with its units in the matching's orders."""
    moved = dict(arrays)
    for group, order in matching.steps:
        moved = permute(moved, spec.units[group], order)
    return moved


def match_balanced(a: Mapping[str, Floats], b: Mapping[str, Floats], spec: PermutationSpec) -> Matching:
    """The order of the units of a rescaled b, matched without scales."""
    return match_units(balance(a, spec), balance(b, spec), spec)


def match_scaled(a: Mapping[str, Floats], b: Mapping[str, Floats], spec: PermutationSpec) -> Matching:
    """The same, improved by how well a's values explain b's.

    Where pruning took much of small units, alike ones are easily mistaken for each other. So each pair of units is
    given the likelihood that b's surviving values are a's times some factor, its noise unknown, once a has b's other
    scales; and units are assigned by that until nothing changes.
    """
    found = match_balanced(a, b, spec)
    steps, ordered = list(found.steps), apply(b, spec, found)
    for _ in range(_ROUNDS):
        expected = fit_scales(a, ordered, spec)
        count = len(steps)
        for group, units in enumerate(spec.units):
            likelihood = sum(_likelihood(expected, ordered, axis, units.size) for axis in _compared(units))
            _, order = optimize.linear_sum_assignment(likelihood, maximize=True)
            if (order != np.arange(units.size)).any():
                steps.append((group, order))
                ordered = permute(ordered, units, order)
        if len(steps) == count:
            break
    return Matching(tuple(steps), found.cosine)


def choose_heads(a: Mapping[str, Floats], b: Mapping[str, Floats], shapes: Shapes) -> PermutationSpec | None:
    """The spec of these tensors, with as many values a head as serve best: shapes do not tell how many there are.

    For each number that fits, heads are matched by the projections they are made by, and judged by those that read
    them: smaller heads fit what they are matched by better, but only true ones fit what they are judged by.
    """
    x, y = _standardise(a), _standardise(b)
    plain = derive(shapes)
    best, chosen = 0.0, plain
    for size in head_sizes(shapes):  # the largest first: heads moved in pairs are no smaller heads
        spec = derive(shapes, size)
        if spec is not None:
            judged = _judged(x, y, spec.units[len(plain.units) if plain else 0 :])
            if chosen is plain or judged > best + 1e-9 * abs(best):
                best, chosen = judged, spec
    return chosen


def orders(spec: PermutationSpec, matching: Matching) -> tuple[Ints, ...]:
    """For each group, which unit goes to each place: its steps as one."""
    found = [np.arange(units.size) for units in spec.units]
    for group, order in matching.steps:
        found[group] = found[group][order]
    return tuple(found)


def beyond_strangers(a: Mapping[str, Floats], b: Mapping[str, Floats], spec: PermutationSpec, cosine: float) -> float:
    """How far of the way from matched strangers (0) to an equal model (1) this ``cosine`` after matching is.

    Large models are held against fewer strangers, and these are matched less well: theirs hardly differ.
    """
    large = sum(a[name].size for name in spec.tensors) > LARGE
    mean, _ = matched_null(a, b, spec, strangers=2, rounds=3) if large else matched_null(a, b, spec)
    return (cosine - mean) / (1 - mean) if mean < 1 else 0.0


def matched_null(
    a: Mapping[str, Floats],
    b: Mapping[str, Floats],
    spec: PermutationSpec,
    *,
    strangers: int = STRANGERS,
    rounds: int = _ROUNDS,
) -> tuple[float, float]:
    """Mean and standard deviation of the cosine that a stranger like b reaches with a after matching.

    Strangers are made of b: in each tensor by itself the units are rotated among each other about their mean. That
    leaves what the data imposes on any network (means and covariances of inputs and outputs) and no unit as it was.
    """
    rng = np.random.default_rng(0)
    x = _standardise(a)
    drawn = []
    for _ in range(strangers):
        y = _standardise(_stranger(b, spec, rng))
        drawn.append(max(_descend(x, y, spec, backwards, rounds).cosine for backwards in (False, True)))
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
            moved[axis.tensor] = with_rows(moved[axis.tensor], axis, values)
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


def _judged(a: Mapping[str, Floats], b: Mapping[str, Floats], groups: Sequence[Units]) -> float:
    """How alike the readers of units are once these are ordered by what makes them."""
    judged, moved = 0.0, b
    for units in groups:
        _, order = optimize.linear_sum_assignment(_gain(a, moved, units, units.produced), maximize=True)
        moved = permute(moved, units, order)
        judged += float(np.trace(_gain(a, moved, units, units.read)))
    return judged


def _descend(
    a: Mapping[str, Floats], b: Mapping[str, Floats], spec: PermutationSpec, backwards: bool, rounds: int = _ROUNDS
) -> Matching:
    steps: list[tuple[int, Ints]] = []
    moved = dict(b)

    def settle(group: int, axes: Sequence[Axis]) -> bool:
        nonlocal moved
        units = spec.units[group]
        _, order = optimize.linear_sum_assignment(_gain(a, moved, units, axes), maximize=True)
        if (order == np.arange(units.size)).all():
            return False
        steps.append((group, order))
        moved = permute(moved, units, order)
        return True

    groups = range(len(spec.units))
    waiting = _groups_of(spec)
    for group in reversed(groups) if backwards else groups:
        units = spec.units[group]
        known = [axis for axis in _compared(units) if waiting[axis.tensor] <= {group}]
        settle(group, known or (units.read if backwards else units.produced))
        for axis in units.axes:
            waiting[axis.tensor].discard(group)
    for _ in range(rounds):
        changed = [settle(group, _compared(spec.units[group])) for group in groups]
        if not any(changed):
            break
    return Matching(tuple(steps), _cosine(a, moved))


def _likelihood(a: Mapping[str, Floats], b: Mapping[str, Floats], axis: Axis, size: int) -> Floats:
    """Log-likelihood [units of a, units of b] that the values of b that are not zero are a's times a factor."""
    x, y = (rows(one[axis.tensor], axis, size) for one in (a, b))
    inner, squares, others = x @ y.T, (x**2) @ (y != 0).T, (y**2).sum(1)
    alike = np.divide(inner**2, squares * others, out=np.zeros_like(inner), where=(squares > 0) & (others > 0))
    left = np.where(inner > 0, 1 - np.minimum(alike, 1), 1.0)
    likelihood: Floats = -(np.maximum((y != 0).sum(1) - 1, 0) / 2) * np.log(left + _EXACT)
    return likelihood


def _compared(units: Units) -> tuple[Axis, ...]:
    return (*units.produced, *units.read)


def _groups_of(spec: PermutationSpec) -> dict[str, set[int]]:
    """Tensor → groups that move along one of its axes."""
    found: dict[str, set[int]] = {}
    for group, units in enumerate(spec.units):
        for axis in units.axes:
            found.setdefault(axis.tensor, set()).add(group)
    return found


def _gain(a: Mapping[str, Floats], b: Mapping[str, Floats], units: Units, axes: Iterable[Axis]) -> Floats:
    """Inner products [units of a, units of b]."""
    gain = np.zeros((units.size, units.size))
    for axis in axes:
        gain += rows(a[axis.tensor], axis, units.size) @ rows(b[axis.tensor], axis, units.size).T
    return gain


def _cosine(a: Mapping[str, Floats], b: Mapping[str, Floats]) -> float:
    inner, left, right = (sum(float(np.vdot(x[n], y[n])) for n in a) for x, y in ((a, b), (a, a), (b, b)))
    return inner / math.sqrt(left * right) if left > 0 and right > 0 else 0.0
