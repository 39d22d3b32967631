"""Scales that a network's function does not depend on. Owns their removal and their estimation from two models.

A ReLU unit may grow while its readers shrink (Neyshabur, Salakhutdinov and Srebro 2015), and what stands before a batch
normalisation may have any scale. Which scales are free is data: `Scaling`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mvc.geometry.permutations import Axis, Floats, PermutationSpec, Scaling, rescale, rows

_SWEEPS = 100
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
        if change < _SETTLED:
            break
    return moved


def fit_scales(a: Mapping[str, Floats], b: Mapping[str, Floats], spec: PermutationSpec) -> dict[str, Floats]:
    """a with the scales of b, whose units are in a's order: ready to be compared value by value with b as it is.

    Least squares over the values that are not zero in b, which are all that pruning leaves. In the first sweep, from
    the input on, by what makes a unit; then also by what reads it, each side weighed by how large its values are within
    their tensors, as if rounding were alike all over a tensor. Units with nothing in common keep their scale.
    """
    moved = dict(a)
    largest = {name: float(np.abs(array).max(initial=0)) or 1.0 for name, array in b.items()}
    for sweep in range(_SWEEPS):
        change = 0.0
        for scaling in _scalings(spec):
            above, weight = np.zeros(scaling.size), np.zeros(scaling.size)
            for axis, power in scaling.powers:
                if sweep == 0 and power < 0:
                    continue
                ratio, sure = _ratio(moved, b, axis, scaling.size)
                sure /= largest[axis.tensor] ** 2
                above += sure * np.log(ratio) * power
                weight += sure
            logs = np.divide(above, weight, out=np.zeros(scaling.size), where=weight > 0)
            moved = rescale(moved, scaling, np.exp(logs))
            change = max(change, float(np.abs(logs).max()))
        if sweep and change < _SETTLED:
            break
    return moved


def _ratio(a: Mapping[str, Floats], b: Mapping[str, Floats], axis: Axis, size: int) -> tuple[Floats, Floats]:
    """How many times larger each unit is in b than in a, and the squares that this rests on (zero: on none)."""
    x, y = (rows(one[axis.tensor], axis, size) for one in (a, b))
    squares = ((x * (y != 0)) ** 2).sum(1)
    inner = (x * y).sum(1)
    known = (squares > 0) & (inner > 0)
    ratio = np.divide(inner, squares, out=np.ones(size), where=known)
    return ratio, np.where(known, (y**2).sum(1), 0.0)


def _norms(arrays: Mapping[str, Floats], scaling: Scaling, power: int) -> Floats:
    squares = np.zeros(scaling.size)
    for axis, own in scaling.powers:
        if own == power:
            squares += (rows(arrays[axis.tensor], axis, scaling.size) ** 2).sum(1)
    norms: Floats = np.sqrt(squares)
    return norms


def _scalings(spec: PermutationSpec) -> list[Scaling]:
    return [scaling for units in spec.units for scaling in units.scalings]
