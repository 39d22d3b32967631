"""How one tensor's values were made of another's without training: cast, quantised, pruned. Owns the value checks.

A check passes only where every value passes: one that training moved by more than rounding does refuses. The names are
those that `mvc identify` prints.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from mvc.objects import DTYPES

Array = npt.NDArray[Any]

#: relative error of a value that was multiplied by a unit's scale and divided by it again, both in float32
ROUNDING = 1e-5
#: fewest values in which a grid of 255 steps means anything
_GRID = 3


def transform(x: Array, y: Array) -> frozenset[str] | None:
    """How y was made of x, both of equal shape: cast to its dtype, rounded to a grid, some values zero. None: neither.

    An empty set: the values are equal.
    """
    flat = y.reshape(-1)
    for names, values in _rounded(x, y):
        equal = (flat == values) | ((flat != flat) & (values != values))
        if equal.all():
            return names
        if (equal | (flat == 0)).all():
            return names | {"pruned"}
    on_grid = _quantised(x.astype(np.float64), y.astype(np.float64))
    return None if on_grid is None else on_grid | ({"cast"} if x.dtype != y.dtype else frozenset())


def close_transform(x: Array, y: Array, stored: Array) -> frozenset[str] | None:
    """As `transform` for a y whose scales were undone, so that rounding blurs it; ``stored`` is y before that."""
    away, size = np.abs(x - y), np.abs(x)
    kept = stored != 0
    for kind, error in ((None, ROUNDING), ("F16", 2.0**-10), ("BF16", 2.0**-7)):
        narrow = None if kind is None else DTYPES[kind].numpy
        if narrow is not None and not (stored.astype(narrow).astype(stored.dtype) == stored).all():
            continue
        near = away <= error * size + error * 1e-3
        names = frozenset() if kind is None else frozenset({"cast"})
        if near.all():
            return names
        if (near | ~kept).all():
            return names | {"pruned"}
    return None


def _rounded(x: Array, y: Array) -> Iterator[tuple[frozenset[str], Array]]:
    """x in y's dtype, directly and, as a copy may have been cast down and back up, through a narrower one."""
    yield frozenset({"cast"} if x.dtype != y.dtype else ()), x.astype(y.dtype).reshape(-1)
    for kind in (DTYPES["F16"].numpy, DTYPES["BF16"].numpy):
        if kind is not None and kind.itemsize < y.dtype.itemsize:
            yield frozenset({"cast"}), x.astype(kind).astype(y.dtype).reshape(-1)


def _quantised(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> frozenset[str] | None:
    """Whether y lies on a grid of eight bits, per tensor or per row, symmetric or not, and x within half a step of it.

    A further name where values of x beyond half a step are zero in y: pruned before or after.
    """
    if x.size < _GRID or not (np.isfinite(x).all() and np.isfinite(y).all()):
        return None
    for rows in (1, len(y)) if y.ndim > 1 else (1,):
        a, b = x.reshape(rows, -1), y.reshape(rows, -1)
        largest, spread = np.abs(b).max(1, keepdims=True), np.ptp(b, axis=1, keepdims=True)
        for step in (largest / 127, largest / 128, spread / 255, spread / 254):
            safe = np.where(step > 0, step, 1.0)
            steps = b / safe
            if np.abs(steps - np.round(steps)).max() > 0.02:
                continue
            near = np.abs(a - b) <= 0.52 * step
            if near.all():
                return frozenset({"quantised"})
            if (near | (b == 0)).all():
                return frozenset({"quantised", "pruned"})
    return None
