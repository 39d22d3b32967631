"""The order of checkpoints along one trajectory, up to reversal. Owns seriation; says nothing of direction.

Late in training neighbours differ mostly by noise: checkpoints one and two epochs apart are equally far from each
other, and a shortest path through the raw distances wanders. Two things restore the order. The first principal
coordinates hold the drift and drop the noise, which is orthogonal to it and to itself (of a random walk they are
cosines of time; Antognini & Sohl-Dickstein 2018). And the banded anti-Robinson form (Earle & Hurley 2015), which asks
the neighbours' neighbours to be near as well, uses several lags where the shortest path uses one.
"""

from __future__ import annotations

import numpy as np

from mvc.trajectory.mst import Floats, Ints
from mvc.trajectory.rearranging import changes_of

#: principal coordinates kept before ordering one run
COORDINATES = 60
#: lags that the banded anti-Robinson form looks at
BAND = 8
#: most elements permuted at once; longer orders are improved window by window
_WINDOW = 56


def squared_distances(points: Floats) -> Floats:
    """Squared Euclidean distances [n, n] of points [n, k], symmetric, zero on the diagonal."""
    inner = points @ points.T
    norms = np.diag(inner)
    squares: Floats = np.maximum(norms[:, None] + norms[None, :] - 2 * inner, 0.0)
    squares = (squares + squares.T) / 2
    np.fill_diagonal(squares, 0.0)
    return squares


def principal_coordinates(squares: Floats, k: int) -> Floats:
    """Classical scaling (Torgerson 1952; Gower 1966): coordinates [n, ≤ k] whose distances approximate the given."""
    n = len(squares)
    centred = squares - squares.mean(axis=0)[None, :]
    centred = -0.5 * (centred - centred.mean(axis=1)[:, None])
    values, axes = np.linalg.eigh((centred + centred.T) / 2)
    k = min(k, max(n - 1, 1))
    values, axes = values[::-1][:k], axes[:, ::-1][:, :k]
    # an eigenvector's sign is arbitrary: the largest entry is made positive, so that the result is one function
    signs = np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(k)])
    coordinates: Floats = axes * signs * np.sqrt(np.maximum(values, 0.0))
    return coordinates


def denoised(squares: Floats, k: int) -> Floats:
    """Distances [n, n] within the first k principal coordinates."""
    return np.sqrt(squared_distances(principal_coordinates(squares, k)))


def order_epochs(squares: Floats, *, start: Ints | None = None, first: int | None = None) -> Ints:
    """Order [n] of points with these squared distances; ``start`` is where the search begins, ``first`` stays first.

    Without ``start`` the search begins at the order of the first principal coordinate.
    """
    n = len(squares)
    if n < 3:
        return np.arange(n, dtype=np.intp) if start is None else start
    distances = denoised(squares, COORDINATES)
    if start is None:
        axis = principal_coordinates(squares, 1)[:, 0]
        start = np.lexsort((np.arange(n), axis)).astype(np.intp)
    if first is not None:
        start = np.concatenate([[first], start[start != first]]).astype(np.intp)
    order = _improve(distances, start, band=1, fixed=first is not None)
    return _improve(distances, order, band=min(BAND, n - 1), fixed=first is not None)


def anti_robinson_cost(distances: Floats, orders: Ints, band: int) -> Floats:
    """Banded anti-Robinson form [m] of orders [m, n]: Σ over lags l ≤ band of (band + 1 - l) × distances at lag l."""
    cost = np.zeros(len(orders))
    for lag in range(1, band + 1):
        cost += (band + 1 - lag) * distances[orders[:, :-lag], orders[:, lag:]].sum(axis=1)
    return cost


def swap_margins(squares: Floats, band: int = BAND) -> Floats:
    """How much the form grows when neighbours i and i+1 of the given order change places, [n-1]. O(n band)."""
    n = len(squares)
    distances, band = np.sqrt(squares), min(band, n - 1)

    def weight(lag: int) -> int:
        return max(band + 1 - lag, 0)

    margins = np.zeros(n - 1)
    for away in range(-band, band + 2):  # what is at i + away comes nearer to one of the two, farther from the other
        first, last = max(0, -away), min(n - 1, n - away)
        if away not in (0, 1) and first < last:
            i = np.arange(first, last)
            gained = weight(abs(away - 1)) - weight(abs(away))
            margins[i] += gained * (distances[i, i + away] - distances[i + 1, i + away])
    return margins


def _improve(distances: Floats, order: Ints, band: int, fixed: bool) -> Ints:
    """Steepest descent by reversals and moves of up to three elements; windows with their context where n is large."""
    n = len(order)
    if n <= _WINDOW:
        return _descend(distances, order, 0, n, band, int(fixed))
    settled: dict[int, Ints] = {}  # windows that nothing improved, with their context
    for _ in range(2):
        for lo in range(0, n - _WINDOW // 2, _WINDOW // 2):
            hi = min(n, lo + _WINDOW)
            context = order[max(0, lo - band) : hi + band]
            if lo in settled and np.array_equal(settled[lo], context):
                continue
            improved = _descend(distances, order, lo, hi, band, int(fixed and lo == 0))
            if np.array_equal(improved, order):
                settled[lo] = context
            order = improved
    return order


def _descend(distances: Floats, order: Ints, lo: int, hi: int, band: int, keep: int) -> Ints:
    head, tail = max(0, lo - band), min(len(order), hi + band)
    context = order[head:tail]
    changes = changes_of(len(context), lo + keep - head, hi - head, band)
    cost = float(anti_robinson_cost(distances, context[None], band)[0])
    if not len(changes.moves):
        return order
    for _ in range(4 * len(context)):
        gains = changes.applied(distances[np.ix_(context, context)])
        best = int(gains.argmin())
        if gains[best] >= -cost * 1e-12:
            break
        context, cost = context[changes.moved(best)], cost + float(gains[best])
    result = order.copy()
    result[head:tail] = context
    return result
