"""Which weighted average of known models an unknown one is. Owns the search, the fit and the null; places nothing.

Weights sum to one and may be negative: that holds for uniform and weighted averages, for averages of a run's tail
(SWA: Izmailov et al. 2018), for soups (Wortsman et al. 2022) and for task arithmetic, base + Σ λ(tᵢ - base) (Ilharco
et al. 2023). Signatures are linear, so the signature of an average is the average of signatures.

The null: a checkpoint that was trained carries noise of its own, orthogonal to all others, so it is as far from what
the others span as they are from what is left of them. A mixture is not: it leaves its own rounding where all sources
are known, and the share of the missing source where one is not. One known source alone is a copy, never a mixture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mvc.trajectory.mst import Floats, Ints

#: share of a source's own noise that a mixture may leave where all sources are known
COMPLETE = 0.05
#: share below which a model is a mixture with a source missing
INCOMPLETE = 0.3
#: candidates that one fit sees at most; a quarter of the dimensions where these are fewer, so that noise does not fit
LIMIT = 512
#: standard errors that a weight must exceed to be one
_SIGNIFICANT = 4.0
#: weights below this are rounding
_SMALLEST = 1e-3
_JITTER = 1e-13


@dataclass(frozen=True)
class Mixture:
    """``sources`` index the vectors, largest weight first; ``weights`` sum to one.

    ``residual`` is what the sources leave of the target; ``share`` is it, without rounding, beside the noise that
    every training step adds: near 1 for a trained model, 0 for a mixture. ``incomplete``: a source is missing.
    """

    sources: tuple[int, ...]
    weights: tuple[float, ...]
    residual: float
    share: float
    confidence: float
    incomplete: bool


@dataclass(frozen=True)
class Fit:
    """``weights`` [s] sum to one; ``gaps`` [s]: distance of each source from what the others span (affinely)."""

    weights: Floats
    gaps: Floats
    residual: float


def explain_mixture(
    vectors: npt.NDArray[np.floating], target: npt.NDArray[np.floating], *, rounding: float = 0.0
) -> Mixture | None:
    """The weighted average of ``vectors`` [n, k] that ``target`` [k] is, None where it is none.

    ``rounding``: norm of the error that the target's own dtype made, 0 for single precision and above. None as well
    where rounding hides what a training step would leave.
    """
    found = find_sources(vectors, target)
    if found is None:
        return None
    sources, noise, fit = found
    if len(sources) < 2:
        return None
    left = math.sqrt(max(fit.residual**2 - rounding**2, 0.0))
    own = float(np.median(fit.gaps))
    if own <= 0 or rounding > own / 2:
        return None
    share = left / own
    incomplete = share > COMPLETE
    if incomplete:
        share = max(share, left / noise)
    if share > INCOMPLETE:
        return None
    order = np.lexsort((sources, -np.abs(fit.weights)))
    return Mixture(
        sources=tuple(int(i) for i in sources[order]),
        weights=tuple(float(w) for w in fit.weights[order]),
        residual=fit.residual,
        share=share,
        confidence=round(1.0 - share, 4),
        incomplete=incomplete,
    )


def find_sources(
    vectors: npt.NDArray[np.floating], target: npt.NDArray[np.floating]
) -> tuple[Ints, float, Fit] | None:
    """Sources of the target, the median gap of them among all candidates, and the fit to them alone."""
    n, k = vectors.shape
    limit = min(LIMIT, k // 4)
    if n < 2 or limit < 2:
        return None
    goal = target.astype(np.float64)
    chosen = matching_pursuit(vectors, goal, limit)
    points = vectors[chosen].astype(np.float64)
    fit = sum_to_one_least_squares(points, goal)
    among_all = fit.gaps
    at = np.arange(len(chosen))
    while len(at) > 1:
        error = max(fit.residual, 1e-7 * float(np.linalg.norm(goal))) / math.sqrt(k - len(at))
        strength = np.abs(fit.weights) * fit.gaps
        weak = np.flatnonzero((strength < _SIGNIFICANT * error) | (np.abs(fit.weights) < _SMALLEST))
        if len(weak) == 0:
            break
        # half of the weak ones at a time: of two that say the same, one has to stay
        weakest = weak[np.argsort(strength[weak], kind="stable")[: max(1, len(weak) // 2)]]
        at = np.delete(at, weakest)
        fit = sum_to_one_least_squares(points[at], goal)
    return chosen[at], float(np.median(among_all[at])), fit


def matching_pursuit(vectors: npt.NDArray[np.floating], target: Floats, limit: int) -> Ints:
    """Indices of at most ``limit`` candidates, ascending: the nearest, then those that the residual points along.

    Orthogonal matching pursuit (Pati, Rezaiifar, Krishnaprasad 1993), several atoms a round (Donoho et al. 2012).
    """
    n = len(vectors)
    if n <= limit:
        return np.arange(n)
    norms = np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64)
    away = norms - 2 * (vectors @ target.astype(vectors.dtype))
    chosen = np.argsort(away, kind="stable")[: limit // 2].astype(np.intp)
    centre = vectors[chosen[0]].astype(np.float64)
    lengths = np.sqrt(np.maximum(norms - 2 * (vectors @ centre) + centre @ centre, 1e-30))
    while len(chosen) < limit:
        points = vectors[chosen].astype(np.float64)
        fit = sum_to_one_least_squares(points, target)
        if fit.residual <= 1e-6 * float(np.linalg.norm(target)):
            break
        residual = target - fit.weights @ points
        along = np.abs(vectors @ residual - centre @ residual) / lengths
        along[chosen] = -1.0
        room = min(max(limit // 16, 1), limit - len(chosen))
        chosen = np.concatenate([chosen, np.argsort(-along, kind="stable")[:room]])
    return np.sort(chosen)


def sum_to_one_least_squares(points: Floats, target: Floats) -> Fit:
    """Weights [s], summing to one, of the points [s, k] nearest to the target [k] in their affine span.

    By the Gram matrix of differences to the nearest point, refined once on the vectors themselves. O(s²k).
    """
    away = np.einsum("ij,ij->i", points - target, points - target)
    centre = int(away.argmin())
    others = np.delete(np.arange(len(points)), centre)
    basis = points[others] - points[centre]
    scale = np.sqrt(np.maximum(np.einsum("ij,ij->i", basis, basis), 1e-300))
    basis /= scale[:, None]
    # the jitter shares weights out between points that say the same
    inverse = np.linalg.inv(basis @ basis.T + _JITTER * np.eye(len(others)))
    goal = target - points[centre]
    steps = inverse @ (basis @ goal)
    steps += inverse @ (basis @ (goal - steps @ basis))
    residual = float(np.linalg.norm(goal - steps @ basis))
    spread = inverse / np.outer(scale, scale)
    weights, variance = np.empty(len(points)), np.empty(len(points))
    weights[others], variance[others] = steps / scale, np.diag(spread)
    weights[centre], variance[centre] = 1.0 - weights[others].sum(), spread.sum()
    gaps = 1.0 / np.sqrt(np.maximum(variance, 1e-300))
    return Fit(weights, gaps, residual)
