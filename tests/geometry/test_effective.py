"""The effective rank of a change is that of the change alone, whatever it was added to."""

from __future__ import annotations

import math

import ml_dtypes
import numpy as np
import pytest

from mvc.geometry.effective import effective_rank


def weight(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def along(rank: int, shape: tuple[int, int]) -> np.ndarray:
    """A change of equal size along so many directions."""
    rng = np.random.default_rng(1)
    left, right = (np.linalg.qr(rng.normal(size=(side, rank)))[0] for side in shape)
    return left @ right.T


@pytest.mark.parametrize("rank", [1, 3, 8])
@pytest.mark.parametrize("shape", [(20, 30), (300, 20), (8, 1000)])
def test_a_change_along_equal_directions(rank: int, shape: tuple[int, int]) -> None:
    before = weight(shape)
    found = effective_rank(before, before + 0.1 * along(rank, shape))
    assert found is not None
    exact = all(side <= 128 for side in shape)
    assert found == pytest.approx(rank, rel=1e-6 if exact else 0.15)


def test_large_matrices_are_told_apart() -> None:
    before = weight((600, 500))
    found = [effective_rank(before, before + along(rank, (600, 500))) for rank in (1, 5, 20, 500)]
    assert None not in found
    assert found == sorted(found, key=float)
    assert found[0] == pytest.approx(1, rel=1e-6) and found[1] == pytest.approx(5, rel=0.15)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ml_dtypes.bfloat16])
def test_every_float_dtype(dtype: type) -> None:
    before = weight((24, 16)).astype(dtype)
    now = (before.astype(np.float64) + weight((24, 16), 1)).astype(dtype)
    values = np.linalg.svd(now.astype(np.float64) - before.astype(np.float64), compute_uv=False) ** 2
    shares = values / values.sum()
    assert effective_rank(before, now) == pytest.approx(math.exp(-(shares * np.log(shares)).sum()), rel=1e-4)


def test_a_convolution_is_a_matrix_of_its_filters() -> None:
    before, now = weight((16, 8, 3, 3)), weight((16, 8, 3, 3), 1)
    assert effective_rank(before, now) == effective_rank(before.reshape(16, 72), now.reshape(16, 72))


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (weight((30, 30)), weight((30, 30))),
        (weight((30,)), weight((30,), 1)),
        (weight((7, 30)), weight((7, 30), 1)),
        (weight((30, 30)), weight((30, 31), 1)),
        (weight((30, 0)), weight((30, 0))),
        (np.zeros(()), np.ones(())),
        (weight((30, 30)), np.where(np.eye(30) > 0, np.nan, 1.0)),
        (weight((30, 30)), np.full((30, 30), np.inf)),
    ],
)
def test_silence(before: np.ndarray, now: np.ndarray) -> None:
    assert effective_rank(before, now) is None
