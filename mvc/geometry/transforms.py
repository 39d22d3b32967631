"""How one tensor's values were made of another's without training: cast, quantised, pruned. Owns the value checks.

A check passes only where every value passes: one that training moved by more than rounding does refuses. What is left
to chance is counted: the evidence of a pass is how improbable it were if the values had nothing to do with each other.
The names are those that `mvc identify` prints.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mvc.objects import DTYPES

Array = npt.NDArray[Any]
Doubles = npt.NDArray[np.float64]

#: narrow dtypes that a copy may have gone through, with bits of their mantissa and smallest normal exponent
NARROW = (("F16", 10, -14), ("BF16", 7, -126))
#: relative error of a value whose unit's scale was fitted in single precision
_ROUNDING = 1e-5
#: fewest values in which a grid of 255 steps means anything
_GRID = 3
#: values that evidence is counted on; more are never needed
_COUNTED = 1 << 14
#: the most that one value says, in nats
MOST = math.log(_COUNTED)


@dataclass(frozen=True)
class Made:
    """``names`` of the transforms; none where the values are equal. ``evidence``, in nats, that it is no chance."""

    names: frozenset[str]
    evidence: float


@dataclass(frozen=True)
class _Guess:
    """What y would be, and how far each value may be from that (zero: not at all)."""

    names: frozenset[str]
    values: Array
    tolerance: Array


def transform(x: Array, y: Array, *, fitted: np.dtype[Any] | None = None) -> Made | None:
    """How y was made of x, both of equal shape: cast to its dtype, rounded to a grid, some values zero. None: neither.

    ``fitted``: x was given y's scales by least squares (`fit_scales`), and this is the dtype that it had before.
    Rounding then counts three times: for the value, for its unit's scale and for that of the units it reads.
    """
    flat = y.reshape(-1)
    guesses = _rounded(x, y) if fitted is None else _nearly_rounded(x, y, fitted)
    for guess in (*guesses, *_quantised(x, y, (x.dtype, 1) if fitted is None else (fitted, 3))):
        expected, tolerance = guess.values.reshape(-1), np.broadcast_to(guess.tolerance.reshape(-1), flat.shape)
        if tolerance.any():
            near = np.abs(expected.astype(np.float64) - flat.astype(np.float64)) <= tolerance
        else:
            near = (flat == expected) | ((flat != flat) & (expected != expected))
        if near.all():
            return Made(guess.names, _evidence(expected, flat, tolerance))
        if (near | (flat == 0)).all():
            return Made(guess.names | {"pruned"}, _evidence(expected, flat, tolerance))
    return None


def _evidence(expected: Array, found: Array, tolerance: Array) -> float:
    """Minus the log of the probability that each value found is met by a random one of those expected.

    Zeros do not count: pruning makes them of anything.
    """
    thin = slice(None, None, -(-found.size // _COUNTED))
    values, drawn, away = (one[thin].astype(np.float64) for one in (found, expected, tolerance))
    drawn = np.sort(drawn[np.isfinite(drawn)])
    counted = (values != 0) & np.isfinite(values)
    values, away = values[counted], away[counted]
    if not len(drawn) or not len(values):
        return 0.0
    hits = np.searchsorted(drawn, values + away, "right") - np.searchsorted(drawn, values - away, "left")
    return float(np.log(len(drawn) / np.maximum(hits, 1)).sum())


def _rounded(x: Array, y: Array) -> Iterator[_Guess]:
    """x in y's dtype, directly and, as a copy may have been cast down and back up, through a narrower one."""
    exact = np.zeros(1)
    yield _Guess(_cast(x.dtype, y), x.astype(y.dtype), exact)
    for kind, _, _ in NARROW:
        narrow = DTYPES[kind].numpy
        if narrow is not None and narrow.itemsize < y.dtype.itemsize:
            with np.errstate(over="ignore"):
                yield _Guess(frozenset({"cast"}), x.astype(narrow).astype(y.dtype), exact)


def _nearly_rounded(x: Array, y: Array, source: np.dtype[Any]) -> Iterator[_Guess]:
    """The same for an x whose scales are known about as well as y was rounded."""
    blur = _ROUNDING * np.abs(x)
    if y.dtype.itemsize > 2:
        yield _Guess(_cast(source, y), x, blur)
    for kind, bits, smallest in NARROW:
        if _passes(y, kind):
            names = _cast(source, y) if y.dtype.itemsize == 2 else frozenset({"cast"})
            yield _Guess(names, x, 1.5 * _ulp(x, bits, smallest) + blur)


def _quantised(x: Array, y: Array, source: tuple[np.dtype[Any], int]) -> Iterator[_Guess]:
    """x, where y lies on a grid of eight bits, per tensor or per row, symmetric or not: within half a step of it.

    ``source``: the dtype that x had, and how many times rounding counts.
    """
    dtype, times = source
    a, b = x.astype(np.float64), y.astype(np.float64)
    if a.size < _GRID or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return
    cast = _cast(dtype, y)
    blurs = [(cast, 0.0), *((frozenset({"cast"}), 2.0**-bits) for kind, bits, _ in NARROW if _passes(y, kind))]
    for rows in (1, len(y)) if y.ndim > 1 else (1,):
        lines = b.reshape(rows, -1)
        largest, spread = np.abs(lines).max(1, keepdims=True), np.ptp(lines, axis=1, keepdims=True)
        for step in (largest / 127, largest / 128, spread / 255, spread / 254):
            steps = lines / np.where(step > 0, step, 1.0)
            off = np.abs(steps - np.round(steps))
            for names, blur in blurs:
                if (off <= 0.02 + blur * np.abs(steps)).all():
                    tolerance = times * 0.52 * step + blur * np.abs(lines)
                    yield _Guess(names | {"quantised"}, a.reshape(-1), tolerance)
                    break


def _cast(source: np.dtype[Any], y: Array) -> frozenset[str]:
    return frozenset({"cast"} if source != y.dtype else ())


def _passes(y: Array, kind: str) -> bool:
    """Whether every value of y is one of the narrow dtype's."""
    narrow = DTYPES[kind].numpy
    with np.errstate(over="ignore"):
        return narrow is not None and bool((y.astype(narrow).astype(y.dtype) == y).all())


def _ulp(x: Array, bits: int, smallest: int) -> Doubles:
    """Units in the last place of a dtype at each value."""
    exponents = np.frexp(np.abs(x.astype(np.float64)))[1] - 1
    ulps: Doubles = 2.0 ** (np.maximum(exponents, smallest) - bits)
    return ulps
