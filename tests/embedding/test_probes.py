"""Probes against scikit-learn's estimators, closed forms and cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge, RidgeClassifier
from sklearn.metrics import r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mvc.embedding.probes import ALPHAS, Score, Split, classify, fit_ridge, kendall, r2, ridge, split
from mvc.errors import InputError


def rows(models: int, each: int, features: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows of features in very different units, and each one's model."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(models * each, features)) * 10.0 ** np.arange(-3, features - 3) + 5
    return x.astype(np.float32), np.repeat(np.arange(models), each)


def test_no_model_is_in_two_parts_and_every_row_is_in_one() -> None:
    owners = np.random.default_rng(0).permutation(np.repeat(np.arange(100, 140), 3))
    parts = split(owners, 7)
    sizes = [len(np.unique(owners[part])) for part in (parts.train, parts.validation, parts.test)]
    assert sizes == [28, 6, 6]
    together = np.concatenate([parts.train, parts.validation, parts.test])
    assert sorted(together) == list(range(120))
    assert not set(owners[parts.train]) & set(owners[parts.validation]) and sum(sizes) == 40


def test_a_split_is_its_seeds() -> None:
    first, again, other = split(40, 1), split(np.arange(40), 1), split(40, 2)
    assert np.array_equal(first.test, again.test) and not np.array_equal(first.test, other.test)
    assert [len(part) for part in (split(3, 0).train, split(3, 0).validation, split(3, 0).test)] == [1, 1, 1]
    with pytest.raises(InputError, match="2 models"):
        split(2, 0)


def test_ridge_is_scikit_learns_behind_a_scaler_with_the_alpha_that_validation_chooses() -> None:
    x, owners = rows(30, 4, 5)
    exact = x.astype(np.float64)
    rng = np.random.default_rng(1)
    y = np.stack([x @ rng.normal(size=5) + rng.normal(size=120) * 9, rng.normal(size=120)], 1)
    parts = split(owners, 0)
    fitted = fit_ridge(x, y, parts)
    for target in range(2):
        models = [make_pipeline(StandardScaler(), Ridge(alpha)) for alpha in ALPHAS]
        for model in models:
            model.fit(exact[parts.train], y[parts.train, target])
        scores = [r2_score(y[parts.validation, target], model.predict(exact[parts.validation])) for model in models]
        best = int(np.argmax(scores))
        assert fitted.alphas[target] == ALPHAS[best] and fitted.validation[target] == pytest.approx(scores[best])
        assert fitted.predict(x)[:, target] == pytest.approx(models[best].predict(exact))
        on_test = r2_score(y[parts.test, target], models[best].predict(exact[parts.test]))
        found = ridge(x, y[:, target], parts)
        assert (found.validation, found.test) == pytest.approx((scores[best], on_test))


def test_what_is_linear_is_read_perfectly_and_the_test_rows_choose_nothing() -> None:
    x, owners = rows(20, 3, 4)
    parts = split(owners, 3)
    y = x @ np.array([1.0, 2.0, -1.0, 0.5]) + 3
    assert ridge(x, y, parts).test == pytest.approx(1, abs=1e-9)
    spoiled = y.copy()
    spoiled[parts.test] = 1e6 * np.arange(len(parts.test))
    assert ridge(x, spoiled, parts).validation == ridge(x, y, parts).validation
    assert ridge(x, spoiled, parts).test < 0


def test_constant_features_and_more_features_than_rows_are_no_obstacle() -> None:
    rng = np.random.default_rng(5)
    x = np.concatenate([rng.normal(size=(12, 40)), np.full((12, 3), 7.0)], 1)
    y = x[:, 0]
    assert np.isfinite(fit_ridge(x, y, split(12, 0)).coefficients).all()
    with pytest.raises(InputError, match="not finite"):
        fit_ridge(np.where(x == 7, np.nan, x), y, split(12, 0))


def test_r2_of_a_constant_target() -> None:
    truth = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]])
    assert r2(truth, np.array([[1.0, 2.0, 0.5], [1.0, 2.0, 0.5]])).tolist() == [1.0, 0.0, 0.0]


def test_categories_are_read_as_well_as_a_linear_rule_can() -> None:
    rng = np.random.default_rng(2)
    labels = np.repeat(np.array(["relu", "sigmoid", "tanh"]), 100)
    centres = {"relu": (0, 0), "sigmoid": (3, 0), "tanh": (0, 3)}
    x = np.array([centres[str(label)] for label in labels]) + rng.normal(size=(300, 2))
    parts = split(300, 0)
    score = classify(x * np.array([1e-4, 1e4]), labels, parts)
    by_least_squares = make_pipeline(StandardScaler(), RidgeClassifier(1.0))
    by_least_squares.fit(x[parts.train], labels[parts.train])
    assert score.test == pytest.approx(by_least_squares.score(x[parts.test], labels[parts.test]), abs=0.07)
    assert score.test > 0.85  # the Bayes rule of these three clouds is linear and right in about 93 % of cases


def test_a_label_that_was_never_seen_is_missed_and_one_label_is_refused() -> None:
    x = np.arange(10.0)[:, None]
    parts = Split(np.arange(6), np.arange(6, 8), np.arange(8, 10))
    labels = np.array(["a", "a", "a", "b", "b", "b", "b", "b", "b", "c"])
    assert classify(x, labels, parts) == Score(1.0, 0.5)
    with pytest.raises(InputError, match="two labels"):
        classify(x, np.full(10, "a"), parts)


def test_kendall_counts_pairs_in_order() -> None:
    assert kendall([1, 2, 3, 4], [10, 20, 40, 30]) == pytest.approx((5 - 1) / 6)
    assert kendall([1, 2, 3], [3, 2, 1]) == -1 and kendall([1, 2, 3], [5, 5, 5]) == 0.0
