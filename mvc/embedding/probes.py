"""Linear probes: what a representation of models says of them, read out by the simplest means there is.

Owns the split by model, ridge regression for numbers, a linear classifier for categories, and rank correlation for
judging across populations. All of a probe's choices are made on validation rows; test rows are only predicted.
Standardising by the training rows comes first, so that no representation gains or loses by its units.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import kendalltau
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from mvc.errors import InputError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]
Rows = npt.NDArray[np.floating[Any]]

#: penalties on standardised coefficients that ridge regression chooses from, largest first
ALPHAS = (1e3, 3e2, 1e2, 3e1, 1e1, 3.0, 1.0, 3e-1, 1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5)
#: inverse penalties that the classifier chooses from
STRENGTHS = (0.01, 1.0, 100.0)
#: shares of models that are held out for choosing and for judging
HELD_OUT = 0.15

_BLOCK = 1 << 13  # rows that are widened to float64 at once
_ITERATIONS = 200


@dataclass(frozen=True, eq=False)
class Split:
    """Numbers of rows, ascending: to fit on, to choose by, to judge by. No model has rows in two of them."""

    train: Ints
    validation: Ints
    test: Ints


@dataclass(frozen=True, slots=True)
class Score:
    """R² of a regression or accuracy of a classification, on validation rows and on test rows. 1 is perfect."""

    validation: float
    test: float


def split(models: int | npt.ArrayLike, seed: int) -> Split:
    """Rows of 70 % / 15 % / 15 % of the models. ``models`` [n] names each row's model; a number: one row a model.

    Raises InputError where there are fewer than three models.
    """
    owners = np.arange(models) if isinstance(models, int) else np.asarray(models)
    names = np.unique(owners)
    held = max(1, round(HELD_OUT * len(names)))
    if len(names) < 3:
        raise InputError(f"{len(names)} models cannot be split into three parts", hint="train three models or more")
    drawn = np.random.default_rng(seed).permutation(names)
    parts = drawn[2 * held :], drawn[:held], drawn[held : 2 * held]
    return Split(*(np.flatnonzero(np.isin(owners, part)) for part in parts))


@dataclass(frozen=True, eq=False)
class Ridge:
    """T fitted regressions on d features: ``predict`` takes rows as they were given, not standardised.

    ``alphas`` [T] are those with the best ``validation`` [T] R².
    """

    coefficients: Floats  # (d, T), of features as given
    intercepts: Floats  # (T,)
    alphas: Floats
    validation: Floats

    def predict(self, x: Rows) -> Floats:
        """[n, T] of rows [n, d]."""
        return np.concatenate([block @ self.coefficients for block in _blocks(x)]) + self.intercepts


def fit_ridge(x: Rows, y: npt.ArrayLike, parts: Split) -> Ridge:
    """Ridge regression (Hoerl & Kennard 1970) of targets y [n, T] or [n] on rows x [n, d], an α of `ALPHAS` for each.

    By one eigendecomposition of the features' correlations, whatever the number of targets and penalties; the
    intercept is not penalised. Raises InputError where x or y hold what is not finite.
    """
    targets = np.asarray(y, dtype=np.float64).reshape(len(x), -1)
    if not (np.isfinite(x).all() and np.isfinite(targets).all()):
        raise InputError("a probe cannot be fitted to values that are not finite", hint="leave such models out")
    mean, scale = _moments(x[parts.train])
    level = targets[parts.train].mean(0)  # (T,)
    gram, moment = np.zeros((x.shape[1], x.shape[1])), np.zeros((x.shape[1], targets.shape[1]))
    for rows in np.array_split(parts.train, -(-len(parts.train) // _BLOCK)):
        features = (x[rows] - mean) / scale
        gram += features.T @ features
        moment += features.T @ (targets[rows] - level)
    values, axes = np.linalg.eigh(gram)
    turned = axes.T @ moment  # (d, T)
    held = (x[parts.validation] - mean) / scale @ axes  # (v, d)
    tried = [turned / (values.clip(min=0) + alpha)[:, None] for alpha in ALPHAS]
    scores = np.stack([r2(targets[parts.validation], held @ one + level) for one in tried])  # (A, T)
    best = scores.argmax(0)
    chosen = np.stack([tried[alpha][:, target] for target, alpha in enumerate(best)], 1)  # (d, T)
    coefficients = axes @ chosen / scale[:, None]
    return Ridge(coefficients, level - mean @ coefficients, np.array(ALPHAS)[best], scores.max(0))


def ridge(x: Rows, y: npt.ArrayLike, parts: Split) -> Score:
    """How well y [n] is read from rows x [n, d]: R² of the ridge regression whose α validation chose."""
    fitted = fit_ridge(x, y, parts)
    truth = np.asarray(y, dtype=np.float64)[parts.test]
    return Score(float(fitted.validation[0]), float(r2(truth[:, None], fitted.predict(x[parts.test]))[0]))


def classify(x: Rows, labels: npt.ArrayLike, parts: Split) -> Score:
    """How well labels [n] are read from rows x [n, d]: accuracy of multinomial logistic regression.

    Its penalty is the one of `STRENGTHS` that validation chose. A label that no training row has counts as missed.
    Raises InputError where training rows have one label only.
    """
    names = np.asarray(labels)
    if len(np.unique(names[parts.train])) < 2:
        raise InputError("a classifier needs two labels at least among its training rows")
    mean, scale = _moments(x[parts.train])
    train, validation, test = ((x[rows] - mean) / scale for rows in (parts.train, parts.validation, parts.test))
    scores = []
    for strength in STRENGTHS:
        model = LogisticRegression(C=strength, max_iter=_ITERATIONS)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # stopped early is one more way of being regularised
            model.fit(train, names[parts.train])
        right = [model.predict(rows) == names[of] for rows, of in ((validation, parts.validation), (test, parts.test))]
        scores.append(Score(*(float(part.mean()) for part in right)))
    return max(scores, key=lambda score: score.validation)  # the stronger penalty where two are equal


def r2(truth: Floats, predicted: Floats) -> Floats:
    """Coefficients of determination [T] of predictions [n, T]; of a constant truth 1 if it is met, else 0."""
    residual = ((truth - predicted) ** 2).sum(0)
    spread = ((truth - truth.mean(0)) ** 2).sum(0)
    constant = np.where(residual <= 1e-12, 1.0, 0.0)
    return np.where(spread > 0, 1 - residual / np.where(spread > 0, spread, 1), constant)


def kendall(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """Kendall's τ-b of two rankings [n], 1 where they agree, 0 where one of them is constant."""
    found = float(kendalltau(a, b).statistic)
    return 0.0 if np.isnan(found) else found


def _blocks(x: Rows) -> Iterator[Floats]:
    for start in range(0, max(len(x), 1), _BLOCK):
        yield x[start : start + _BLOCK].astype(np.float64)


def _moments(x: Rows) -> tuple[Floats, Floats]:
    """Mean and deviation [d] of each feature; a constant one gets 1, which leaves it out."""
    mean = x.mean(0, dtype=np.float64)
    deviation = x.std(0, dtype=np.float64)
    return mean, np.where(deviation > 1e-12 * (1 + np.abs(mean)), deviation, 1.0)
