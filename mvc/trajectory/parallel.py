"""Branches that run beside their host. Owns telling two interleaved runs from one.

A run forked on the same data moves along with its host: it stays nearer to the host's checkpoints than its own steps
are long, so shortest paths and seriation lay both into one order. What tells them apart is what each has to itself.
Take the residual of every point from a local quadratic through its neighbours in the order, itself left out: points of
one branch lie on one side, those of the other on the other side. So the residuals' cosines, near the diagonal, are an
outer product of signs, and a two-colouring (the leading eigenvector, then local search) explains them. In a single run
the residuals are noise, or the smooth rhythm of what a quadratic leaves over, and no colouring explains as much.
"""

from __future__ import annotations

import numpy as np

from mvc.trajectory.mst import Floats, Ints
from mvc.trajectory.ordering import principal_coordinates, squared_distances

#: neighbours that the local quadratic is fitted to
WINDOW = 11
#: lags at which residuals are compared
LAGS = 4
#: mean cosine, signs taken out, that two branches must show; noisy single runs stay below .53
EXPLAINED = 0.56
#: steps (of the merged order) that residuals must measure: what a quadratic leaves of one smooth run is much less
ASIDE = 0.3
#: mean cosine down to which a point beside them still belongs to the stretch where both branches are
LEAST = 0.2
#: share of the highest mean cosine down to which colours are believed behind the peak
CORE = 0.65
#: points that either branch must have
SMALLEST = 3
_ITERATIONS = 500


def split_parallel(path: Floats) -> tuple[list[int], list[int]] | None:
    """Host and branch of an ordered path [n, k] that holds two interleaved runs, as places in it; None if it is one.

    The host has the points before the place where they part, and goes on longest.
    """
    n = len(path)
    if n < WINDOW + 2:
        return None
    residuals = _residuals(path)
    colours, explained = two_colouring(residuals)
    smooth = np.convolve(explained, np.ones(5) / 5, "same")
    peak = int(smooth.argmax())
    around = slice(max(0, peak - LAGS), peak + LAGS + 1)
    aside = float(np.median(np.linalg.norm(residuals[around], axis=1)))
    step = float(np.median(np.linalg.norm(np.diff(path, axis=0)[around], axis=1)))
    if smooth[peak] < EXPLAINED or aside < ASIDE * step:
        return None
    low = high = peak
    while low > 0 and explained[low - 1] >= LEAST:
        low -= 1
    while high < n - 1 and explained[high + 1] >= CORE * smooth[peak]:
        high += 1
    sides = ([i for i in range(low, high + 1) if colours[i] > 0], [i for i in range(low, high + 1) if colours[i] < 0])
    if min(len(side) for side in sides) < SMALLEST:
        return None
    # where one branch has ended, colours mean nothing: what follows goes on from the nearer end
    for point in range(high + 1, n):
        nearer = min(sides, key=lambda side: float(((path[point] - path[side[-1]]) ** 2).sum()))
        nearer.append(point)
    branch, host = sorted(sides, key=lambda side: (side[-1], len(side)))
    return [*range(low), *host], branch


def two_colouring(residuals: Floats) -> tuple[Ints, Floats]:
    """Signs [n] that best explain the cosines of residuals [n, k] up to LAGS apart, and how well each point's are.

    Leading eigenvector of the banded cosines by power iteration, then single changes of sign (Hopfield's dynamics)
    until none helps. O(n k LAGS): the matrix is never laid out.
    """
    n = len(residuals)
    norms = np.linalg.norm(residuals, axis=1)
    unit = np.divide(residuals, norms[:, None], out=np.zeros_like(residuals), where=norms[:, None] > 0)
    bands = [np.einsum("ij,ij->i", unit[lag:], unit[:-lag]) for lag in range(1, min(LAGS, n - 1) + 1)]

    def cosines_times(vector: Floats) -> Floats:
        product = np.zeros(n)
        for lag, band in enumerate(bands, start=1):
            product[lag:] += band * vector[:-lag]
            product[:-lag] += band * vector[lag:]
        return product

    vector = np.random.default_rng(n).normal(size=n)
    for _ in range(_ITERATIONS):
        vector = cosines_times(vector) + 2 * LAGS * vector  # the shift makes the largest eigenvalue the leading one
        vector /= np.linalg.norm(vector)
    signs = np.where(vector >= 0, 1.0, -1.0)
    for _ in range(n):
        changed = np.where(cosines_times(signs) >= 0, 1.0, -1.0)
        if (changed == signs).all():
            break
        signs = changed
    compared = np.minimum(np.arange(n), LAGS) + np.minimum(np.arange(n)[::-1], LAGS)
    return signs.astype(np.intp), signs * cosines_times(signs) / np.maximum(compared, 1)


def _residuals(path: Floats) -> Floats:
    """Residual [n, k] of each point from a quadratic in arc length, fitted to its neighbours without itself."""
    n = len(path)
    drift = principal_coordinates(squared_distances(path), 3)
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(drift, axis=0), axis=1))])
    residuals = np.zeros_like(path)
    for i in range(n):
        low = max(0, min(i - WINDOW // 2, n - WINDOW))
        near = np.arange(low, low + WINDOW)
        along = (length[near] - length[i]) / (np.ptp(length[near]) or 1.0)
        reach = np.abs(along).max() or 1.0
        weight = (1 - np.minimum(np.abs(along) / reach, 0.999) ** 3) ** 3  # tricube, as in loess
        weight[near == i] = 0.0
        design = np.stack([np.ones(WINDOW), along, along**2], axis=1)
        root = np.sqrt(weight)[:, None]
        fitted = np.linalg.lstsq(design * root, path[near] * root, rcond=None)[0]
        residuals[i] = path[i] - fitted[0]
    return residuals
