"""Copies are told by their values: each transform is named, and nothing that was trained or is strange passes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest

from mvc.geometry import derive, permute, rescale, transform
from mvc.geometry.explaining import explain
from mvc.geometry.matching import match_scaled, match_units

Array = npt.NDArray[Any]
Arrays = dict[str, Array]
SHAPES = {"fc1.weight": (16, 20), "fc1.bias": (16,), "fc2.weight": (10, 16), "fc2.bias": (10,), "fc3.weight": (5, 10)}


def _values(seed: int, shape: tuple[int, ...] = (40, 30)) -> Array:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def _net(seed: int) -> Arrays:
    return {name: _values(seed + i, shape) / 4 for i, (name, shape) in enumerate(SHAPES.items())}


def _pruned(x: Array, share: float = 0.8) -> Array:
    return np.where(np.abs(x) < np.quantile(np.abs(x), share), 0, x).astype(x.dtype)


def _int8(x: Array) -> Array:
    step = np.abs(x).max() / 127
    return (np.round(x / step) * step).astype(x.dtype)


def _rows_int8(x: Array) -> Array:
    step = np.abs(x).max(1, keepdims=True) / 127
    return (np.round(x / step) * step).astype(x.dtype)


def _half(x: Array) -> Array:
    return x.astype(np.float16)


def _brain(x: Array) -> Array:
    return x.astype(ml_dtypes.bfloat16).astype(x.dtype)


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (lambda x: x, set()),
        (_half, {"cast"}),
        (_brain, {"cast"}),
        (lambda x: _half(x).astype(np.float32), {"cast"}),
        (_int8, {"quantised"}),
        (_rows_int8, {"quantised"}),
        (lambda x: _half(_int8(x)), {"quantised", "cast"}),
        (lambda x: _brain(_int8(x)), {"quantised", "cast"}),
        (_pruned, {"pruned"}),
        (lambda x: _int8(_pruned(x)), {"quantised", "pruned"}),
        (lambda x: _half(_pruned(x)), {"cast", "pruned"}),
    ],
)
def test_a_transform_is_named(change: Callable[[Array], Array], names: set[str]) -> None:
    made = transform(_values(1), change(_values(1)))
    assert made is not None
    assert made.names == names
    assert made.evidence > 200


@pytest.mark.parametrize("change", [_half, _brain, _int8, _pruned, lambda x: _int8(_pruned(x))])
def test_what_was_trained_on_or_is_strange_is_not_explained(change: Callable[[Array], Array]) -> None:
    x = _values(1)
    assert transform(x, change(x + _values(2) / 20)) is None
    assert transform(x, change(_values(2))) is None


def test_zeros_and_constants_are_no_evidence() -> None:
    x = _values(1)
    zeros, ones = transform(x, np.zeros_like(x)), transform(np.ones_like(x), np.ones_like(x))
    assert zeros is not None and zeros.evidence == 0
    assert ones is not None and ones.evidence == 0


def test_a_value_says_as_much_as_it_is_rare() -> None:
    x = np.arange(1, 257, dtype=np.float32)
    made = transform(x, x)
    assert made is not None
    assert made.evidence == pytest.approx(256 * np.log(256))


def _moved(arrays: Arrays, scaled: bool) -> Arrays:
    spec, rng = derive(SHAPES), np.random.default_rng(0)
    assert spec is not None
    for units in spec.units:
        arrays = permute(arrays, units, rng.permutation(units.size))
        for scaling in units.scalings if scaled else ():
            arrays = rescale(arrays, scaling, np.exp(rng.normal(size=units.size)).astype(np.float32))
    return arrays


def _explained(known: Arrays, file: Arrays, scaled: bool) -> set[str] | None:
    spec = derive(SHAPES)
    assert spec is not None
    a, b = ({name: value.astype(np.float64) for name, value in one.items()} for one in (known, file))
    made = explain(known, file, spec, (match_scaled if scaled else match_units)(a, b, spec), scaled=scaled)
    return None if made is None or made.evidence < 20 else set(made.names)


CHANGES: dict[str, Callable[[Array], Array]] = {
    "": lambda x: x, "cast": _half, "quantised": _int8, "pruned": lambda x: _pruned(x, 0.5)
}  # fmt: skip


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("name", CHANGES)
def test_a_moved_copy_is_explained_and_a_stranger_or_a_trained_one_is_not(name: str, scaled: bool) -> None:
    def made_of(arrays: Arrays) -> Arrays:
        return {key: CHANGES[name](value) for key, value in _moved(arrays, scaled).items()}

    wanted = {"permuted"} | ({name} if name else set()) | ({"rescaled"} if scaled else set())
    assert _explained(_net(1), made_of(_net(1)), scaled) == wanted
    assert _explained(_net(1), made_of(_net(50)), scaled) is None
    trained = {key: value + _values(99, value.shape) / 40 for key, value in _net(1).items()}
    assert _explained(_net(1), made_of(trained), scaled) is None


def test_a_rescaled_copy_in_its_own_order_is_not_called_permuted() -> None:
    known = _net(1)
    spec = derive(SHAPES)
    assert spec is not None
    file = {key: _pruned(value) for key, value in known.items()}
    for units in spec.units:
        for scaling in units.scalings:
            file = rescale(file, scaling, np.exp(_values(7, (units.size,))))
    assert _explained(known, file, True) == {"rescaled", "pruned"}
