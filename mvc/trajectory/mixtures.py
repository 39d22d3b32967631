"""Which weighted average of known models an unknown one is. Owns the search, the fit and the null; places nothing.

Weights sum to one and may be negative: that holds for uniform and weighted averages, for averages of a run's tail
(SWA: Izmailov et al. 2018), for soups (Wortsman et al. 2022) and for task arithmetic, base + Σ λ(tᵢ - base) (Ilharco
et al. 2023). Signatures are linear, so the signature of an average is the average of signatures.

Two nulls, both read from the candidates. A checkpoint that was trained carries noise of its own, orthogonal to all
others, so it is as far from what the others span as they are from what is left of them; and that far beside the
distance to its nearest neighbour, for who is far from everyone has gone somewhere new. A mixture is not: it leaves its
rounding where all sources are known, and the share of the missing source where one is not; and it may lie far from
all of its sources. One known source alone is a copy, never a mixture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mvc.trajectory.mst import Floats, Ints
from mvc.trajectory.ordering import squared_distances

#: share of a source's own noise that a mixture's rounding may be
_CLEAR = 0.5
#: share that a missing source may leave where candidates are too few to say how far off their span trained models are
_FEW = 0.25
#: candidates that are enough to say that, beside the distance to the nearest neighbour; and the least spread of it
#: (the logarithm's median less its lowest twentieth)
_CROWD, _SPREAD = 12, 0.1
#: spreads by which a mixture with a source missing lies below that median: so many where it leaves a source's noise,
#: fewer for each halving of what it leaves, within limits
_ODD, _HALVED, _LEAST, _MOST = 2.5, 1.5, 1.0, 4.0
#: candidates that one fit sees at most; a quarter of the dimensions where these are fewer, so that noise does not fit
LIMIT = 512
#: standard errors that a weight must exceed to be one
_SIGNIFICANT = 4.0
#: weights below this are rounding
_SMALLEST = 1e-3
#: a residual of at most so many roundings a source is rounding; noise below so many of them is hidden by it
_ROUNDED = 1.1
_HIDDEN = 2.0
#: what single precision leaves of a mixture, beside its norm
_SINGLE = 1e-6
#: weight above which a model hidden by rounding may be a trained one beside its neighbour
_DOMINANT = 0.7
#: sources from which on weights of both signs are an interpolation: a smooth path (a dead network that only decays) is
#: made of many of its own points like that, and nobody averages so many with negative weights
_INTERPOLATED = 12
_JITTER = 1e-13
#: share of a candidate's squared length below which it lies in the span of others
_SPANNED = 1e-5


@dataclass(frozen=True)
class Mixture:
    """``sources`` index the vectors, largest weight first; ``weights`` sum to one.

    ``residual`` is what the sources leave of the target; ``share`` is it, without rounding, beside the noise that
    every training step adds: near 1 for a trained model, 0 for a mixture. ``incomplete``: a source is missing.
    ``unique``: no other weights give the same model; they do where a candidate is itself an average of others.
    """

    sources: tuple[int, ...]
    weights: tuple[float, ...]
    residual: float
    share: float
    confidence: float
    incomplete: bool
    unique: bool = True


@dataclass(frozen=True)
class Fit:
    """``weights`` [s] sum to one; ``gaps`` [s]: distance of each source from what the others span (affinely)."""

    weights: Floats
    gaps: Floats
    residual: float


@dataclass(frozen=True)
class Found:
    """Sources [s] of a target and the fit to them alone.

    ``gaps`` [s] are those of the sources among all candidates, ``nearest`` is the distance of the nearest candidate.
    ``reach``: logarithm of the share of it that trained models leave, as the candidates have it among themselves, its
    median and spread; None where they are too few. ``unique``: see Mixture.
    """

    sources: Ints
    fit: Fit
    gaps: Floats
    nearest: float
    reach: tuple[float, float] | None
    unique: bool


def explain_mixture(
    vectors: npt.NDArray[np.floating], target: npt.NDArray[np.floating], *, rounding: float = 0.0
) -> Mixture | None:
    """The weighted average of ``vectors`` [n, k] that ``target`` [k] is, None where it is none.

    ``rounding``: norm of the error that the target's own dtype made, 0 for single precision and above. None as well
    where rounding hides what a training step would leave.
    """
    found = find_sources(vectors, target)
    return None if found is None else judge_sources(found, vectors, target, rounding=rounding)


def judge_sources(
    found: Found, vectors: npt.NDArray[np.floating], target: npt.NDArray[np.floating], *, rounding: float = 0.0
) -> Mixture | None:
    """The mixture that sources make of the target, None where it leaves what a trained model would leave."""
    sources = found.sources
    if len(sources) < 2 or 4 * (len(sources) - 1) > _moved(vectors[sources], target):
        return None
    return weigh_sources(found, float(np.linalg.norm(target)), rounding=rounding)


def weigh_sources(found: Found, norm: float, *, rounding: float = 0.0) -> Mixture | None:
    """As `judge_sources`, of a target of this norm that is known to lie off its sources in enough dimensions."""
    sources, fit = found.sources, found.fit
    if len(sources) < 2:
        return None
    if len(sources) >= _INTERPOLATED and fit.weights.min() < -_SMALLEST:
        return None
    own = float(fit.gaps.min())
    # what independent noises of the sources would have left in their average
    carried = math.sqrt(float(((fit.weights * fit.gaps) ** 2).sum()))
    if own <= 0 or carried < _HIDDEN * rounding:
        return None
    left = math.sqrt(max(fit.residual**2 - rounding**2, 0.0))
    # whoever adds up in a narrow dtype rounds once for each source
    rounded = fit.residual <= max(_ROUNDED * rounding * math.sqrt(len(sources)), _SINGLE * norm)
    if own < _HIDDEN * rounding:
        # a trained model may hide below rounding too, but then one neighbour alone nearly is it
        if not rounded or np.abs(fit.weights).max() > _DOMINANT:
            return None
        share = min(1.0, left / carried)
        mixes = share <= _CLEAR
    elif rounded:
        share = left / own
        mixes = share <= _CLEAR
    else:
        # beside all candidates, smooth runs leave as much of every point; known mixtures leave nothing of their sources
        least = min(own, float(found.gaps.min()))
        share = left / least if least > 0 else 1.0
        if found.reach is None:
            mixes = share <= _FEW
        else:
            middle, spread = found.reach
            below = middle - math.log(left / found.nearest)
            mixes = below > spread * min(max(_ODD + _HALVED * math.log2(share), _LEAST), _MOST)
            share = min(share, math.exp(-below))
    if not mixes:
        return None
    # weights that are equal but for rounding go by the sources' order
    order = np.lexsort((sources, -np.abs(fit.weights).round(4)))
    return Mixture(
        sources=tuple(int(i) for i in sources[order]),
        weights=tuple(float(w) for w in fit.weights[order]),
        residual=fit.residual,
        share=share,
        confidence=round(1.0 - share, 4),
        incomplete=not rounded,
        unique=found.unique,
    )


def _moved(points: npt.NDArray[np.floating], target: npt.NDArray[np.floating]) -> int:
    """In how many dimensions the target lies off the nearest point: few, where all but a small layer stands still.

    So few dimensions are spanned by as many models, whatever they are.
    """
    away = np.abs(points.astype(np.float64) - target)
    nearest = away[np.einsum("ij,ij->i", away, away).argmin()]
    return int((nearest > 1e-3 * nearest.max()).sum())


def find_sources(
    vectors: npt.NDArray[np.floating],
    target: npt.NDArray[np.floating],
    most: int = LIMIT,
    *,
    spanned: tuple[int, float] | None = None,
) -> Found | None:
    """Sources of the target among the vectors, None where there are too few of them or of their dimensions.

    ``most``: candidates that are fitted at once. ``spanned``: dimensions and norm of the target, where it and the
    vectors are given by coordinates within what they span, whose origin is one of them (`coordinates`).
    """
    n = len(vectors)
    goal = target.astype(np.float64)
    k, norm = spanned or (vectors.shape[1], float(np.linalg.norm(goal)))
    limit = min(most, k // 4)
    if n < 2 or limit < 2:
        return None
    found = _fitted(vectors, goal, matching_pursuit(vectors, goal, limit), k, norm)
    if n > limit and found.fit.residual > _SINGLE * norm:
        # the nearest may have taken the room of a source; the sources found so far leave more of it
        again = _fitted(vectors, goal, matching_pursuit(vectors, goal, limit, found.sources), k, norm)
        if again.fit.residual <= _SINGLE * norm:
            return again
    return found


def coordinates(vectors: npt.NDArray[np.floating]) -> Floats:
    """Coordinates [n, n - 1] of the vectors [n, k], n ≤ k, within the affine space that they span: distances between
    them, and angles, are those of the vectors, but for rounding (by QR: Golub & Van Loan 2013, 5.2)."""
    points = vectors.astype(np.float64)
    triangle: Floats = np.asarray(np.linalg.qr((points[1:] - points[0]).T, mode="r"))
    return np.concatenate([np.zeros((1, len(points) - 1)), triangle.T])


def _fitted(vectors: npt.NDArray[np.floating], goal: Floats, chosen: Ints, k: int, norm: float) -> Found:
    """The sources among the ``chosen`` candidates, at least two, of a goal of this norm in k dimensions."""
    points = vectors[chosen].astype(np.float64)
    at = np.arange(len(chosen))
    fit = sum_to_one_least_squares(points, goal)
    floor = _SINGLE * norm
    unique = True
    # where a mixture is known beside its sources, any of them but one says it all
    while len(at) > 2 and (twins := np.flatnonzero(fit.gaps < floor)).size:
        least = twins[np.abs(fit.weights[twins]).argmin()]
        unique &= bool(abs(fit.weights[least]) < _SMALLEST)
        at = np.delete(at, least)
        fit = sum_to_one_least_squares(points[at], goal)
    among_all = dict(zip(at.tolist(), fit.gaps.tolist(), strict=True))
    reach = _reach(points[at], fit.gaps)
    while len(at) > 1:
        error = max(fit.residual, 0.1 * floor) / math.sqrt(k - len(at))
        strength = np.abs(fit.weights) * fit.gaps
        weak = np.flatnonzero((strength < _SIGNIFICANT * error) | (np.abs(fit.weights) < _SMALLEST))
        if len(weak) == 0:
            break
        # half of the weak ones at a time: of two that nearly say the same, one has to stay
        weakest = weak[np.argsort(strength[weak], kind="stable")[: max(1, len(weak) // 2)]]
        at = np.delete(at, weakest)
        fit = sum_to_one_least_squares(points[at], goal)
    gaps = np.array([among_all[i] for i in at.tolist()])
    nearest = math.sqrt(float(((points - goal) ** 2).sum(axis=1).min()))
    return Found(chosen[at], fit, gaps, nearest, reach, unique)


def _reach(points: Floats, gaps: Floats) -> tuple[float, float] | None:
    """Median and spread of the logarithm of the ``gaps`` beside the distances to the nearest neighbour."""
    squares = squared_distances(points)
    np.fill_diagonal(squares, np.inf)
    nearest = np.sqrt(squares.min(axis=1))
    told = (nearest > 0) & (gaps > 0)
    if told.sum() < _CROWD:
        return None
    middle, low = np.quantile(np.log(gaps[told] / nearest[told]), (0.5, 0.05))
    return float(middle), max(float(middle - low), _SPREAD)


def matching_pursuit(vectors: npt.NDArray[np.floating], target: Floats, limit: int, start: Ints | None = None) -> Ints:
    """Indices of at most ``limit`` candidates, ascending: the nearest (or ``start``), then those that the residual
    points along.

    Candidates are compared by what the chosen ones leave of them (orthogonal least squares: Chen, Billings, Luo 1989),
    for checkpoints of one run are alike but for their noise; several are taken a round (Donoho et al. 2012).
    """
    n = len(vectors)
    if n <= limit:
        return np.arange(n)
    norms = np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64)
    away = norms - 2 * (vectors @ target.astype(vectors.dtype))
    nearest = np.argsort(away, kind="stable")[: max(limit // 4, 1)].astype(np.intp)
    chosen = nearest if start is None else start
    origin = vectors[chosen[0]]
    centre = origin.astype(np.float64)
    lengths = np.maximum(norms - 2 * (vectors @ origin) + centre @ centre, 0.0)
    left, rest = lengths.copy(), target - centre
    basis, new = np.empty((0, vectors.shape[1])), chosen[1:]
    while True:
        rows = vectors[new].astype(np.float64) - centre
        for _ in range(2):  # once more for what rounding left
            rows -= rows @ basis.T @ basis
        rows = np.linalg.qr(rows.T)[0].T
        basis = np.concatenate([basis, rows])
        left -= ((vectors @ rows.T.astype(vectors.dtype) - rows @ centre) ** 2).sum(axis=1)
        rest = rest - rest @ rows.T @ rows
        if len(chosen) >= limit or float(rest @ rest) <= (1e-6 * float(np.linalg.norm(target))) ** 2:
            return np.sort(chosen)
        along = np.abs(vectors @ rest.astype(vectors.dtype) - centre @ rest)
        # of those that the chosen ones span nothing is left but rounding
        score = np.where(left > _SPANNED * lengths, along / np.sqrt(np.maximum(left, 1e-30)), 0.0)
        score[chosen] = -1.0
        room = min(max(limit // 16, 1), limit - len(chosen))
        new = np.argsort(-score, kind="stable")[:room]
        chosen = np.concatenate([chosen, new])


def sum_to_one_least_squares(points: Floats, target: Floats) -> Fit:
    """Weights [s], summing to one, of the points [s, k] nearest to the target [k] in their affine span.

    By the Gram matrix of differences to the nearest point, refined once on the vectors themselves. O(s²k).
    """
    away = np.einsum("ij,ij->i", points - target, points - target)
    centre = int(away.argmin())
    others = np.delete(np.arange(len(points)), centre)
    basis = points[others] - points[centre]
    scale = np.sqrt(np.maximum(np.einsum("ij,ij->i", basis, basis), 1e-60))
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
