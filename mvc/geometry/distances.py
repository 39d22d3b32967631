"""How far two tensors or two models are from each other: exact figures, which take both tensors, and estimates, which
take their signatures. Holds two tensors at a time.

Values that are not finite are counted and taken as zero, so that one NaN does not hide everything else.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mvc.geometry.sketches import EXACT, WIDTH, Signature
from mvc.objects import Checkpoint, read_array

#: values compared at a time: so few that their doubles stay in a processor's cache
_BLOCK = 1 << 14


@dataclass(frozen=True)
class TensorComparison:
    """Figures of tensors a and b of equal shape. Sums over tensors give those of models (see `combine`).

    ``changed`` counts the values that differ, those that are not finite left out. Of estimates ``variance`` is that of
    ``squared_distance``, and ``max_abs`` and ``changed`` are None, unless nothing changed; of exact figures it is 0.
    """

    numel: int
    squared_distance: float
    squared_a: float
    squared_b: float
    inner: float
    max_abs: float | None
    nonfinite: int
    changed: int | None = 0
    exact: bool = True
    variance: float = 0.0

    @property
    def distance(self) -> float:
        return math.sqrt(self.squared_distance)

    @property
    def error(self) -> float:
        """Standard error of ``distance``, relative to it."""
        return math.sqrt(self.variance) / (2 * self.squared_distance) if self.squared_distance else 0.0

    @property
    def relative_distance(self) -> float | None:
        """distance / rms of the two norms: 0 for equal, √2 for orthogonal tensors; None where both are zero."""
        rms = math.sqrt((self.squared_a + self.squared_b) / 2)
        return self.distance / rms if rms > 0 else None

    @property
    def cosine(self) -> float | None:
        """None where a side is zero."""
        norms = math.sqrt(self.squared_a) * math.sqrt(self.squared_b)
        return max(-1.0, min(1.0, self.inner / norms)) if norms > 0 else None


def compare_tensors(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> TensorComparison:
    """Compares two float arrays of equal size, a few kilobytes at a time, in double precision."""
    flat_a, flat_b = a.reshape(-1), b.reshape(-1)
    total = np.zeros(4)
    max_abs, nonfinite, changed = 0.0, 0, 0
    for start in range(0, flat_a.size, _BLOCK):
        x = flat_a[start : start + _BLOCK].astype(np.float64)
        y = flat_b[start : start + _BLOCK].astype(np.float64)
        squares = x @ x, y @ y
        if not math.isfinite(squares[0] + squares[1]):  # cheaper than to look at every value
            finite = np.isfinite(x) & np.isfinite(y)
            nonfinite += int(finite.size - np.count_nonzero(finite))
            x[~finite] = y[~finite] = 0.0
            squares = x @ x, y @ y
        product = x @ y
        y -= x
        total += (y @ y, *squares, product)
        max_abs = max(max_abs, float(y.max()), -float(y.min()))
        changed += int(np.count_nonzero(y))
    squared, squared_a, squared_b, inner = (float(value) for value in total)
    return TensorComparison(flat_a.size, squared, squared_a, squared_b, inner, max_abs, nonfinite, changed)


def estimate_tensors(a: Signature, b: Signature) -> TensorComparison:
    """Figures from signatures of two tensors of equal size, all values of which are finite.

    Squared distances are without bias and have a relative standard error of at most sqrt(2 / WIDTH), or none but
    rounding where signatures hold every value (see `mvc.geometry.sketches`).
    """
    x, y = a.values.astype(np.float64), b.values.astype(np.float64)
    change = y - x
    squared = float(change @ change)
    return TensorComparison(
        numel=a.numel,
        squared_distance=squared,
        squared_a=float(x @ x),
        squared_b=float(y @ y),
        inner=float(x @ y),
        max_abs=None if squared else 0.0,
        nonfinite=0,
        changed=None if squared else 0,
        exact=False,
        variance=0.0 if a.numel <= EXACT else 2 / WIDTH * squared**2,
    )


def combine(parts: Iterable[TensorComparison]) -> TensorComparison:
    """Figures of all tensors together, as of one long vector."""
    rows = list(parts)
    known = all(row.max_abs is not None and row.changed is not None for row in rows)
    return TensorComparison(
        numel=sum(row.numel for row in rows),
        squared_distance=math.fsum(row.squared_distance for row in rows),
        squared_a=math.fsum(row.squared_a for row in rows),
        squared_b=math.fsum(row.squared_b for row in rows),
        inner=math.fsum(row.inner for row in rows),
        max_abs=max((row.max_abs or 0.0 for row in rows), default=0.0) if known else None,
        nonfinite=sum(row.nonfinite for row in rows),
        changed=sum(row.changed or 0 for row in rows) if known else None,
        exact=all(row.exact for row in rows),
        variance=math.fsum(row.variance for row in rows),
    )


def distance(a: Checkpoint, b: Checkpoint, names: Sequence[str]) -> float:
    """Euclidean distance over the named tensors, streamed: two tensors in memory, equal ones not read."""
    squares = [
        compare_tensors(read_array(a, name), read_array(b, name)).squared_distance
        for name in names
        if a.object_id(name) != b.object_id(name)
    ]
    return math.sqrt(math.fsum(squares))
