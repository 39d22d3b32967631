"""Signatures: exact where small, unbiased where large, linear, and blind to what is not finite."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mvc.geometry import EXACT, WIDTH, sign_tensor, signature_length

SIZES = st.sampled_from([0, 1, 2, 7, 100, EXACT, EXACT + 1, 20_000])


def values(size: int, seed: int, scale: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=size).astype(np.float32) * np.float32(scale)


@given(size=SIZES, seed=st.integers(0, 100))
@settings(max_examples=30, deadline=None)
def test_length_and_counts_are_as_declared(size: int, seed: int) -> None:
    array = values(size, seed)
    signature = sign_tensor(array)
    assert len(signature.values) == signature_length(size)
    assert (signature.numel, signature.nonfinite) == (size, 0)
    assert signature.max_abs == pytest.approx(float(np.abs(array).max(initial=0)))


@pytest.mark.parametrize("size", [2, 100, EXACT])
def test_small_tensors_keep_their_inner_products_exactly(size: int) -> None:
    a, b = values(size, 1), values(size, 2, 3.0) + 1
    x, y = sign_tensor(a).values.astype(np.float64), sign_tensor(b).values.astype(np.float64)
    assert x @ y == pytest.approx(float(a.astype(np.float64) @ b), rel=1e-5, abs=1e-4)
    assert np.linalg.norm(x - y) == pytest.approx(float(np.linalg.norm(a - b)), rel=1e-5)


def test_large_tensors_keep_distances_within_their_standard_error() -> None:
    ratios = []
    for seed in range(40):
        a = values(30_000, seed)
        b = a + values(30_000, 1000 + seed, 0.1)
        estimate = np.linalg.norm(sign_tensor(a).values.astype(np.float64) - sign_tensor(b).values)
        ratios.append((estimate / np.linalg.norm(a - b)) ** 2)
    assert np.mean(ratios) == pytest.approx(1.0, abs=4 * np.sqrt(2 / WIDTH / 40))
    assert np.std(ratios) == pytest.approx(np.sqrt(2 / WIDTH), rel=0.5)


@given(size=SIZES, seed=st.integers(0, 100))
@settings(max_examples=30, deadline=None)
def test_the_sketch_of_an_average_is_the_average_of_sketches(size: int, seed: int) -> None:
    a, b = values(size, seed), values(size, seed + 1)
    together = sign_tensor((a.astype(np.float64) + b) / 2).values
    np.testing.assert_allclose(together, (sign_tensor(a).values + sign_tensor(b).values) / 2, atol=2e-4)


def test_values_that_are_not_finite_count_as_zero() -> None:
    array = values(5000, 3)
    clean = array.copy()
    clean[[5, 4999]] = 0
    array[5], array[4999] = np.nan, -np.inf
    signature = sign_tensor(array)
    assert signature.nonfinite == 2
    np.testing.assert_array_equal(signature.values, sign_tensor(clean).values)


def test_all_values_broken_is_a_zero_point() -> None:
    signature = sign_tensor(np.full(10, np.nan, np.float32))
    assert signature.nonfinite == 10 and not signature.values.any()


def test_dtype_does_not_matter_beyond_rounding() -> None:
    array = values(9000, 4)
    wide, narrow = sign_tensor(array), sign_tensor(array.astype(ml_dtypes.bfloat16))
    assert np.linalg.norm(wide.values - narrow.values) < 0.01 * np.linalg.norm(wide.values)


def test_a_tensor_longer_than_a_block_uses_every_value() -> None:
    size = (1 << 20) + 1000
    array = np.zeros(size, np.float32)
    array[-1] = 1000.0
    assert np.linalg.norm(sign_tensor(array).values) == pytest.approx(1000.0, rel=1e-3)
