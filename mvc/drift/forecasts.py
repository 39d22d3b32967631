"""How surprising the next figure of a series is, given those before it. Owns prediction, its errors and their scale.

Several simple forecasters are asked: the last value, the mean of the last four, damped trends (Gardner & McKenzie
1985), a trend that speeds up as a schedule's end does, and, where there are siblings, what these did at the same step.
Each one's errors so far, beside those that it made on siblings and a little of what is usual for the kind of figure,
are its scale; forecasters count by the evidence for them (Bayesian model averaging; Raftery et al. 1997). The
predictive distribution is a mixture of Student's, with few degrees of freedom, because healthy runs have spikes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mvc.drift.probabilities import normal_quantile, student
from mvc.drift.walks import Floats

#: share of the last change that a damped trend carries on
_DAMPING = 0.5
#: degrees of freedom of prediction errors
_FREEDOM = 5
#: errors at a run's very start say nothing about later ones
_SETTLING = 3
#: errors of its own that a scale remembers
_MEMORY = 16
#: what is usual counts as so many errors, all of the siblings' together as so many
_USUAL, _SIBLINGS = 2.0, 8.0
#: errors that count as evidence for a forecaster, at most
_EVIDENCE = 12
#: errors of siblings beyond this quantile are left out of their scale, which is made consistent for normal ones
_KEPT, _CONSISTENT = 0.95, 1.15
#: scales around the outermost forecasts, and halvings of that, in which the ends of a range are looked for
_FARTHEST, _HALVINGS = 50.0, 40


@dataclass(frozen=True)
class Siblings:
    """What other walks of one architecture teach: their ``values`` [S, T, F], NaN beyond a walk's end, and the mean
    square [K, F] of each forecaster's errors on them."""

    values: Floats
    squares: Floats

    @classmethod
    def of(cls, walks: Sequence[Floats]) -> Siblings | None:
        """None for none; each of ``walks`` is [T, F]."""
        if not walks:
            return None
        longest = max(len(walk) for walk in walks)
        values = np.full((len(walks), longest, walks[0].shape[1]), np.nan)
        for row, walk in zip(values, walks, strict=True):
            row[: len(walk)] = walk
        errors = []
        for number, walk in enumerate(walks):
            others = np.delete(values, number, axis=0)
            errors.append((walk - _forecasts(walk, others))[:, _SETTLING:])
        found = np.concatenate(errors, axis=1)
        return cls(values, _mean_square(found))


def surprises(values: Floats, usual: Floats, siblings: Siblings | None = None, *, start: int = 0) -> Floats:
    """Normal scores [T - start, F] of ``values`` [T, F] from step ``start`` on, each by those before it; NaN for none.

    ``usual`` [F] is the size that a prediction error usually has.
    """
    forecasts, scales, evidence = _predictions(values, usual, siblings, start)
    errors = values[start:] - forecasts  # (K, T - start, F)
    known = np.isfinite(errors)
    weights = _weights(evidence, known)
    ratio = np.where(known, errors, 0.0) / scales
    below, above = ((weights * student(_FREEDOM, side * ratio)).sum(axis=0) for side in (1, -1))
    size = -normal_quantile(np.clip(np.minimum(below, above), 1e-300, 0.5))
    return np.where(known.any(axis=0), np.where(below < above, -size, size), np.nan)


def expected(
    values: Floats, usual: Floats, siblings: Siblings | None = None, *, start: int = 0, share: float = 0.95
) -> Floats:
    """The middle ``share`` [2, T - start, F] of what is predicted for each step from ``start`` on: the ends between
    which `surprises` finds nothing odd. NaN where nothing is predicted. Found by bisection.
    """
    forecasts, scales, evidence = _predictions(values, usual, siblings, start)
    known = np.isfinite(forecasts)
    weights = _weights(evidence, known)
    centres = np.where(known, forecasts, 0.0)
    lowest = (centres - _FARTHEST * scales).min(axis=0)
    highest = (centres + _FARTHEST * scales).max(axis=0)
    ends = []
    for chance in ((1 - share) / 2, (1 + share) / 2):
        low, high = lowest.copy(), highest.copy()
        for _ in range(_HALVINGS):
            middle = low + (high - low) / 2
            under = (weights * student(_FREEDOM, (middle - centres) / scales)).sum(axis=0) < chance
            low, high = np.where(under, middle, low), np.where(under, high, middle)
        ends.append(np.where(known.any(axis=0), low, np.nan))
    return np.stack(ends)


