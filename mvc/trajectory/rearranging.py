"""What the search for an order tries: reversals and moves of up to three elements. Owns by how much each would change
the banded form, which no distance has a part in: it is known before any is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from mvc.trajectory.mst import Floats, Ints

#: patterns are worked out for a multiple of so many places: those of fewer are among them
_STEP = 8


@dataclass(frozen=True, eq=False)
class _Patterns:
    """Permutations without a fixed end, and by how much each changes the banded form wherever it is done.

    ``moves`` [m, 2]: number of a pattern, and where it begins; ``stops`` [m] where it ends. ``starts`` [p + 1]
    of each pattern's pairs of elements, counted from where it begins: ``left``, ``right`` and ``weights``.
    """

    permutations: tuple[tuple[int, ...], ...]
    moves: Ints
    stops: Ints
    starts: Ints
    left: Ints
    right: Ints
    weights: npt.NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class Changes:
    """A sparse matrix [m, c²]: ``weights`` of ``places``, row after row, each from one of ``starts`` [m].

    ``moves`` [m, 2]: a pattern, and the place of c where it begins.
    """

    size: int
    permutations: tuple[tuple[int, ...], ...]
    moves: Ints
    starts: Ints
    places: Ints
    weights: npt.NDArray[np.int8]

    def applied(self, matrix: Floats) -> Floats:
        """Product [m] with a matrix [c, c] laid out in a row."""
        product: Floats = np.add.reduceat(matrix.ravel()[self.places] * self.weights, self.starts)
        return product

    def moved(self, move: int) -> Ints:
        """Where the elements at the c places come from."""
        pattern, start = self.moves[move].tolist()
        permutation = self.permutations[pattern]
        found = np.arange(self.size)
        found[start : start + len(permutation)] = start + np.array(permutation)
        return found


@lru_cache(maxsize=8)
def changes_of(c: int, first: int, last: int, band: int) -> Changes:
    """Moves of the places ``first`` to ``last`` of c, and by how much each changes the banded form.

    It is a sparse function of the distances in the present order, the same at every step: that of the move's pattern,
    shifted to where it is done, without the pairs that would reach beyond the c.
    """
    n = last - first
    patterns = _patterns(-(-n // _STEP) * _STEP, band)
    moves = patterns.moves[patterns.stops <= n] + np.array([0, first])
    which, begins = moves.T
    sizes = np.diff(patterns.starts)[which]
    stops = np.cumsum(sizes)
    pairs = np.arange(stops[-1] if len(stops) else 0) + np.repeat(patterns.starts[which] - stops + sizes, sizes)
    shifts = np.repeat(begins, sizes)
    if min(first, c - last) < band:
        low, high = np.minimum(patterns.left, patterns.right), np.maximum(patterns.left, patterns.right)
        inside = (low[pairs] >= -shifts) & (high[pairs] < c - shifts)
        sizes = np.diff(np.concatenate([[0], np.cumsum(inside)])[np.concatenate([[0], stops])])
        pairs, shifts = pairs[inside], shifts[inside]
    starts = (np.cumsum(sizes) - sizes)[sizes > 0]  # turning all round changes nothing, and is no move
    places = (patterns.left * c + patterns.right)[pairs] + shifts * (c + 1)
    return Changes(c, patterns.permutations, moves[sizes > 0], starts, places, patterns.weights[pairs])


@lru_cache(maxsize=4)
def _patterns(n: int, band: int) -> _Patterns:
    """Those of n places; what fewer places have is among them, in the same order.

    A move changes the form by little else than the pairs at its ends, since what it shifts or turns round keeps its
    own lags.
    """
    numbers: dict[tuple[int, ...], int] = {}
    found = dict.fromkeys((numbers.setdefault(pattern, len(numbers)), start) for pattern, start in _moves(n))
    moves = np.array(list(found), dtype=np.intp).reshape(-1, 2)
    lengths = np.array([len(pattern) for pattern in numbers])
    c = n + 2 * band
    moved = np.tile(np.arange(c), (len(numbers), 1))  # each done at the first place behind a band of others
    for row, pattern in zip(moved, numbers, strict=True):
        row[band : band + len(pattern)] = band + np.array(pattern)
    at = np.argsort(moved, axis=1)  # where each place goes
    weigh = np.concatenate([[0], np.arange(band, 0, -1), np.zeros(c)]).astype(np.int8)  # by lag
    rows, lefts, rights, weights = [], [], [], []
    for lag in range(1, min(band, c - 1) + 1):
        left, right = moved[:, :-lag], moved[:, lag:]
        before, after = np.abs(left - right), np.abs(at[:, :-lag] - at[:, lag:])
        row, here = np.nonzero(before != lag)  # pairs that come to this lag
        rows.append(row)
        lefts.append(left[row, here])
        rights.append(right[row, here])
        weights.append(weigh[lag] - weigh[before[row, here]])
        row, here = np.nonzero(after > band)  # pairs that leave it for beyond the band
        rows.append(row)
        lefts.append(here)
        rights.append(here + lag)
        weights.append(np.full(len(row), -weigh[lag]))
    joined = np.concatenate(rows)
    sorting = np.argsort(joined, kind="stable")
    return _Patterns(
        tuple(numbers),
        moves,
        moves[:, 1] + lengths[moves[:, 0]],
        np.concatenate([[0], np.cumsum(np.bincount(joined, minlength=len(numbers)))]),
        np.concatenate(lefts)[sorting] - band,
        np.concatenate(rights)[sorting] - band,
        np.concatenate(weights)[sorting].astype(np.int8),
    )


def _moves(n: int) -> Iterator[tuple[tuple[int, ...], int]]:
    """Permutations of n places that one step of the search tries, each as its part without fixed ends and the place
    where that begins. Some come more than once."""
    for i in range(n):
        for j in range(i + 1, n):
            yield tuple(range(j - i, -1, -1)), i
    for size in (1, 2, 3):
        onward = [_carried(size, by) for by in range(n - size + 1)]
        back = [(_inverse(plain), _inverse(turned)) for plain, turned in onward]
        for i in range(n - size + 1):
            for j in range(n - size + 1):
                if j > i:
                    yield from ((pattern, i) for pattern in onward[j - i])
                elif j < i:
                    yield from ((pattern, j) for pattern in back[i - j])


def _carried(size: int, by: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """A block that moves on by so many places, as it is and turned round."""
    rest, block = tuple(range(size, size + by)), tuple(range(size))
    return (*rest, *block), (*rest, *block[::-1])


def _inverse(permutation: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(range(len(permutation)), key=permutation.__getitem__))
