"""What a step's record holds beside plain NumPy on whole arrays."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest

from mvc.drift.profiles import TensorStep, profile_step, profile_tensor
from mvc.geometry.effective import effective_rank

SHAPES = [(), (0,), (1,), (7,), (0, 3), (10, 5), (1, 9), (6, 3, 3, 3), (300, 700), (2, 70_000), (70, 600, 3)]
DTYPES = [np.float16, np.float32, np.float64, ml_dtypes.bfloat16]


def pair(shape: tuple[int, ...], dtype: Any, seed: int = 0) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    random = np.random.default_rng(seed)
    before = np.asarray(random.normal(size=shape))
    return before.astype(dtype), (before + 0.1 * random.normal(size=shape)).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_record_is_what_numpy_says_of_the_whole(shape: tuple[int, ...], dtype: Any) -> None:
    before, now = pair(shape, dtype)
    step = profile_tensor(before, now)
    x, y = before.astype(np.float64), now.astype(np.float64)
    change = (y - x).reshape(-1)
    assert (step.numel, step.shape) == (now.size, now.shape)
    assert step.squared_distance == pytest.approx(float(change @ change), rel=1e-12)
    assert step.inner == pytest.approx(float((x * y).sum()), rel=1e-12)
    assert step.squared_now == pytest.approx(float((y * y).sum()), rel=1e-12)
    assert step.changed == np.count_nonzero(change)
    if now.size:
        assert (step.low_now, step.high_now) == (y.min(), y.max())
        largest = np.sort(np.abs(change))[::-1][: len(step.changes)]
        assert [abs(c.now - c.before) for c in step.largest] == pytest.approx(largest.tolist(), rel=1e-12)
        assert all(y.reshape(-1)[c.place] == c.now and x.reshape(-1)[c.place] == c.before for c in step.largest)
        rows = (change.reshape(now.shape[0] if now.shape else 1, -1) ** 2).sum(axis=1)
        bounds = np.arange(len(step.row_shares)) * len(rows) // len(step.row_shares)
        assert step.row_energies == pytest.approx(np.add.reduceat(rows, bounds), rel=1e-5)
    if now.ndim > 1 and now.size:
        assert step.column_shares.sum() == pytest.approx(1, abs=1e-5)
    assert TensorStep.unpack(step.pack()).pack() == step.pack()  # type: ignore[union-attr]


def test_columns_of_one_input_channel_stay_together() -> None:
    before = np.zeros((4, 300, 3, 3), np.float32)
    now = before.copy()
    now[:, 299] = 1
    now[0, 0, 1, 1] = 6
    shares = profile_tensor(before, now).column_shares
    assert len(shares) == 256
    assert shares[[0, 255]] == pytest.approx([0.5, 0.5])


def test_values_that_are_not_finite_are_counted_and_left_out() -> None:
    before, now = pair((40, 50), np.float32)
    now[3, 4], now[5, 6], before[7, 8] = np.nan, np.inf, -np.inf
    step = profile_tensor(before, now)
    kept = np.isfinite(now) & np.isfinite(before)
    assert step.nonfinite == 3
    assert step.squared_distance == pytest.approx(float(((now - before)[kept].astype(np.float64) ** 2).sum()))
    assert step.max_now == np.abs(now[kept]).max()


@pytest.mark.parametrize(("dtype", "bits"), [(np.float16, 10), (ml_dtypes.bfloat16, 7), (np.float32, 23)])
def test_bits_of_a_mantissa_show_a_cast(dtype: Any, bits: int) -> None:
    before, now = pair((50, 50), np.float32)
    step = profile_tensor(before, now.astype(dtype).astype(np.float32))
    assert (step.bits_before, step.bits_now) == (23, bits)


def test_zeroed_values_are_counted_with_their_span() -> None:
    before, now = pair((500, 400), np.float32)
    before[0, 0] = now[0, 0] = 0
    now.reshape(-1)[70_000:71_024] = 0
    step = profile_tensor(before, now)
    assert (step.zeroed, step.zeroed_first, step.zeroed_stop) == (1024, 70_000, 71_024)
    assert step.zeros_now == 1025


@pytest.mark.parametrize("shape", [(30, 20), (20, 8, 3, 3), (900, 1500)])
def test_swapped_units_are_found_on_both_axes(shape: tuple[int, ...]) -> None:
    before, now = pair(shape, np.float32)
    rows, columns = now.copy(), now.copy()
    rows[[3, 9]] = rows[[9, 3]]
    columns[:, [2, 5]] = columns[:, [5, 2]]
    assert not profile_tensor(before, now).moved_rows
    assert [(m.unit, m.source) for m in profile_tensor(before, rows).moved_rows] == [(3, 9), (9, 3)]
    moved = profile_tensor(before, columns).moved_columns
    assert [(m.unit, m.source) for m in moved] == [(2, 5), (5, 2)]
    assert all(m.other < 0.1 * m.own for m in moved)


def test_a_step_has_the_tensors_that_both_sides_have_in_one_shape() -> None:
    before = {"a": np.zeros(3), "b": np.zeros((2, 2)), "gone": np.zeros(1)}
    now = {"b": np.ones((2, 2)), "a": np.zeros(4), "c": np.zeros(1)}
    step = profile_step(before, now)
    assert list(step.tensors) == ["b"]
    assert (step.distance, step.tensors["b"].effective_rank) == (2.0, 0.0)


def test_a_step_has_the_effective_ranks_of_its_matrices() -> None:
    before, now = pair((20, 30), np.float32)
    step = profile_step({"a": before, "b": before, "c": before[0]}, {"a": now, "b": before, "c": now[0]})
    ranks = {name: one.effective_rank for name, one in step.tensors.items()}
    assert ranks == {"a": effective_rank(before, now), "b": 0.0, "c": 0.0}


def test_other_versions_are_not_read() -> None:
    data = profile_tensor(*pair((3,), np.float32)).pack()
    assert TensorStep.unpack(bytes([data[0] + 1]) + data[1:]) is None