def _predictions(values: Floats, usual: Floats, siblings: Siblings | None, start: int) -> tuple[Floats, Floats, Floats]:
    """Forecasts [K, T - start, F], and the scale and the evidence of each forecaster, all by what came before."""
    forecasts = _forecasts(values, None if siblings is None else siblings.values)
    squares = (values - forecasts) ** 2
    known: Floats = _USUAL * usual**2
    weight: Floats = np.full(len(usual), _USUAL)
    if siblings is not None:
        known, weight = known + _SIBLINGS * siblings.squares, weight + _SIBLINGS * np.isfinite(siblings.squares)
        known = np.where(np.isfinite(known), known, _USUAL * usual**2)
    scales, evidence = np.empty((2, len(forecasts), len(values) - start, values.shape[1]))
    for t in range(start, len(values)):
        past = squares[:, max(_SETTLING, t - _MEMORY) : t]
        counts = np.isfinite(past).sum(axis=1)
        scale = np.sqrt((np.nansum(past, axis=1) + known) / (counts + weight))
        scales[:, t - start] = scale
        evidence[:, t - start] = -np.minimum(counts + weight - _USUAL, _EVIDENCE) * np.log(scale)
    return forecasts[:, start:], scales, evidence


def _weights(evidence: Floats, known: npt.NDArray[np.bool_]) -> Floats:
    """Weights of the forecasters that say something; they sum to 1, or are all 0."""
    strongest = np.max(evidence, axis=0, where=known, initial=-1e300)
    weights: Floats = np.where(known, np.exp(np.where(known, evidence - strongest, 0.0)), 0.0)
    shares: Floats = weights / np.maximum(weights.sum(axis=0), 1e-300)
    return shares


def _forecasts(values: Floats, siblings: Floats | None) -> Floats:
    """What each forecaster says of each step [K, T, F]; NaN where it says nothing."""
    before = np.full((4, *values.shape), np.nan)  # the value one step before, two, three, four
    for lag in range(1, 5):
        before[lag - 1, lag:] = values[:-lag]
    last, trend = before[0], before[0] - before[1]
    known = np.isfinite(before)
    mean = np.where(known, before, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    mean[~known[1]] = np.nan
    found = [
        last + _DAMPING * trend,
        last,
        mean,
        last + 0.5 * (before[0] - before[2]),
        last + trend + _DAMPING * (trend - (before[1] - before[2])),
    ]
    if siblings is not None and not len(siblings):
        found += [np.full(values.shape, np.nan)] * 2  # an only sibling has nobody beside it
    elif siblings is not None:
        there = np.full((len(siblings), *values.shape), np.nan)
        steps = min(len(values), siblings.shape[1])
        there[:, :steps] = siblings[:, :steps]
        change = np.full_like(there, np.nan)
        change[:, 1:] = np.diff(there, axis=1)
        level = _median(there)
        offsets = values - level
        recent = np.full((4, *values.shape), np.nan)
        for lag in range(1, 5):
            recent[lag - 1, lag:] = offsets[:-lag]
        found += [last + _median(change), level + recent.mean(axis=0)]
    return np.stack(found)


def _median(values: Floats) -> Floats:
    """Over the first axis, of those that are known; NaN where none is."""
    ordered = np.sort(values, axis=0)  # NaN last
    counts = np.isfinite(values).sum(axis=0)
    low, high = (
        np.take_along_axis(ordered, place[None], 0)[0] for place in (np.maximum(counts - 1, 0) // 2, counts // 2)
    )
    return np.where(counts > 0, np.where(counts % 2 == 1, low, (low + np.where(counts > 0, high, 0)) / 2), np.nan)


def _mean_square(errors: Floats) -> Floats:
    """Mean square [K, F] of errors [K, N, F] without the largest ones; NaN where there are fewer than three."""
    ordered = np.sort(np.abs(errors), axis=1)
    counts = np.isfinite(errors).sum(axis=1)
    kept = np.arange(errors.shape[1])[:, None] < np.maximum(3, (_KEPT * counts).astype(int))[:, None]
    squares = np.where(kept & np.isfinite(ordered), ordered, 0.0) ** 2
    mean = _CONSISTENT**2 * squares.sum(axis=1) / np.maximum(1, kept.sum(axis=1))
    return np.where(counts >= 3, mean, np.nan)
