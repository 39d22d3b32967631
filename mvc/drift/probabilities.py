"""Probabilities of normal and Student's distributions, accurate in their tails. Owns them because SciPy, which has them
as well, takes longer to import than all else takes that a commit is judged by.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
#: numbers and arrays of them are computed with alike
Number = TypeVar("Number", float, Floats)

_NORMAL = statistics.NormalDist()
#: pairs of terms of the continued fraction; about as many as the root of the degrees of freedom are needed
_TERMS = 40
#: values beyond are as good as these, and their squares are finite
_LARGEST = 1e150


def student(freedom: float, at: Any) -> Any:
    """P(T ≤ at) of Student's t, elementwise; accurate in the lower tail, for up to a thousand degrees of freedom."""
    if np.ndim(at) == 0:
        t = min(max(float(at), -_LARGEST), _LARGEST)
        tail = _tail(freedom, t * t, freedom / (freedom + t * t) < _edge(freedom))
        return 1 - tail if t > 0 else tail
    values = np.clip(np.asarray(at, dtype=np.float64), -_LARGEST, _LARGEST)
    squares = values * values
    outer = freedom / (freedom + squares) < _edge(freedom)
    tails = np.empty_like(values)
    for outside, places in ((True, outer), (False, ~outer)):
        tails[places] = _tail(freedom, squares[places], outside)
    return np.where(values > 0, 1 - tails, tails)


def _edge(freedom: float) -> float:
    """Where either of two continued fractions converges as fast as the other."""
    return (freedom / 2 + 1) / (freedom / 2 + 2.5)


def _tail(freedom: float, squares: Number, outside: bool) -> Number:
    """P(T ≤ -t) of squares t², all of them ``outside`` the edge or inside (Abramowitz & Stegun 26.7.1)."""
    x, rest = freedom / (freedom + squares), squares / (freedom + squares)
    if outside:
        return 0.5 * _beta(x, rest, freedom / 2, 0.5)
    return 0.5 - 0.5 * _beta(rest, x, 0.5, freedom / 2)


def _beta(x: Number, rest: Number, a: float, b: float) -> Number:
    """The regularised incomplete beta function I_x(a, b); ``rest`` is 1 - x. By its continued fraction (26.5.8)."""
    fraction = 0.0 * x
    for m in range(_TERMS, -1, -1):
        odd = -(a + m) * (a + b + m) / ((a + 2 * m) * (a + 2 * m + 1))
        fraction = odd * x / (1 + fraction)
        if m:
            even = m * (b - m) / ((a + 2 * m - 1) * (a + 2 * m))
            fraction = even * x / (1 + fraction)
    scale = math.exp(math.lgamma(a + b) - math.lgamma(a + 1) - math.lgamma(b))
    found: Number = scale * x**a * rest**b / (1 + fraction)
    return found


def normal(at: Any) -> Any:
    """P(Z ≤ at) of the standard normal, elementwise."""
    return _each(at, lambda z: 0.5 * math.erfc(-z / math.sqrt(2)))


def normal_quantile(probability: Any) -> Any:
    """The value that a standard normal one stays below with this probability (0 < p < 1), elementwise."""
    return _each(probability, _NORMAL.inv_cdf)


def _each(values: Any, function: Callable[[float], float]) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    return np.array([function(value) for value in array.ravel().tolist()]).reshape(array.shape)
