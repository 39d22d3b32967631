"""Probabilities that are computed here are those that SciPy computes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from mvc.drift.probabilities import normal, normal_quantile, student

_TAIL = -np.logspace(-6, 40, 400)


@pytest.mark.parametrize("freedom", [2, 3, 5, 7, 11, 19, 21, 30, 200])
def test_students_tail_is_scipys(freedom: int) -> None:
    expected = special.stdtr(freedom, _TAIL)
    kept = (expected > 1e-290) & ((freedom < 100) | (_TAIL > -10))  # SciPy's own digits are lost far out
    np.testing.assert_allclose(student(freedom, _TAIL)[kept], expected[kept], rtol=1e-12)
    one_by_one = [student(freedom, value) for value in _TAIL.tolist()]
    np.testing.assert_allclose(one_by_one, student(freedom, _TAIL), rtol=1e-14)


def test_student_keeps_shapes_and_says_what_is_not_known() -> None:
    values = np.array([[-np.inf, -1.0, 0.0], [1.0, np.inf, np.nan]])
    found = student(5, values)
    np.testing.assert_allclose(found, special.stdtr(5, values), rtol=1e-14)
    assert student(5, -np.inf) == 0.0 and student(5, np.inf) == 1.0 and np.isnan(student(5, np.nan))


def test_students_symmetry() -> None:
    values = np.linspace(0, 8, 97)
    np.testing.assert_allclose(student(6, values) + student(6, -values), 1.0, rtol=1e-15)


def test_the_normal_distribution_is_scipys_both_ways() -> None:
    scores = np.linspace(-37, 8, 451)
    np.testing.assert_allclose(normal(scores), special.ndtr(scores), rtol=1e-12)
    probabilities = np.concatenate([np.logspace(-300, -0.31, 300), np.linspace(0.5, 0.999, 50)])
    np.testing.assert_allclose(normal_quantile(probabilities), special.ndtri(probabilities), rtol=1e-13, atol=1e-15)
    assert float(normal(-2.0)) == pytest.approx(0.022750131948179195, rel=1e-14)
