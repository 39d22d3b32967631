"""The order of checkpoints along one trajectory, up to reversal. Owns seriation; says nothing of direction.

Late in training neighbours differ mostly by noise: checkpoints one and two epochs apart are equally far from each
other, and a shortest path through the raw distances wanders. Two things restore the order. The first principal
coordinates hold the drift and drop the noise, which is orthogonal to it and to itself (of a random walk they are
cosines of time; Antognini & Sohl-Dickstein 2018). And the banded anti-Robinson form (Earle & Hurley 2015), which asks
the neighbours' neighbours to be near as well, uses several lags where the shortest path uses one.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from mvc.trajectory.mst import Floats, Ints

#: principal coordinates kept before ordering one run
COORDINATES = 10
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
    """How much the form grows when neighbours i and i+1 of the given order change places, [n-1]."""
    n = len(squares)
    distances = np.sqrt(squares)
    margins = np.zeros(n - 1)
    for i in range(n - 1):
        lo, hi = max(0, i - band), min(n, i + 2 + band)
        window = np.arange(lo, hi)
        swapped = window.copy()
        swapped[[i - lo, i + 1 - lo]] = swapped[[i + 1 - lo, i - lo]]
        both = anti_robinson_cost(distances, np.stack([window, swapped]), min(band, len(window) - 1))
        margins[i] = both[1] - both[0]
    return margins


def _improve(distances: Floats, order: Ints, band: int, fixed: bool) -> Ints:
    """Steepest descent by reversals and moves of up to three elements; windows with their context where n is large."""
    n = len(order)
    if n <= _WINDOW:
        return _descend(distances, order, 0, n, band, int(fixed))
    for _ in range(2):
        for lo in range(0, n - _WINDOW // 2, _WINDOW // 2):
            order = _descend(distances, order, lo, min(n, lo + _WINDOW), band, int(fixed and lo == 0))
    return order


def _descend(distances: Floats, order: Ints, lo: int, hi: int, band: int, keep: int) -> Ints:
    head, tail = max(0, lo - band), min(len(order), hi + band)
    context = order[head:tail]
    moves = _moves(hi - lo - keep)
    inner = np.arange(lo + keep - head, hi - head)
    candidates = np.tile(np.arange(len(context)), (len(moves), 1))
    candidates[:, inner] = inner[moves]
    cost = float(anti_robinson_cost(distances, context[None], band)[0])
    for _ in range(4 * len(context)):
        costs = anti_robinson_cost(distances, context[candidates], band)
        best = int(costs.argmin())
        if costs[best] >= cost * (1 - 1e-12):
            break
        context, cost = context[candidates[best]], float(costs[best])
    result = order.copy()
    result[head:tail] = context
    return result


@lru_cache(maxsize=64)
def _moves(n: int) -> Ints:
    """Permutations [m, n] that one step of the search tries."""
    base = list(range(n))
    moves = [base[:i] + base[i : j + 1][::-1] + base[j + 1 :] for i in range(n) for j in range(i + 1, n)]
    for size in (1, 2, 3):
        for i in range(n - size + 1):
            block, rest = base[i : i + size], base[:i] + base[i + size :]
            for j in range(len(rest) + 1):
                if j != i:
                    moves += [rest[:j] + block + rest[j:], rest[:j] + block[::-1] + rest[j:]]
    return np.array(moves or [base], dtype=np.intp).reshape(-1, n)
