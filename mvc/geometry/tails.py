"""Power laws in the tails of samples. Owns the fit of exponent and start, and how good it is.

Maximum likelihood for every possible start, of which the one is kept where fit and sample are nearest by Kolmogorov
and Smirnov's distance (Clauset, Shalizi & Newman 2009). The distance is measured just below each value, as the authors'
own programs do. Whether a power law is plausible at all is asked of samples drawn from the fit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PowerLaw:
    """Density ∝ x^-``alpha`` from ``start`` (the xmin of the literature) on.

    ``error`` is alpha's standard error, ``distance`` the Kolmogorov-Smirnov distance D between sample and fit, ``tail``
    how many values lie at ``start`` or above.
    """

    alpha: float
    error: float
    start: float
    distance: float
    tail: int


def fit_tail(values: Floats) -> PowerLaw | None:
    """The power law that fits the tail of positive values [n] best; None where they are all alike. O(n²)."""
    ordered = np.sort(values)
    logs = np.log(ordered)
    n = len(logs)
    ramp = np.arange(n)
    sums = np.cumsum(logs[::-1])[::-1]  # of each value and those above it
    best: tuple[float, float, int] | None = None
    for first in range(n - 1):
        left = n - first
        excess = sums[first] - left * logs[first]
        if excess <= left * 1e-12 * max(1.0, abs(logs[first])):  # all alike from here on
            break
        slope = left / excess  # alpha - 1
        fitted = -np.expm1(-slope * (logs[first:] - logs[first]))
        distance = float(np.abs(fitted - ramp[:left] / left).max())
        if best is None or distance < best[0]:
            best = distance, slope, first
    if best is None:
        return None
    distance, slope, first = best
    tail = n - first
    return PowerLaw(1 + slope, slope / math.sqrt(tail), float(ordered[first]), distance, tail)


def plausibility(values: Floats, fit: PowerLaw, rng: np.random.Generator, samples: int = 100) -> float:
    """Share of samples from the fit that lie as far from their own fit, or farther: below .1 a power law is ruled out.

    Semiparametric bootstrap: the tail is drawn from the power law, what is below from the values [n] themselves. Exact
    to about 1 / (2 √samples).
    """
    n, body = len(values), values[values < fit.start]
    farther = 0
    for _ in range(samples):
        tail = n if not len(body) else int(rng.binomial(n, fit.tail / n))
        drawn = fit.start * (1 - rng.random(tail)) ** (-1 / (fit.alpha - 1))
        sample = np.concatenate([drawn, rng.choice(body, n - tail)]) if len(body) else drawn
        again = fit_tail(sample)
        farther += again is not None and again.distance >= fit.distance
    return farther / samples
