"""The part of a spectrum that a random matrix would have. Owns its edge and what lies beyond it.

Eigenvalues of WᵀW of independent entries fill the band that Marchenko & Pastur 1967 give. The entries' variance is read
from the median eigenvalue (Gavish & Donoho 2014), which learned directions hardly move while they are few; the largest
random eigenvalue strays beyond the band's edge as Tracy and Widom have it (Johnstone 2001), so a spike is what lies
beyond its one-in-a-thousand quantile.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: eigenvalues that a bulk needs: with fewer their median strays by a tenth
FEWEST = 32
#: quantile .999 of the Tracy-Widom law of real matrices (β = 1)
_TRACY_WIDOM = 3.2724
_GRID = 20_000


@dataclass(frozen=True)
class Bulk:
    """``variance`` of the random entries; ``edge`` of their band and the ``threshold`` beyond which an eigenvalue is
    one of the ``spikes``, both as eigenvalues of WᵀW. ``softrank`` = edge over the largest eigenvalue: at 1 and above
    nothing sticks out, near 0 a few directions are all there is (Martin & Mahoney 2021). ``distance`` between what is
    no spike and the law, by Kolmogorov and Smirnov: where it is large the layer is no random matrix plus spikes.
    """

    variance: float
    edge: float
    threshold: float
    spikes: int
    softrank: float
    distance: float


def fit_bulk(eigenvalues: Floats, rows: int, columns: int) -> Bulk | str:
    """The bulk of ascending eigenvalues [k] pooled over matrices [rows, columns], rows ≥ columns; or why it has none.

    The more spikes there are, the more the median overstates the variance: the number of spikes is then too small.
    """
    if len(eigenvalues) < FEWEST:
        return f"fewer than {FEWEST} eigenvalues, no bulk"
    middle, largest = float(np.median(eigenvalues)), float(eigenvalues[-1])
    if middle <= largest * rows * np.finfo(np.float64).eps:
        return "rank below half, no bulk"
    variance = middle / (rows * marchenko_pastur_median(columns / rows))
    # corners as Johnstone & Ma 2012 place them, right to second order for small matrices too
    long, wide = math.sqrt(rows - 0.5), math.sqrt(columns - 0.5)
    centre, width = (long + wide) ** 2, (long + wide) * (1 / long + 1 / wide) ** (1 / 3)
    threshold = variance * (centre + _TRACY_WIDOM * width)
    inside = eigenvalues[eigenvalues <= threshold]
    points, masses = _law(columns / rows)
    below = np.interp(inside / (variance * rows), points, masses)
    steps = np.arange(len(inside) + 1) / len(inside)
    distance = float(max(np.abs(below - steps[1:]).max(), np.abs(below - steps[:-1]).max()))
    edge = marchenko_pastur_edge(variance, rows, columns)
    return Bulk(variance, edge, threshold, len(eigenvalues) - len(inside), edge / largest, distance)


def marchenko_pastur_edge(variance: float, rows: int, columns: int) -> float:
    """Upper end of the band of WᵀW for W [rows, columns] with independent entries of this variance."""
    return variance * (math.sqrt(rows) + math.sqrt(columns)) ** 2


def marchenko_pastur_median(ratio: float) -> float:
    """Median of the Marchenko-Pastur law of unit variance, for a ratio columns / rows in (0, 1]."""
    points, masses = _law(ratio)
    return float(np.interp(0.5, masses, points))


@lru_cache(maxsize=64)
def _law(ratio: float) -> tuple[Floats, Floats]:
    """Ascending points [n] of the band of the law of unit variance, and the mass below each."""
    # x = 1 + ratio + 2 √ratio cos θ takes the square roots at both ends out of the integral
    angles = (np.arange(_GRID)[::-1] + 0.5) * math.pi / _GRID
    points = 1 + ratio + 2 * math.sqrt(ratio) * np.cos(angles)
    masses = np.cumsum(np.sin(angles) ** 2 / points)
    return points, masses / masses[-1]
