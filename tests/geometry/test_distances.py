"""Exact figures of two tensors, against NumPy in one piece."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mvc.geometry import architecture_of, combine, compare_tensors
from mvc.objects import TensorSpec

ARRAYS = hnp.arrays(np.float32, st.integers(1, 50), elements=st.floats(-100, 100, width=32))


@given(a=ARRAYS, seed=st.integers(0, 1000))
def test_figures_are_those_of_numpy(a: np.ndarray, seed: int) -> None:
    b = np.random.default_rng(seed).normal(size=a.shape).astype(np.float32)
    found = compare_tensors(a, b)
    x, y = a.astype(np.float64), b.astype(np.float64)
    assert found.distance == pytest.approx(float(np.linalg.norm(x - y)))
    assert found.max_abs == pytest.approx(float(np.abs(x - y).max()))
    if np.linalg.norm(x) > 0:
        assert found.cosine == pytest.approx(float(x @ y / np.linalg.norm(x) / np.linalg.norm(y)), abs=1e-9)


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (4,)])
def test_zeros_and_empty_tensors_have_no_cosine_and_no_nan(shape: tuple[int, ...]) -> None:
    found = compare_tensors(np.zeros(shape, np.float32), np.zeros(shape, np.float32))
    assert (found.distance, found.cosine, found.relative_distance, found.max_abs) == (0.0, None, None, 0.0)


def test_one_nan_does_not_hide_the_rest() -> None:
    a, b = np.ones(4, np.float32), np.full(4, 2, np.float32)
    a[0] = np.nan
    found = compare_tensors(a, b)
    assert found.nonfinite == 1
    assert found.distance == pytest.approx(np.sqrt(3))


def test_independent_models_are_a_square_root_of_two_apart() -> None:
    rng = np.random.default_rng(0)
    found = compare_tensors(rng.normal(size=200_000), rng.normal(size=200_000))
    assert found.relative_distance == pytest.approx(np.sqrt(2), abs=0.01)


def test_parts_combine_to_the_whole() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=90), rng.normal(size=90)
    whole, parts = compare_tensors(a, b), combine(compare_tensors(a[s : s + 30], b[s : s + 30]) for s in (0, 30, 60))
    assert parts.distance == pytest.approx(whole.distance)
    assert parts.cosine == pytest.approx(whole.cosine)
    assert parts.numel == whole.numel


def test_architecture_is_names_and_shapes_of_what_is_trained() -> None:
    specs = {
        "b": TensorSpec("F32", (2, 3)),
        "a": TensorSpec("F32", (3,)),
        "bn.running_mean": TensorSpec("F32", (3,)),
        "ids": TensorSpec("I64", (4,)),
    }
    halves = {name: TensorSpec("BF16" if spec.is_float else spec.dtype, spec.shape) for name, spec in specs.items()}
    assert architecture_of(specs).names == ("a", "b")
    assert architecture_of(specs).id == architecture_of(dict(reversed(halves.items()))).id
    assert architecture_of(specs).id != architecture_of({**specs, "c": TensorSpec("F32", ())}).id
