"""What is normal for a lineage: how well its own trend has predicted its steps. Owns prediction and its errors.

A feature of the next step is predicted by carrying on half of its last change (a damped trend, Gardner & McKenzie
1985), because under a schedule the mean of the last steps is wrong in a known direction. What counts is the error of
that prediction beside the errors it made before, on this lineage and on its siblings of the same architecture: the
probability of one at least as large, under a Student distribution whose few degrees of freedom allow for the spikes
that healthy training has.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import special  # not scipy.stats: it takes a second to import

from mvc.drift.steps import Floats

#: share of the last change that is carried on
DAMPING = 0.5
#: degrees of freedom of prediction errors; low, because healthy runs have spikes
FREEDOM = 5
#: predictions at a run's very start say nothing about later ones: the first steps are on their own
_SETTLING = 3
#: how many errors of its own weigh as much as all of the siblings'
_POOLING = 8.0


def prediction_errors(values: Floats) -> Floats:
    """Errors [max(0, n - 3)] of predicting each value of a series [n] from those before it, without the first steps."""
    if len(values) <= _SETTLING:
        return np.empty(0)
    predicted = values[1:-1] + DAMPING * np.diff(values[:-1])
    errors: Floats = (values[2:] - predicted)[_SETTLING - 2 :]
    return errors[np.isfinite(errors)]


def pooled(siblings: Sequence[Floats]) -> tuple[float, float]:
    """What siblings' prediction errors say together: how much it weighs, and their robust scale; (0, 0) if too few."""
    others = np.concatenate([errors for errors in siblings if len(errors)] or [np.empty(0)])
    return (min(float(len(others)), _POOLING), _robust(others)) if len(others) >= 3 else (0.0, 0.0)


def normal_scale(own: Floats, siblings: tuple[float, float], floor: float) -> float | None:
    """Scale of normal prediction errors, robust, own and ``pooled`` siblings' by number; None without three of them."""
    parts = [(float(len(own)), _robust(own))] if len(own) >= 3 else []
    if siblings[0]:
        parts.append(siblings)
    if not parts:
        return None
    weight = sum(count for count, _ in parts)
    return max(floor, math.sqrt(sum(count * scale**2 for count, scale in parts) / weight))


def _robust(errors: Floats) -> float:
    """Root mean square after the tenth of largest errors was left out, made consistent for normal errors."""
    kept = np.sort(np.abs(errors))[: max(3, math.ceil(0.9 * len(errors)))]
    return 1.2 * math.sqrt(float(np.mean(kept**2)))


def tail_probability(error: float, scale: float) -> float:
    """Probability, two-sided, of a prediction error at least this large in normal training."""
    return float(2 * special.stdtr(FREEDOM, -abs(error) / scale))


def combined_probability(probabilities: Sequence[float]) -> float:
    """Fisher's combination of independent tests."""
    if not probabilities:
        return 1.0
    statistic = -2 * sum(math.log(max(p, 1e-300)) for p in probabilities)
    return float(special.chdtrc(2 * len(probabilities), statistic))
