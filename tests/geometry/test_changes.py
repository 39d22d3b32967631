"""Low rank and spectra of a change, against decompositions of the whole matrix."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from mvc.geometry import compare_tensors
from mvc.geometry.changes import rank_of_change, spectra_of_change

DTYPES = [np.float64, np.float32, np.float16, ml_dtypes.bfloat16]
SHAPES = [(384, 96), (96, 384), (64, 16, 3, 3)]


def weights(shape: tuple[int, ...], seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=shape) / 8


def low_rank(shape: tuple[int, ...], rank: int, seed: int = 1) -> Any:
    rng = np.random.default_rng(seed)
    rows, columns = shape[0], int(np.prod(shape[1:]))
    return 0.02 * (rng.normal(size=(rows, rank)) @ rng.normal(size=(rank, columns))).reshape(shape)


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: np.dtype(dtype).name)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("rank", [1, 4, 8])
def test_the_rank_of_a_merged_adapter(shape: tuple[int, ...], rank: int, dtype: Any) -> None:
    before = weights(shape).astype(dtype)
    after = (before.astype(np.float64) + low_rank(shape, rank)).astype(dtype)
    assert rank_of_change(before, after) == rank


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: np.dtype(dtype).name)
@pytest.mark.parametrize("size", [1e-5, 1e-2, 1.0])
def test_training_changes_are_of_full_rank(dtype: Any, size: float) -> None:
    before = weights((384, 96)).astype(dtype)
    after = (before.astype(np.float64) + size * weights((384, 96), 1)).astype(dtype)
    assert rank_of_change(before, after) is None


def test_a_decaying_spectrum_is_no_low_rank() -> None:
    left, _, right = np.linalg.svd(weights((128, 96)), full_matrices=False)
    change = (left / np.arange(1, 97) ** 2) @ right
    before = weights((128, 96)).astype(np.float32)
    assert rank_of_change(before, (before + change).astype(np.float32)) is None


def test_few_rows_are_of_low_rank_wherever_they_stand() -> None:
    before = weights((512, 64))
    for rows in ([0], [0, 32], [3, 35, 99, 511]):
        after = before.copy()
        after[rows] += 1 + weights((len(rows), 64), 2)
        assert rank_of_change(before, after) == len(rows)


def test_what_has_no_rank() -> None:
    matrix = weights((64, 64))
    broken = matrix.copy()
    broken[3, 3] = np.nan
    assert rank_of_change(matrix, matrix) is None
    assert rank_of_change(matrix, broken) is None
    assert rank_of_change(matrix[0], matrix[1]) is None
    assert rank_of_change(matrix[:3, :3], 2 * matrix[:3, :3]) is None  # too small for any rank to be low
    assert rank_of_change(np.zeros((0, 4)), np.zeros((0, 4))) is None


def test_values_that_differ_are_counted() -> None:
    before = weights((200, 300)).astype(np.float32)
    after = before.copy()
    after[::50, ::100] += 1
    part = compare_tensors(before, after)
    assert (part.changed, part.max_abs) == (12, pytest.approx(1))
    after[0, 1] = np.inf
    part = compare_tensors(before, after)
    assert (part.changed, part.nonfinite) == (12, 1)
    assert compare_tensors(before, before).changed == 0


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: np.dtype(dtype).name)
@pytest.mark.parametrize("shape", [(30, 500), (200, 120), (80, 8, 3, 3)], ids=str)
def test_spectra_are_those_of_whole_decompositions(shape: tuple[int, ...], dtype: Any) -> None:
    before, after = weights(shape).astype(dtype), weights(shape, 1).astype(dtype)
    spectra = spectra_of_change(before, after)
    assert spectra is not None
    x, y = (one.astype(np.float64).reshape(shape[0], -1) for one in (before, after))
    for found, matrix in ((spectra.before, x), (spectra.after, y), (spectra.change, y - x)):
        values = np.linalg.svd(matrix, compute_uv=False)
        assert found.spectral_norm == pytest.approx(values[0], rel=1e-4)
        assert found.stable_rank == pytest.approx((values**2).sum() / values[0] ** 2, rel=1e-3)


def test_spectra_of_what_is_no_matrix_and_of_nothing() -> None:
    matrix = weights((100, 100))
    assert spectra_of_change(matrix[0], matrix[1]) is None
    spectra = spectra_of_change(matrix, matrix)
    assert spectra is not None
    assert (spectra.change.spectral_norm, spectra.change.stable_rank) == (0.0, None)
