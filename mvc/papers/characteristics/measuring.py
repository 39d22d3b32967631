"""What probes say of one representation of a population. Owns the choice of probe by target: arrays in, numbers out."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mvc.embedding.probes import Floats, Rows, Score, Split, classify, fit_ridge, kendall, r2
from mvc.papers.characteristics.points import Points


def score(x: Rows, points: Points, parts: Split) -> dict[str, Score]:
    """R² of every number and accuracy of every category of ``points``, read from their representation x [n, k]."""
    names = list(points.numbers)
    truth = np.stack([points.numbers[name] for name in names], 1)  # (n, T)
    fitted = fit_ridge(x, truth, parts)
    on_test = r2(truth[parts.test], fitted.predict(x[parts.test]))
    found = {
        name: Score(float(validation), float(test))
        for name, validation, test in zip(names, fitted.validation, on_test, strict=True)
    }
    return found | {name: classify(x, labels, parts) for name, labels in points.categories.items()}


def rank(x: Rows, points: Points, parts: Split, there: Rows, truth: Mapping[str, Floats]) -> dict[str, float]:
    """Kendall's τ of another population's numbers ``truth`` (name → [m]) with what probes of ``points`` say of them.

    x [n, k] represents ``points``, ``there`` [m, k] the other's rows, in the same way.
    """
    names = [name for name in points.numbers if name in truth]
    fitted = fit_ridge(x, np.stack([points.numbers[name] for name in names], 1), parts)
    predicted = fitted.predict(there)  # (m, T)
    return {name: kendall(predicted[:, at], truth[name]) for at, name in enumerate(names)}
