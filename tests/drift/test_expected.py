"""What is expected of a step, beside how surprising it is: two views of one prediction."""

from __future__ import annotations

import numpy as np
import pytest

from mvc.drift import Siblings, surprises
from mvc.drift.forecasts import expected


def walks(count: int, steps: int = 30) -> list[np.ndarray]:
    rng = np.random.default_rng(count)
    trend = -np.log1p(np.arange(steps))[:, None]
    return [trend + 0.2 * rng.normal(size=(steps, 2)).cumsum(axis=0) / 3 for _ in range(count)]


@pytest.mark.parametrize("siblings", [0, 1, 5])
def test_the_ends_are_as_surprising_as_the_share_says(siblings: int) -> None:
    own, *others = walks(siblings + 1)
    taught = Siblings.of(others)
    usual = np.array([0.3, 0.5])
    ends = expected(own, usual, taught, start=4, share=0.9)
    assert ends.shape == (2, len(own) - 4, 2)
    for end, score in zip(ends, (-1.645, 1.645), strict=True):
        for step in range(4, len(own)):
            moved = own[: step + 1].copy()
            moved[step] = end[step - 4]
            found = surprises(moved, usual, taught, start=step)
            assert np.allclose(found, score, atol=2e-3)


def test_most_healthy_steps_lie_within() -> None:
    inside = []
    for own in walks(20):
        low, high = expected(own, np.array([0.3, 0.3]), start=5)
        inside.append((low <= own[5:]) & (own[5:] <= high))
    assert 0.9 < np.mean(inside) <= 1


def test_nothing_is_expected_where_nothing_is_known() -> None:
    own = walks(1)[0]
    own[:, 1] = np.nan
    ends = expected(own, np.ones(2), start=4)
    assert np.isfinite(ends[..., 0]).all() and np.isnan(ends[..., 1]).all()
